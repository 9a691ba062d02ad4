"""The sensor model; the only one in the project."""
