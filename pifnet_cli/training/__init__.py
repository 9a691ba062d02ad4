"""Patches, losses and the loop that serves every network."""
