"""How the log becomes data: reviews, imports, exports, retraining."""
