"""Quality figures: NumPy and SciPy only."""
