import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from models.catalog import ModelName, network_class

HSI, MSI, HEIGHT, WIDTH = 7, 3, 24, 40


def _network(name, **more):
    torch.manual_seed(0)
    network = network_class(name)(hsi_channels=HSI, msi_channels=MSI, width=16, **more)
    for parameter in network.parameters():  # what starts at zero would hide what depends on it
        torch.nn.init.normal_(parameter, std=0.1)
    return network


def _inputs(height=HEIGHT, width=WIDTH):
    return torch.rand(2, HSI, height, width), torch.rand(2, MSI, height, width)


@pytest.mark.parametrize("name", ModelName)
def test_every_network_answers_with_an_image_of_its_hsi_shape(name):
    hsi, msi = _inputs()
    fused = _network(name)(hsi, msi)
    assert fused.shape == (2, HSI, HEIGHT, WIDTH)
    assert fused.dtype == torch.float32


@pytest.mark.parametrize("name", ModelName)
def test_every_network_learns_from_both_inputs_with_all_parameters(name):
    hsi, msi = (x.requires_grad_() for x in _inputs())
    network = _network(name)
    output = network.forward_with_auxiliary(hsi, msi)
    sum(part.square().mean() for part in output).backward()
    assert hsi.grad.abs().amin(dim=(2, 3)).max() > 0
    assert msi.grad.abs().amin(dim=(2, 3)).max() > 0
    assert [key for key, parameter in network.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("name", ModelName)
def test_every_network_is_rebuilt_from_its_hyper_parameters_and_weights(name):
    network = _network(name, output_start="zero", pooling_window=9)
    rebuilt = network_class(name)(**json.loads(json.dumps(network.hyper_parameters)))
    rebuilt.load_state_dict(network.state_dict())
    inputs = _inputs()
    assert torch.equal(rebuilt(*inputs), network(*inputs))


@pytest.mark.parametrize("name", ModelName)
@pytest.mark.parametrize("side", [1, 2, 3, 5, 8, 22])
def test_the_declared_size_rule_is_true_and_sufficient(name, side):
    network = _network(name)
    inputs = _inputs(side, 6)
    if network.size_rule.accepts(side, 6):
        assert network(*inputs).shape[2:] == (side, 6)
    else:
        with pytest.raises(ValueError, match="even sides"):
            network(*inputs)


@pytest.mark.parametrize("name", ModelName)
def test_networks_answer_the_same_from_several_threads(name):
    network, inputs = _network(name).eval(), _inputs()
    with torch.inference_mode():
        expected = network(*inputs)

    def answer(_):
        with torch.inference_mode():
            return network(*inputs)

    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(answer, range(4)))
    assert all(torch.equal(found, expected) for found in answers)


def test_the_catalogue_loads_nothing_but_the_standard_library():
    program = (
        "import sys; before = set(sys.modules); import models.catalog, models.interface; "
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "['models']"
