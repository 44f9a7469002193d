"""Views of runs, reviews, training and models as plain dictionaries and safe HTML. Nothing here imports Gradio."""
