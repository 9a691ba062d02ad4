import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "scipy", "rasterio", "spectral", "matplotlib", "jinja2", "numba")
COMMANDS = ("simulate", "train", "fuse", "metrics", "info", "methods", "estimate")

REPORT = """
import sys
from pifnet_cli.app import app
try:
    app({arguments!r}, standalone_mode=True)
except SystemExit as end:
    print("exit", end.code)
print("loaded", [name for name in {heavy!r} if name in sys.modules])
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_help_loads_nothing_heavy(arguments):
    program = REPORT.format(arguments=arguments, heavy=HEAVY)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "loaded []" in run.stdout
    assert "exit 0" in run.stdout


def _pifnet(*words):
    return subprocess.run([sys.executable, "-m", "pifnet_cli", *words], capture_output=True, text=True, check=False)


def test_a_user_s_mistake_is_one_line_and_exit_1(tmp_path):
    run = _pifnet("info", str(tmp_path / "absent.tif"))
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert "absent.tif" in run.stderr
    assert "Traceback" not in run.stderr


def test_a_bad_option_is_exit_2():
    assert _pifnet("fuse", "a.tif", "b.tif", "-o", "c.tif", "--tile-size", "7").returncode == 2
    assert _pifnet("fuse", "--no-such-option").returncode == 2


def test_every_command_is_listed():
    listing = _pifnet("--help").stdout
    assert all(name in listing for name in COMMANDS)
