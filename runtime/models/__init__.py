"""Models and adapters on this machine: the catalogue, downloads, checks, and measured speeds."""
