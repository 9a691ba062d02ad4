"""Estimates from a scene pair alone: blur, misregistration, spectral response, noise."""
