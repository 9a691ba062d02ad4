"""No output of any command touches a file that the command reads, whatever name it goes by."""

import hashlib
from pathlib import Path

import pytest

from odd_pairs import BANDS, LR, MSI, TOLD, write_hr, write_lr
from pifnet_cli.degrade.record import RECORD_NAME
from pifnet_cli.networks.checkpoint import Checkpoint, Header, save_checkpoint
from scenes import write_scene

WAVELENGTHS = [450.0 + 50 * band for band in range(BANDS)]
PAM = "<PAMDataset></PAMDataset>"
FILES = {
    "fuse": ("--output", "--uncertainty", "--report"),
    "metrics": ("--csv", "--bands-csv", "--quicklook", "--sam-map", "--error-map", "--report"),
    "estimate": ("--srf-csv",),
}
FOLDERS = {
    "simulate": ("lr_hsi.tif", "hr_msi.img", "reference.hdr", "reference.img.aux.xml", RECORD_NAME),
    "train": ("checkpoint.json", "weights.safetensors", "last.safetensors", "state.safetensors", "history.jsonl"),
}
WAYS = ("name", "other spelling", "symbolic link", "hard link")


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with all that commands read, and nothing else."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_lr(folder, name="lr.img", wavelengths=WAVELENGTHS)
    write_hr(folder, name="hr.tif")
    write_scene(folder / "fused.tif", LR, wavelengths=WAVELENGTHS)
    write_scene(folder / "reference.hdr", LR, wavelengths=WAVELENGTHS)
    write_scene(folder / "held.tif", LR, wavelengths=WAVELENGTHS)
    for name in ("lr.img", "hr.tif", "fused.tif", "reference.img", "held.tif"):
        (folder / f"{name}.aux.xml").write_text(PAM)
    write_scene(folder / "hr.tif.ovr.tif", LR).rename(folder / "hr.tif.ovr")
    (folder / "lr.sta").write_text("statistics")
    rows = "".join(f"{band},{nm},1\n" for band in "ab" for nm in (450, 600))
    (folder / "srf.csv").write_text(f"band,wavelength_nm,response\n{rows}")
    header = Header("pifnet", "anchored", {}, {"count": BANDS, "wavelengths_nm": None, "fwhm_nm": None},
                    {"count": MSI, "wavelengths_nm": None, "fwhm_nm": None}, 4.0, {}, 1.0)  # fmt: skip
    save_checkpoint(folder / "model", Checkpoint(header, {}))
    return folder


def command(name: str, folder: Path) -> list[object]:
    """All of a command but its outputs."""
    lr, hr, model = folder / "lr.hdr", folder / "hr.tif", folder / "model"
    train = ("train", folder / "reference.img", "--validation", folder / "held.tif", "--srf", folder / "srf.csv")
    return {
        "fuse": ["fuse", lr, hr, *TOLD, "--checkpoint", model],
        "metrics": ["metrics", folder / "fused.tif", folder / "reference.hdr", "--lr", lr, "--hr", hr, "--wald",
                    "--checkpoint", model],
        "estimate": ["estimate", lr, hr],
        "simulate": ["simulate", folder / "reference.hdr", "--srf", folder / "srf.csv"],
        "train": [*train, "--steps", "1"],
    }[name]  # fmt: skip


def contents(folder: Path) -> dict[Path, str]:
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


def named(way: str, target: Path, elsewhere: Path) -> Path:
    """Another name of the file `target`, `elsewhere` where it is a link."""
    if way == "name":
        return target
    if way == "other spelling":
        return target.parent / ".." / target.parent.name / "." / target.name
    elsewhere.unlink(missing_ok=True)
    elsewhere.parent.mkdir(exist_ok=True)
    if way == "symbolic link":
        elsewhere.symlink_to(target)
    else:
        elsewhere.hardlink_to(target)
    return elsewhere


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "option"), [(name, option) for name, options in FILES.items() for option in options])
def test_a_file_written_is_never_a_file_read(pifnet, inputs, tmp_path, name, option, way):
    before = contents(inputs)
    read = [path for path in before if name in ("fuse", "metrics") or path.name.startswith(("lr", "hr"))]
    if name == "fuse":
        read = [path for path in read if path.stem.split(".")[0] in ("lr", "hr") or path.parent.name == "model"]
    words = command(name, inputs)
    if option == "--uncertainty":
        words = [word for word in words if word not in ("--checkpoint", inputs / "model")]
        words += ["--method", "kriging"]
        read = [path for path in read if path.parent.name != "model"]
    if name == "fuse" and option != "--output":
        words += ["--output", tmp_path / "new.tif"]
    for target in (path for path in read if path.name != "srf.csv" and not path.name.startswith("held")):
        run = pifnet(*words, option, named(way, target, tmp_path / "other" / "link.tif"), "--overwrite")
        assert run.code in (1, 2), (target, run)
        assert run.err.count("\n") == 1, run.err
        assert contents(inputs) == before, target


@pytest.mark.parametrize("way", WAYS[2:])
@pytest.mark.parametrize(("name", "written"), [(name, file) for name, files in FOLDERS.items() for file in files])
def test_a_file_of_a_folder_written_is_never_a_file_read(pifnet, inputs, tmp_path, name, written, way):
    before = contents(inputs)
    read = ["reference.img", "reference.hdr", "reference.img.aux.xml", "srf.csv"]
    for target in [*read, *(["held.tif", "held.tif.aux.xml"] if name == "train" else [])]:
        named(way, inputs / target, tmp_path / "out" / written)
        run = pifnet(*command(name, inputs), "-o", tmp_path / "out", "--overwrite")
        assert (run.code, run.err.count("\n")) == (1, 1), (target, run)
        assert f"{written}: is also an input" in run.err
        assert contents(inputs) == before, target


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_written_is_never_a_file_read(pifnet, inputs, name):
    before = contents(inputs)
    for target in before:
        run = pifnet(*command(name, inputs), "-o", target, "--overwrite")
        assert run.code in (1, 2), (target, run)
        assert contents(inputs) == before, target


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        (name, first, second)
        for name, options in FILES.items()
        for place, first in enumerate(options)
        for second in options[place + 1 :]
    ],
)
def test_two_outputs_of_one_name_are_refused(pifnet, inputs, tmp_path, name, first, second):
    words = [word for word in command(name, inputs) if word not in ("--checkpoint", "--wald", inputs / "model")]
    words += ["--method", "kriging"] if name == "fuse" else []
    if name == "fuse" and first != "--output":
        words += ["--output", tmp_path / "new.tif"]
    (tmp_path / "sub").mkdir()
    spelt = tmp_path / "sub" / ".." / "one.tif"
    run = pifnet(*words, first, tmp_path / "one.tif", second, spelt, "--overwrite")
    assert (run.code, run.err.count("\n")) == (1, 1), run
    assert "one.tif" in run.err
    assert not (tmp_path / "one.tif").exists()
