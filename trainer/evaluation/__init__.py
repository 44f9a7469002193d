"""Evaluation of solvers and critics."""
