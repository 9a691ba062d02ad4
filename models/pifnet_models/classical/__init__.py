"""Training-free methods; NumPy and SciPy only."""
