"""What is installed, and how it gets along with the folder that it is run in."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "sample_data"
PROGRAM = Path(sys.executable).with_name("pifnet")
SHADOWS = ("models/__init__.py", "numpy.py", "torch/__init__.py", "rasterio.py", "scene.py", "pifnet_models.py")


@pytest.fixture
def crowded(tmp_path):
    """A folder whose own modules have the names of ours and of what we need; each ends the program that imports it."""
    for name in SHADOWS:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("raise SystemExit('a module of the current folder was imported')\n")
    return tmp_path


def _run(words, folder):
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("start", [[PROGRAM], [sys.executable, "-m", "pifnet_cli"]], ids=["pifnet", "python -m"])
def test_pifnet_fuses_in_a_folder_that_shadows_its_packages(start, crowded):
    if not PROGRAM.exists():
        pytest.skip("pifnet is not installed beside this Python")
    words = ["fuse", SAMPLE / "lr.hdr", SAMPLE / "hr.tif", "-o", "fused.tif", "--method", "regression", "-q"]
    answer = _run([*start, *words], crowded)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert (crowded / "fused.tif").is_file()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns(
        ".git", ".venv", "build", "*.egg-info", "__pycache__", "tests", "benchmarks", "demo"
    )
    shutil.copytree(ROOT, source, ignore=ignored)
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    answer = _run([*words, "--wheel-dir", folder, source], folder)
    if "setuptools" in answer.stderr and "No module" in answer.stderr:
        pytest.skip("setuptools is not installed beside this Python")
    assert answer.returncode == 0, answer.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_a_wheel_holds_our_two_packages_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"pifnet_cli", "pifnet_models", "pifnet"}
    for needed in (
        "pifnet_cli/py.typed",
        "pifnet_models/py.typed",
        "pifnet_cli/pages/page.html",
        "pifnet_cli/bundled/enmap-like_sentinel-2_x3.safetensors",
        "pifnet_models/kriging/kriging.py",
        "pifnet_models/kernels/selective_scan/triton_scan.py",
    ):
        assert needed in names


def test_a_wheel_installed_alone_fuses_the_sample(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'installed')!r})\n"
        "import pifnet_cli as pifnet, pifnet_models\n"
        f"pair = {str(SAMPLE / 'lr.hdr')!r}, {str(SAMPLE / 'hr.tif')!r}\n"
        "print(pifnet.__file__, pifnet_models.__file__, pifnet.fuse(*pair, 'fused.tif').method, sep='\\n')"
    )
    answer = _run([sys.executable, "-c", program], tmp_path)
    assert answer.returncode == 0, answer.stderr
    ours, models, method = answer.stdout.splitlines()
    assert ours.startswith(str(tmp_path))
    assert models.startswith(str(tmp_path))
    assert method == "kriging"
