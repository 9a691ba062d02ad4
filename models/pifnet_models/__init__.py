"""Fusion methods: networks, kriging, classical methods. Importing this package imports nothing."""
