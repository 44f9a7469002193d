"""What the page shows and does, without Gradio: one open page, its views, its words, the step list in the browser."""
