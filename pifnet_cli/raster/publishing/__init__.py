"""Outputs that appear whole, by rename, or not at all."""
