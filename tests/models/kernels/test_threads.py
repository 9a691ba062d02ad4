import subprocess
import sys

import pytest
import torch

from pifnet_models.kernels.threads import run_in_threads

FORKED = """
import os, torch
from pifnet_models.kernels.selective_scan.dispatch import selective_scan

torch.set_num_threads(2)
torch.manual_seed(0)
u, delta, b, c = torch.rand(4, 2, 8, 40, 16)
a, d = -torch.rand(8, 16, 16), torch.rand(8, 16)
u.requires_grad_()

def scan():
    y = selective_scan(u, delta, a, b, c, d)
    return torch.cat((y.flatten(), torch.autograd.grad(y.sum(), u)[0].flatten())).detach()

expected = scan()
child = os.fork()
if child == 0:
    torch.set_num_threads(2)
    os._exit(0 if torch.equal(scan(), expected) else 1)
assert torch.equal(scan(), expected)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.fixture(params=[1, 2, 5], ids="{} threads".format)
def _threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("units", [0, 1, 3, 100])
def test_every_unit_is_done_exactly_once(units):
    done = []
    run_in_threads(lambda first, last: done.extend(range(first, last)), units=units)
    assert sorted(done) == list(range(units))


@pytest.mark.usefixtures("_threads")
def test_a_failure_in_a_thread_reaches_the_caller():
    def fail(first, last):
        if first <= 7 < last:
            raise ArithmeticError("unit 7")

    with pytest.raises(ArithmeticError, match="unit 7"):
        run_in_threads(fail, units=40)


@pytest.mark.usefixtures("_threads")
def test_no_unit_is_begun_after_the_caller_has_been_told_of_a_failure():
    done = []

    def fail_once(first, _):
        done.append(first)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_in_threads(fail_once, units=1000)
    begun = len(done)
    run_in_threads(lambda _first, _last: None, units=1000)  # the threads are free again
    assert len(done) == begun


def test_a_forked_child_can_scan_after_its_parent_has():
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, timeout=120, check=False
    )
    assert (answer.returncode, answer.stderr) == (0, "")
