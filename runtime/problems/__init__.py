"""Where problems come from: generated, worked, or read from a person's file."""
