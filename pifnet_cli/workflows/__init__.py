"""The stories, one per command; usable from Python."""
