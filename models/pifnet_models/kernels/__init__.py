"""Numba and Triton machinery: loops that must be fast, whatever they are for."""
