"""How a sensor pair sees the ground: blur, sampling, spectral response, noise."""
