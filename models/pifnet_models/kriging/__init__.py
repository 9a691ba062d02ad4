"""Regression of the LR-HSI on the HR-MSI, and guided kriging of what it leaves; no torch."""
