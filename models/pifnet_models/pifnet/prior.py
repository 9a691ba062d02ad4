"""IPRPEM: what the HR-MSI shows and the LR-HSI lacks, weighted by how much the spectrum varies (eq. 2)."""

import torch.nn.functional as F
from torch import Tensor, nn


class PriorExtraction(nn.Module):
    """X_R = ReLU(conv(ReLU(conv(Xs - Ys)) * C_R)); C_R = the range of Xs over its channels, pixel by pixel.

    The published code keeps neither C_R nor the second convolution; this follows the paper. Where X_R enters is the
    network's choice, and open (docs/design.md 6.3).
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.difference = nn.Conv2d(width, width, 3, padding=1)
        self.weighted = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, spectral: Tensor, spatial: Tensor) -> Tensor:
        """HSI features Xs and MSI features Ys, both (B, D, H, W) -> X_R (B, D, H, W)."""
        contrast = spectral.amax(dim=1, keepdim=True) - spectral.amin(dim=1, keepdim=True)  # (B, 1, H, W)
        return F.relu(self.weighted(F.relu(self.difference(spectral - spatial)) * contrast))
