"""Networks as files and on devices: building, checkpoints, device and precision."""
