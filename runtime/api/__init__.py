"""Soliloquy for other programs: the chat completions of the OpenAI protocol, served beside the page.

`routes` speaks HTTP, `shapes` knows what travels, `telling` turns a run into words. Sessions and the model are the
page's own.
"""
