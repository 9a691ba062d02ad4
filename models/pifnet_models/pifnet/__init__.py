"""PIF-Net and the parts only it uses."""
