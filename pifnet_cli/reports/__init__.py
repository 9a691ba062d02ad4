"""Scores and previews for people and machines."""
