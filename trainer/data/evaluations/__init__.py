"""Step-wise evaluations in words (MATH-Minos, arXiv 2406.14024): the first stage of a verifier's training.

An annotator is shown the label of every step and explains it; unaided, even strong models judge too many steps wrongly.
Whatever does not agree with the labels is dropped. A verifier first learns to write these evaluations, without seeing a
label, and starts its training on scores from there.
"""
