"""Closed-form estimates that PIF-Net starts from."""
