"""Speed of our engine beside llama.cpp's server and llama-cpp-python's loop on the same work.

python -m trainer bench [--quick | --full]
"""
