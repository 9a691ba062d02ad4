"""FAM-LoRA: fused features refined by large-kernel and channel attention, then adapted to a high-frequency guidance.

Features are kept channels last, (B, H, W, D): what a 1 x 1 convolution does is then one product of matrices.
"""

from enum import Enum, auto

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pifnet_models.layers.convolution import block_diagonal, two_convolutions
from pifnet_models.pifnet.depthwise import depthwise_convolution
from pifnet_models.pifnet.pooling import local_mean

LORA_SCALE = 0.1  # alpha, as in the published code


class Weights(Enum):
    """Whether a pass trains the weights it uses."""

    LEARNED = auto()
    FROZEN = auto()


class LargeKernelAttention(nn.Module):
    """The factor of a large-kernel attention: conv1x1(depthwise 7 x 7 with dilation 3 (depthwise 5 x 5 (a))).

    Each pixel of `a` is to be multiplied by what its 23 x 23 neighbours say here.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.near = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.far = nn.Conv2d(width, width, 7, padding=9, dilation=3, groups=width)
        self.mix = nn.Linear(width, width)

    def forward(self, features: Tensor, weights: Weights = Weights.LEARNED) -> Tensor:
        """(B, H, W, D) -> (B, H, W, D)."""
        image = features.permute(0, 3, 1, 2)
        near = depthwise_convolution(image, *_parameters(self.near, weights))
        far = depthwise_convolution(near, *_parameters(self.far, weights), dilation=3)
        return F.linear(far.permute(0, 2, 3, 1), *_parameters(self.mix, weights))


class ChannelAttention(nn.Module):
    """The factor of squeeze and excitation: sigmoid(W2 ReLU(W1 mean(x))), with a quarter of the channels between.

    The mean is over the whole image (the paper), or over a window around each pixel; with a window the answer at a
    pixel depends on its neighbourhood alone, and an image may be processed in tiles.
    """

    def __init__(self, *, width: int, pooling_window: int | None = None) -> None:
        super().__init__()
        if pooling_window is not None and (pooling_window < 1 or pooling_window % 2 == 0):
            raise ValueError(f"the pooling window needs a centre pixel, got a side of {pooling_window}")
        self.pooling_window = pooling_window
        self.squeeze = nn.Linear(width, width // 4)
        self.excite = nn.Linear(width // 4, width)

    def forward(self, features: Tensor, weights: Weights = Weights.LEARNED) -> Tensor:
        """(B, H, W, D) -> (B, 1, 1, D), or (B, H, W, D) with a pooling window."""
        hidden = F.relu(F.linear(self._mean(features), *_parameters(self.squeeze, weights)))
        return torch.sigmoid(F.linear(hidden, *_parameters(self.excite, weights)))

    def _mean(self, features: Tensor) -> Tensor:
        if self.pooling_window is None:
            return features.mean(dim=(1, 2), keepdim=True)
        return local_mean(features, window=self.pooling_window)


class MultiHeadLora(nn.Module):
    """A low-rank linear map per channel segment: A Gaussian, B zero, so that it starts as nothing.

    A has variance 1 / rank; the paper says a standard Gaussian. Open (docs/design.md 6.3).
    """

    def __init__(self, *, width: int, heads: int, rank: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{width} channels cannot be split into {heads} equal heads")
        self.down = nn.Parameter(torch.randn(heads, rank, width // heads) * rank**-0.5)  # A
        self.up = nn.Parameter(torch.zeros(heads, width // heads, rank))  # B

    def forward(self, features: Tensor) -> Tensor:
        """(B, H, W, D) -> (B, H, W, D)."""
        return F.linear(features, LORA_SCALE * block_diagonal((self.up @ self.down)[None]))


class FamLora(nn.Module):
    """Attend, then attend again with the same but frozen weights, guided and corrected at low rank.

    a = c1 f; b = c2 (LKA a + SE a); d = c3 b; e = LKA' d + SE'(d + G) + alpha LoRA(G); the answer is f + c4 e. c1 to
    c4 are 1 x 1 convolutions, LKA x and SE x are x times the factors above. The primes mark the first pass's weights
    without gradient (both of them, as the paper says; the published code freezes LKA alone). The LoRA has its four
    heads, which the published code lacks.
    """

    def __init__(self, *, width: int, lora_heads: int, lora_rank: int, pooling_window: int | None = None) -> None:
        super().__init__()
        self.enter, self.merge, self.adapt, self.leave = (nn.Linear(width, width) for _ in range(4))  # c1 ... c4
        self.kernel_attention = LargeKernelAttention(width=width)
        self.channel_attention = ChannelAttention(width=width, pooling_window=pooling_window)
        self.lora = MultiHeadLora(width=width, heads=lora_heads, rank=lora_rank)

    def forward(self, features: Tensor, guidance: Tensor) -> Tensor:
        """Features f and guidance G, both (B, H, W, D) -> (B, H, W, D)."""
        first = self.enter(features)
        attended = first * (self.kernel_attention(first) + self.channel_attention(first))
        second = self._adapted(attended)
        guided = second + guidance
        adapted = torch.addcmul(self.lora(guidance), guided, self.channel_attention(guided, Weights.FROZEN))
        adapted = torch.addcmul(adapted, second, self.kernel_attention(second, Weights.FROZEN))
        return features + self.leave(adapted)

    def _adapted(self, attended: Tensor) -> Tensor:
        """c3 c2 x: nothing stands between the two, so the map from x to d is applied as one."""
        bias = torch.addmv(self.adapt.bias, self.adapt.weight, self.merge.bias)
        return F.linear(attended, self.adapt.weight @ self.merge.weight, bias)


class GuidedAdapter(nn.Module):
    """High-frequency semantic perception, and the FAM-LoRA blocks that it guides.

    One guidance is made for all blocks, and their features begin as the inverse wavelet transform; the paper's text
    settles neither. Open (docs/design.md 6.3).
    """

    def __init__(
        self, *, blocks: int, width: int, lora_heads: int, lora_rank: int, pooling_window: int | None = None
    ) -> None:
        super().__init__()
        self.perception = two_convolutions(2 * width, width, width)
        self.blocks = nn.ModuleList(
            FamLora(width=width, lora_heads=lora_heads, lora_rank=lora_rank, pooling_window=pooling_window)
            for _ in range(blocks)
        )

    def forward(self, features: Tensor, high: Tensor, prior: Tensor) -> Tensor:
        """Features and prior (B, D, H, W), high frequencies (B, D, H/2, W/2) -> refined features (B, D, H, W)."""
        upsampled = F.interpolate(high, size=features.shape[-2:], mode="bilinear", align_corners=False)
        guidance = self.perception(torch.cat((upsampled, prior), dim=1)).permute(0, 2, 3, 1)
        pixels = features.permute(0, 2, 3, 1)
        for block in self.blocks:
            pixels = block(pixels, guidance)
        return pixels.permute(0, 3, 1, 2)


def _parameters(layer: nn.Linear | nn.Conv2d, weights: Weights) -> tuple[Tensor, Tensor]:
    """Weight and bias of a layer, cut from the gradient where they are frozen; the layer itself is left alone."""
    assert layer.bias is not None
    if weights is Weights.FROZEN:
        return layer.weight.detach(), layer.bias.detach()
    return layer.weight, layer.bias
