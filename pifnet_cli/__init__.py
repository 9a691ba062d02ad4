"""pifnet: hyperspectral-multispectral fusion from files to files."""

__version__ = "0.1.0"
