"""Tiles that cover a scene, and their blending."""
