"""Plausible hyperspectral landscapes, drawn from a seed; the entrance is `landscape.scene.generate_scene`."""
