"""The selective scan of Mamba (S6): one operation, several back ends."""
