"""The page in the browser, made with Gradio: its widgets and events, how it is served, and who may use it."""
