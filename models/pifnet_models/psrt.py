"""PSRT: attention in windows, between whose passes the image is shuffled and put back (Deng et al., TGRS 2023).

Features are kept channels last, (B, H, W, D): a pixel is a token, and windows are a matter of reshaping.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pifnet_models.interface import HyperParameter, OutputStart, SizeRule
from pifnet_models.layers.convolution import start_at_zero

WINDOWS = (8, 4, 2)  # sides of the windows of a pyramid block, in pixels and in order
LINEAR_STD = 0.01  # of the linear layers' weights at the start
PAIRWISE_TOKENS = 4  # windows of up to so many tokens are too small to be worth a product of matrices each
CACHED_PIXELS = 4096  # a piece of the image whose features stay in a CPU's cache from layer to layer
LAUNCHED_PIXELS = 262_144  # a piece for other devices: their attention takes fewer than 65,536 windows at once


class PSRT(nn.Module):
    """PSRT with its published numbers; 289,287 parameters at 103 and 4 bands, whatever the ratio.

    As in the published code, a leaky ReLU of slope 0.2 is put on the residual before `upsampled` is added, so that a
    negative correction needs features five times as strong as a positive one. `residual_slope=1.0` adds the residual as
    it is.

    Sides are multiples of 8: the windows' sides 8, 4 and 2 must divide them. The shuffle asks for no more: it deals out
    tiles of half a window's side to two halves of the image, and of those tiles there is then an even number. On a
    single window (a side of 8, at window 8) it moves nothing.

    At the start the weights of the linear layers are normal with deviation 0.01 and the convolutions' biases zero;
    the publication names nothing else, so the rest starts as PyTorch has it. Each of the six blocks then about doubles
    its features, which both its own way through and that of its attentions carry: the residual starts large.

    Args:
        hsi_channels: Bands of the LR-HSI, C.
        msi_channels: Bands of the HR-MSI, M.
        ratio: Fine pixels per coarse pixel, 1 or more; recorded, the network does not depend on it.
        output_start: `zero` starts the last convolution at zero: the untrained network answers `upsampled`.
        width: Features D.
        heads: Heads of every attention; they divide the width.
        blocks: Pyramid blocks.
        logit_scale: What q.k is multiplied by before the softmax: 4 where others have 1 / sqrt(D / heads), here 0.5.
        residual_slope: What negative residuals are multiplied by.

    Raises:
        ValueError: A number is out of its range, or `output_start` is unknown.
    """

    needs_lr_hsi: ClassVar[bool] = False
    size_rule: ClassVar[SizeRule] = SizeRule(multiple_of=max(WINDOWS), minimum=max(WINDOWS))
    dead_parameters: ClassVar[Mapping[str, int]] = MappingProxyType({})

    def __init__(
        self,
        *,
        hsi_channels: int,
        msi_channels: int,
        ratio: int = 4,
        output_start: str = OutputStart.PUBLISHED,
        width: int = 32,
        heads: int = 8,
        blocks: int = 2,
        logit_scale: float = 4.0,
        residual_slope: float = 0.2,
    ) -> None:
        super().__init__()
        self.hyper_parameters: dict[str, HyperParameter] = {
            name: value for name, value in locals().items() if name not in ("self", "__class__")
        }
        if ratio < 1:
            raise ValueError(f"PSRT takes a ratio of 1 or more, not {ratio}")
        self.residual_slope = residual_slope
        self.head = nn.Conv2d(hsi_channels + msi_channels, width, 3, padding=1)
        self.pyramid = nn.Sequential(
            *(
                WindowToWindow(window=window, width=width, heads=heads, logit_scale=logit_scale)
                for _ in range(blocks)
                for window in WINDOWS
            )
        )
        self.tail = nn.Conv2d(width, hsi_channels, 3, padding=1)
        self._start_as_published()
        if OutputStart(output_start) is OutputStart.ZERO:
            start_at_zero(self.tail)

    def forward(self, upsampled: Tensor, hr_msi: Tensor) -> Tensor:
        """Add what the HR-MSI shows to the upsampled LR-HSI.

        Args:
            upsampled: (B, C, H, W), the LR-HSI on the fine grid, or an anchor; H and W multiples of 8.
            hr_msi: (B, M, H, W).

        Returns:
            (B, C, H, W), not cut to any range.

        Raises:
            ValueError: H or W breaks the size rule.
        """
        height, width = upsampled.shape[2:]
        if not self.size_rule.accepts(height, width):
            raise ValueError(f"PSRT takes sides that are a multiple of {max(WINDOWS)}, not {height} x {width}")
        features = self.head(torch.cat((upsampled, hr_msi), dim=1))
        features = self.pyramid(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)  # (B, H, W, D) inside
        return F.leaky_relu(self.tail(features), self.residual_slope) + upsampled

    def _start_as_published(self) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=LINEAR_STD)
            elif isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.zeros_(layer.bias)


class WindowToWindow(nn.Module):
    """Attention in windows; in windows of the shuffled image; in windows again; beside a plain way through."""

    def __init__(self, *, window: int, width: int, heads: int, logit_scale: float) -> None:
        super().__init__()
        self.window = window
        self.before, self.between, self.after = (
            WindowAttention(width=width, heads=heads, logit_scale=logit_scale) for _ in range(3)
        )

    def forward(self, image: Tensor) -> Tensor:
        """(B, H, W, D), H and W multiples of the window's side -> same."""
        features = self._in_windows(self.before, image)
        features = shuffled(features, tile=self.window // 2)
        features = self._in_windows(self.between, features)
        features = reshuffled(features, tile=self.window // 2)
        return image + self._in_windows(self.after, features)

    def _in_windows(self, attention: "WindowAttention", image: Tensor) -> Tensor:
        batch, height, width, channels = image.shape
        side = self.window
        grid = image.reshape(batch, height // side, side, width // side, side, channels).transpose(2, 3)
        windows = attention(grid.reshape(-1, side**2, channels))  # (B H W / side^2, side^2, D)
        return windows.view(grid.shape).transpose(2, 3).reshape(image.shape)


class WindowAttention(nn.Module):
    """t + project(attention(LN t)), then t + MLP(LN t), where a token sees its own window; no position enters."""

    def __init__(self, *, width: int, heads: int, logit_scale: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{width} features cannot be split into {heads} equal heads")
        self.heads, self.logit_scale = heads, logit_scale
        self.norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, windows: Tensor) -> Tensor:
        """(N, L, D), N windows of L tokens -> same; piece by piece, for windows do not know of each other."""
        pixels = CACHED_PIXELS if windows.device.type == "cpu" else LAUNCHED_PIXELS
        pieces = windows.split(max(pixels // windows.shape[1], 1))
        return torch.cat([self._attended(piece) for piece in pieces])

    def _attended(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.project(self._attention(self.to_qkv(self.norm(tokens))))
        return tokens + self.mlp(tokens)

    def _attention(self, qkv: Tensor) -> Tensor:
        """(N, L, 3 D) -> (N, L, D)."""
        if qkv.shape[1] <= PAIRWISE_TOKENS:
            return pairwise_attention(qkv, heads=self.heads, logit_scale=self.logit_scale)
        query, key, value = qkv.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # (N, heads, L, D / heads)
        mixed = F.scaled_dot_product_attention(query, key, value, scale=self.logit_scale)
        return mixed.transpose(1, 2).flatten(2)


def pairwise_attention(qkv: Tensor, *, heads: int, logit_scale: float) -> Tensor:
    """Multi-head attention in windows of a few tokens, element by element over all windows at once.

    Args:
        qkv: (N, L, 3 D), of N windows of L tokens: queries, keys, values, each head's features beside each other.
        heads: Heads of the attention; they divide D.
        logit_scale: What q.k is multiplied by before the softmax.

    Returns:
        (N, L, D).
    """
    query, key, value = qkv.unflatten(2, (3, -1)).permute(2, 1, 0, 3).contiguous()  # (L, N, D)
    channels = query.shape[-1]
    in_head = torch.eye(heads, device=qkv.device, dtype=qkv.dtype).repeat_interleave(channels // heads, dim=1)
    # Products of every token with every other, (L, L, N, D); the sum over a head's features is a product with 0 and 1.
    logits = F.linear(query.unsqueeze(1) * key, logit_scale * in_head)  # (L, L, N, heads)
    weights = F.linear(logits.softmax(dim=1), in_head.T)  # (L, L, N, D)
    return (weights * value).sum(dim=1).transpose(0, 1)


def shuffled(image: Tensor, *, tile: int) -> Tensor:
    """Deal out square tiles: of each axis, even ones go to the first half and odd ones to the second, in their order.

    Args:
        image: (B, H, W, D), H and W multiples of two tiles.
        tile: Side of a tile, in pixels.

    Returns:
        (B, H, W, D); a window of two by two tiles now holds tiles of four different windows, where there are as many.
    """
    batch, height, width, channels = image.shape
    pairs = image.view(batch, height // (2 * tile), 2, tile, width // (2 * tile), 2, tile * channels)
    return pairs.permute(0, 2, 1, 3, 5, 4, 6).reshape(image.shape)


def reshuffled(image: Tensor, *, tile: int) -> Tensor:
    """The inverse of `shuffled`: (B, H, W, D) -> same."""
    batch, height, width, channels = image.shape
    halves = image.view(batch, 2, height // (2 * tile), tile, 2, width // (2 * tile), tile * channels)
    return halves.permute(0, 2, 1, 3, 5, 4, 6).reshape(image.shape)
