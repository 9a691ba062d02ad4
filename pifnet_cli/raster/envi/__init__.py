"""ENVI: headers, raw pixels, outputs."""
