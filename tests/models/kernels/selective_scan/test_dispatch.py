import pytest
import torch

from pifnet_models.kernels.selective_scan.dispatch import ScanBackend, default_backend, directional_scan, selective_scan
from pifnet_models.kernels.selective_scan.reference import reference_scan
from scans import as_double, output_and_gradients, relative_errors, scan_tensors

# Few channels where the sequence is long: the reference's derivatives cost the square of the length.
SHAPES = [(2, 3, 1, 5, 3), (1, 2, 7, 16, 4), (2, 4, 33, 40, 8), (1, 2, 1024, 4, 3), (1, 1, 7225, 2, 2)]
EVERYWHERE = [ScanBackend.CHUNKED, ScanBackend.CPU]


@pytest.fixture(scope="module", params=SHAPES, ids=lambda shape: f"L={shape[2]}")
def scans(request):
    tensors = scan_tensors(*request.param)
    precise = as_double(tensors)
    return tensors, output_and_gradients(reference_scan(*precise), precise)


@pytest.mark.parametrize("backend", EVERYWHERE)
def test_back_ends_agree_with_the_reference_in_double_precision(scans, backend):
    tensors, expected = scans
    found = output_and_gradients(selective_scan(*tensors, backend=backend), tensors)
    assert max(relative_errors(found, expected)) < 1e-5


def test_the_reference_is_the_recurrence_with_numbers():
    # Two steps by hand: h1 = 2, h2 = exp(-1) 2 + 3; y = C h + D u.
    u, delta = torch.tensor([1.0, 3.0]).view(1, 1, 2, 1), torch.ones(1, 1, 2, 1)
    b, c = torch.tensor([2.0, 1.0]).view(1, 1, 2, 1), torch.tensor([1.0, 10.0]).view(1, 1, 2, 1)
    y = reference_scan(u, delta, -torch.ones(1, 1, 1), b, c, torch.full((1, 1), 0.5))
    expected = [1 * 2 + 0.5, 10 * (2 * torch.tensor(-1.0).exp().item() + 3) + 1.5]
    torch.testing.assert_close(y.flatten(), torch.tensor(expected))


def test_a_long_sequence_with_fast_decay_stays_finite():
    u, delta, a, b, c, d = (tensor.detach() for tensor in scan_tensors(1, 1, 2000, 16, 2))
    for backend in EVERYWHERE:
        y = selective_scan(u, delta + 20, a * 50, b, c, d, backend=backend)
        torch.testing.assert_close(y, reference_scan(u, delta + 20, a * 50, b, c, d))


def test_double_precision_stays_double():
    tensors = as_double(scan_tensors(1, 2, 40, 5, 3))
    assert default_backend(torch.device("cpu"), torch.float64) is ScanBackend.CHUNKED
    errors = relative_errors([selective_scan(*tensors)], [reference_scan(*tensors)])
    assert max(errors) < 1e-14


def test_the_scan_is_in_single_precision_under_autocast():
    rough = [tensor.detach().bfloat16() for tensor in scan_tensors(1, 2, 40, 16, 3)]
    expected = selective_scan(*(tensor.float() for tensor in rough))
    for backend in EVERYWHERE:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = selective_scan(*rough, backend=backend)
        assert y.dtype == torch.float32
        torch.testing.assert_close(y, expected)


def test_the_processor_kernel_is_the_default_for_single_precision():
    assert default_backend(torch.device("cpu"), torch.float32) is ScanBackend.CPU


def test_threads_do_not_change_a_bit():
    tensors = scan_tensors(2, 3, 70, 32, 4)
    before, results = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(output_and_gradients(selective_scan(*tensors), tensors))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def _directional(batch, sequences, paths, length, channels, states, rank):
    torch.manual_seed(0)
    directions = sequences * paths
    return {
        "u": torch.randn(batch, length, sequences, channels).transpose(1, 2),
        "steps": torch.randn(sequences, batch, length, paths, rank).permute(1, 0, 3, 2, 4),
        "a": -torch.rand(directions, channels, states) - 0.1,
        "b": torch.randn(batch, sequences, paths, length, states),
        "c": torch.randn(batch, sequences, paths, length, states + 2)[..., 1:-1],
        "d": torch.randn(directions, channels),
        "step_weight": torch.randn(directions, rank, channels),
        "step_bias": torch.randn(directions, channels) - 2,
    }


@pytest.mark.parametrize("rank", [1, 3])
def test_the_directional_scan_is_the_same_on_every_back_end(rank):
    shape = (2, 3, 4, 37, 20, 5)
    order = torch.stack([torch.randperm(37, generator=torch.Generator().manual_seed(path)) for path in range(4)])
    tensors = {name: tensor.requires_grad_() for name, tensor in _directional(*shape, rank).items()}
    precise = {name: tensor.detach().double().requires_grad_() for name, tensor in tensors.items()}
    expected = directional_scan(**precise, order=order, backend=ScanBackend.REFERENCE)
    wanted = output_and_gradients(expected, list(precise.values()))
    for backend in EVERYWHERE:
        output = directional_scan(**tensors, order=order, backend=backend)
        assert max(relative_errors(output_and_gradients(output, list(tensors.values())), wanted)) < 1e-5


def test_each_path_visits_positions_in_its_own_order():
    tensors = _directional(1, 1, 2, 6, 16, 2, 1)
    order = torch.tensor([[0, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4]])
    delta = torch.nn.functional.softplus(
        tensors["steps"][0, 0] @ tensors["step_weight"] + tensors["step_bias"][:, None]
    )
    expected = torch.zeros(6, 16)
    for path, visits in enumerate(order):
        u, steps = tensors["u"][0, 0, visits], delta[path, visits]
        b, c = (tensors[name][0, 0, path, visits] for name in "bc")
        sequences = (tensor[None, None] for tensor in (u, steps))
        a, d = tensors["a"][path, None], tensors["d"][path, None]
        expected[visits] += reference_scan(*sequences, a, b[None, None], c[None, None], d)[0, 0]
    torch.testing.assert_close(directional_scan(**tensors, order=order)[0, 0], expected)


def test_a_scan_in_inference_mode_does_not_spoil_training_after_it():
    tensors = scan_tensors(1, 2, 9, 16, 2)
    with torch.inference_mode():
        selective_scan(*tensors)
    selective_scan(*tensors).sum().backward()
    assert all(tensor.grad is not None for tensor in tensors)
