import pytest
import torch

from pifnet_models.pifnet.adapter import (
    ChannelAttention,
    FamLora,
    GuidedAdapter,
    LargeKernelAttention,
    MultiHeadLora,
    Weights,
)

WIDTH = 16


def _randomised(module):
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module


def _features(height=10, width=14):
    torch.manual_seed(1)
    return torch.randn(2, height, width, WIDTH)


def _block(**more):
    return _randomised(FamLora(width=WIDTH, lora_heads=4, lora_rank=2, **more))


def test_a_block_of_the_paper_has_28304_parameters():
    block = FamLora(width=64, lora_heads=4, lora_rank=4)
    assert sum(parameter.numel() for parameter in block.parameters()) == 28_304


def test_a_block_is_the_published_equations():
    block, f, guidance = _block(), _features(), _features().flip(1)
    lka, se = block.kernel_attention, block.channel_attention
    a = block.enter(f)
    d = block.adapt(block.merge(lka(a) * a + se(a) * a))
    e = lka(d) * d + se(d + guidance) * (d + guidance) + block.lora(guidance)
    torch.testing.assert_close(block(f, guidance), f + block.leave(e), rtol=1e-4, atol=1e-4)


def test_the_second_pass_trains_neither_attention():
    block, features = _block(), _features()
    torch.nn.init.zeros_(block.adapt.weight)  # nothing of the first pass is left
    answer = block(features, _features().flip(1))
    answer.square().sum().backward()
    attentions = (block.kernel_attention, block.channel_attention)
    gradients = [parameter.grad for module in attentions for parameter in module.parameters()]
    assert all(gradient is not None and not gradient.any() for gradient in gradients)
    torch.nn.init.zeros_(block.kernel_attention.mix.weight)
    assert not torch.equal(block(features, _features().flip(1)), answer)  # though it uses them


def test_freezing_leaves_parameters_trainable():
    block = _block()
    block(_features(), _features())
    assert all(parameter.requires_grad for parameter in block.parameters())


def test_large_kernel_attention_sees_23_by_23_pixels():
    attention = _randomised(LargeKernelAttention(width=WIDTH))
    features = torch.zeros(1, 31, 31, WIDTH)
    moved = features.clone()
    moved[0, 15, 15] = 1.0
    changed = (attention(moved) - attention(features)).abs().amax(dim=(0, 3)) > 0
    assert changed[4:27, 4:27].all()
    assert changed.sum() == 23 * 23


def test_frozen_weights_give_the_same_answer():
    features = _features()
    for module in (_block().kernel_attention, _block().channel_attention):
        assert torch.equal(module(features, Weights.FROZEN), module(features))


def test_the_heads_of_a_lora_do_not_mix():
    lora = _randomised(MultiHeadLora(width=WIDTH, heads=4, rank=2))
    features = torch.zeros(1, 1, 1, WIDTH)
    features[..., 4:8] = 1.0
    answer = lora(features).flatten()
    assert answer[4:8].abs().min() > 0
    assert not answer[:4].any()
    assert not answer[8:].any()


def test_a_lora_starts_as_nothing_with_a_gradient():
    lora = MultiHeadLora(width=WIDTH, heads=4, rank=2)
    answer = lora(_features())
    assert not answer.any()
    answer.sum().backward()
    assert lora.up.grad.abs().min() > 0


def test_a_window_over_the_whole_image_pools_as_the_paper_does():
    everything, local = (ChannelAttention(width=WIDTH, pooling_window=window) for window in (None, 27))
    local.load_state_dict(everything.state_dict())
    features = _features()
    torch.testing.assert_close(local(features), everything(features).expand_as(features))


@pytest.mark.parametrize(("window", "depends"), [(None, True), (5, False)])
def test_only_a_window_keeps_far_pixels_out(window, depends):
    adapter = _randomised(GuidedAdapter(blocks=1, width=WIDTH, lora_heads=4, lora_rank=2, pooling_window=window))
    features, high, prior = torch.randn(1, WIDTH, 4, 60), torch.randn(1, WIDTH, 2, 30), torch.randn(1, WIDTH, 4, 60)
    moved = features.clone()
    moved[..., 59] += 5
    near = (adapter(moved, high, prior) - adapter(features, high, prior))[..., :20]
    # Twice 11 pixels of kernel attention and 2 of pooling; running sums round differently.
    assert (near.abs().max() > 1e-4).item() is depends


@pytest.mark.parametrize("window", [0, 4])
def test_a_window_without_a_centre_is_refused(window):
    with pytest.raises(ValueError, match="needs a centre pixel"):
        ChannelAttention(width=WIDTH, pooling_window=window)


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="10 channels cannot be split into 4"):
        MultiHeadLora(width=10, heads=4, rank=2)
