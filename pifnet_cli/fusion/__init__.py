"""A method on tile arrays."""
