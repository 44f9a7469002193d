"""Exact checks: is this answer equal to that one, is this equation true?"""
