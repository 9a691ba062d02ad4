"""Fusion methods: networks, closed-form anchors, classical methods. Importing this package imports nothing."""
