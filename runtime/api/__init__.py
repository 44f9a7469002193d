"""Soliloquy for other programs: OpenAI's chat completions, served beside the page with the same model and log.

`routes` handles HTTP, `shapes` defines requests and replies, `texts` turns a run into text.
"""
