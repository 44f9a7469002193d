"""What a person sees of a run, as plain dictionaries and safe HTML. Nothing here imports Gradio."""
