"""Fusformer: attention of every pixel to every other (Hu et al., GRSL 2022)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pifnet_models.interface import HyperParameter, OutputStart, SizeRule
from pifnet_models.layers.convolution import start_at_zero


class Fusformer(nn.Module):
    """Fusformer with its published numbers; 145,927 parameters at 103 and 4 bands, whatever the ratio.

    A token is a pixel of both images; its answer corrects `upsampled`. The published code cuts the interpolated HSI
    and, inside the training graph, the answer to [0, 1]: that is wrong for a scene that leaves this range, and what was
    cut trains nothing. Both cuts are left out, and so are two position tables that nothing reads.

    Attention weighs every pixel against every other, without ever holding all the weights; its time is still quadratic.
    An image with a side above `attention_tile` is therefore cut into tiles of that side that are fused one after the
    other, as the published test does, and the answer shows their seams. The last tile of an axis ends with the image:
    it reaches back into the one before instead of being smaller, and where two overlap the later one's answer stands.

    Layers start as PyTorch has them; the publication names no other start.

    Args:
        hsi_channels: Bands of the LR-HSI, C.
        msi_channels: Bands of the HR-MSI, M.
        ratio: Fine pixels per coarse pixel, 1 or more; recorded, the network does not depend on it.
        output_start: `zero` starts the last convolution at zero: the untrained network answers `upsampled`.
        width: Features D of a token.
        heads: Heads of every attention; they divide the width.
        encoder_layers: Layers of one attention and one MLP.
        decoder_layers: Layers of two attentions and one MLP; they attend to the same tokens.
        attention_tile: Longest side that is attended to as a whole, in fine pixels.

    Raises:
        ValueError: A number is out of its range, or `output_start` is unknown.
    """

    needs_lr_hsi: ClassVar[bool] = False
    size_rule: ClassVar[SizeRule] = SizeRule()
    # Two tables of 4096 positions by 48 features; the published code has the lines that would add them commented out.
    dead_parameters: ClassVar[Mapping[str, int]] = MappingProxyType(
        {"encoder's position table": 196_608, "decoder's position table": 196_608}
    )

    def __init__(
        self,
        *,
        hsi_channels: int,
        msi_channels: int,
        ratio: int = 4,
        output_start: str = OutputStart.PUBLISHED,
        width: int = 48,
        heads: int = 3,
        encoder_layers: int = 2,
        decoder_layers: int = 2,
        attention_tile: int = 64,
    ) -> None:
        super().__init__()
        self.hyper_parameters: dict[str, HyperParameter] = {
            name: value for name, value in locals().items() if name not in ("self", "__class__")
        }
        if ratio < 1 or attention_tile < 1:
            raise ValueError(f"Fusformer takes a ratio and a tile of 1 or more, not {ratio} and {attention_tile}")
        self.attention_tile = attention_tile
        self.to_tokens = nn.Linear(hsi_channels + msi_channels, width)
        self.encoder = nn.Sequential(*(_layer(1, width=width, heads=heads) for _ in range(encoder_layers)))
        self.decoder = nn.Sequential(*(_layer(2, width=width, heads=heads) for _ in range(decoder_layers)))
        self.tail = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(), nn.Conv2d(width, hsi_channels, 3, padding=1)
        )
        if OutputStart(output_start) is OutputStart.ZERO:
            start_at_zero(self.tail[-1])

    def forward(self, upsampled: Tensor, hr_msi: Tensor) -> Tensor:
        """Add what the HR-MSI shows to the upsampled LR-HSI, in tiles where the image is large.

        Args:
            upsampled: (B, C, H, W), the LR-HSI on the fine grid, or an anchor; any size.
            hr_msi: (B, M, H, W).

        Returns:
            (B, C, H, W), not cut to any range.
        """
        tile = self.attention_tile
        height, width = upsampled.shape[2:]
        if max(height, width) <= tile:
            return self._fused(upsampled, hr_msi)
        fused = torch.empty_like(upsampled)
        for row in tile_starts(height, tile=tile):
            for column in tile_starts(width, tile=tile):
                inside = (..., slice(row, row + tile), slice(column, column + tile))
                fused[inside] = self._fused(upsampled[inside], hr_msi[inside])
        return fused

    def _fused(self, upsampled: Tensor, hr_msi: Tensor) -> Tensor:
        image = torch.cat((upsampled, hr_msi), dim=1)
        tokens = self.to_tokens(image.flatten(2).transpose(1, 2))  # (B, H W, D)
        tokens = self.decoder(self.encoder(tokens))
        features = tokens.transpose(1, 2).unflatten(2, image.shape[2:])  # (B, D, H, W)
        return self.tail(features) + upsampled


class _Attention(nn.Module):
    """t + project(attention(LN t)) among all tokens, with logits q.k / sqrt(D / heads)."""

    def __init__(self, *, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{width} features cannot be split into {heads} equal heads")
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.project = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, n, D) -> same."""
        qkv = self.to_qkv(self.norm(tokens)).unflatten(2, (3, self.heads, -1))
        mixed = F.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4))  # (B, heads, n, D / heads)
        return tokens + self.project(mixed.transpose(1, 2).flatten(2))


class _Perceptron(nn.Module):
    """t + MLP(LN t), as wide inside as outside."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.LeakyReLU(), nn.Linear(width, width)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, n, D) -> same."""
        return tokens + self.layers(tokens)


def _layer(attentions: int, *, width: int, heads: int) -> nn.Sequential:
    return nn.Sequential(*(_Attention(width=width, heads=heads) for _ in range(attentions)), _Perceptron(width=width))


def tile_starts(length: int, *, tile: int) -> list[int]:
    """Where the tiles of an axis start: one after the other, the last flush with the end.

    Args:
        length: Of the axis, in pixels.
        tile: Side of a tile, in pixels; an axis that is shorter has one tile.
    """
    return [*range(0, length - tile, tile), max(length - tile, 0)]
