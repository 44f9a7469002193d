"""Makes data of the log: reviews, imports, exports, training."""
