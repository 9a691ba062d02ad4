import json
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from pifnet_cli.errors import CheckpointError
from pifnet_cli.networks.checkpoint import (
    Checkpoint,
    Header,
    TrainingState,
    bands_record,
    is_checkpoint,
    load_checkpoint,
    load_state,
    read_header,
    require_fits,
    save_checkpoint,
    save_state,
)
from pifnet_cli.scene import Bands, WavelengthUnit

HSI = Bands(count=3, wavelengths=(0.45, 0.55, 0.8), fwhm=(0.01, 0.01, 0.01), unit=WavelengthUnit.MICROMETERS)
MSI = Bands(count=2, wavelengths=(500.0, 800.0), fwhm=(60.0, 100.0), unit=WavelengthUnit.NANOMETERS)


def checkpoint():
    rng = np.random.default_rng(0)
    header = Header(
        method="pifnet",
        variant="anchored",
        hyper_parameters={"width": 8, "pooling_window": None},
        hsi_bands=bands_record(HSI),
        msi_bands=bands_record(MSI),
        ratio=4.0,
        sensor={"protocol": "mtf", "mtf_at_nyquist": 0.3},
        scale=0.2,
        training={"gain_db": 0.7},
    )
    weights = {"a.weight": rng.standard_normal((4, 3)).astype(np.float32), "a.count": np.array(7)}
    return Checkpoint(header, weights, {"directions": rng.standard_normal((3, 2)).astype(np.float32)})


@pytest.fixture(params=["model", "model.safetensors"])
def saved(request, tmp_path):
    path = tmp_path / request.param
    save_checkpoint(path, checkpoint())
    return path


def weights_file(path):
    return path / "weights.safetensors" if path.is_dir() else path


def test_what_was_saved_comes_back(saved):
    loaded, original = load_checkpoint(saved), checkpoint()

    assert loaded.header == original.header
    for mine, theirs in ((loaded.weights, original.weights), (loaded.constants, original.constants)):
        assert mine.keys() == theirs.keys()
        assert all(np.array_equal(mine[name], theirs[name]) and mine[name].dtype == theirs[name].dtype for name in mine)
        assert all(mine[name].shape == theirs[name].shape for name in mine)


def test_header_says_what_the_checkpoint_holds(saved):
    header = read_header(saved)

    assert header.hsi_bands["wavelengths_nm"] == pytest.approx([450, 550, 800])
    assert header.training["gain_db"] == 0.7


def test_folder_and_file_are_known_as_checkpoints(saved, tmp_path):
    assert is_checkpoint(saved)
    assert not is_checkpoint(tmp_path / "else")


def test_header_is_read_without_torch(saved):
    code = (
        "import sys, pathlib; from pifnet_cli.networks.checkpoint import read_header; "
        "read_header(pathlib.Path(sys.argv[1])); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(saved)], check=False).returncode == 0


def test_no_partial_file_is_left(saved):
    assert not [path for path in saved.parent.rglob("*") if "partial" in path.name]


def test_readable_copy_of_the_header_is_json(tmp_path):
    save_checkpoint(tmp_path / "model", checkpoint())

    assert json.loads((tmp_path / "model" / "checkpoint.json").read_text())["ratio"] == 4.0


@pytest.mark.parametrize("position", np.linspace(0, 1, 48, endpoint=False))
def test_a_flipped_bit_is_refused(tmp_path, position):
    save_checkpoint(tmp_path / "model", checkpoint())
    file = tmp_path / "model" / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[int(position * len(content))] ^= 1 << int(position * 1000) % 8
    file.write_bytes(content)

    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / "model")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("stored", "claimed"), [("F16", "BF16"), ("U8", "F8_E4M3"), ("U8", "F4")])
def test_numbers_that_numpy_lacks_are_refused(tmp_path, stored, claimed):
    array = np.ones(4, dtype={"F16": np.float16, "U8": np.uint8}[stored])
    path = tmp_path / "odd.safetensors"
    save_checkpoint(path, replace(checkpoint(), weights={"odd": array}))
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    table = content[8 : 8 + length].replace(f'"{stored}"'.encode(), f'"{claimed}"'.encode())
    path.write_bytes(len(table).to_bytes(8, "little") + table + content[8 + length :])

    with pytest.raises(CheckpointError, match="is damaged"):
        load_checkpoint(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.99])
def test_a_truncated_file_is_refused(saved, share):
    file = weights_file(saved)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])

    with pytest.raises(CheckpointError, match="damaged or no checkpoint"):
        load_checkpoint(saved)


@pytest.mark.parametrize("content", [b"garbage" * 100, pickle.dumps({"weight": [1.0] * 100})])
def test_anything_but_safetensors_is_refused(saved, content):
    weights_file(saved).write_bytes(content)

    with pytest.raises(CheckpointError, match="damaged or no checkpoint"):
        read_header(saved)


def test_safetensors_of_another_program_are_refused(tmp_path):
    safetensors.numpy.save_file({"weight": np.zeros(3)}, tmp_path / "other.safetensors")

    with pytest.raises(CheckpointError, match="not one of pifnet"):
        load_checkpoint(tmp_path / "other.safetensors")


def test_a_newer_version_is_refused(tmp_path):
    header = {"pifnet": json.dumps({"format": "pifnet checkpoint", "version": 2})}
    safetensors.numpy.save_file({"weight": np.zeros(3)}, tmp_path / "new.safetensors", metadata=header)

    with pytest.raises(CheckpointError, match="version 2, this pifnet reads version 1"):
        read_header(tmp_path / "new.safetensors")


def test_a_training_state_is_no_checkpoint(tmp_path):
    save_state(tmp_path, TrainingState({"step": 3}, {"weight": np.zeros(3)}))

    with pytest.raises(CheckpointError, match="'pifnet training state', but 'pifnet checkpoint' was expected"):
        load_checkpoint(tmp_path / "state.safetensors")


def test_an_edited_copy_of_the_header_is_refused(tmp_path):
    save_checkpoint(tmp_path / "model", checkpoint())
    copy = tmp_path / "model" / "checkpoint.json"
    copy.write_text(copy.read_text().replace('"ratio": 4.0', '"ratio": 2.0'))

    with pytest.raises(CheckpointError, match=r"does not belong to weights\.safetensors"):
        read_header(tmp_path / "model")


def test_weights_alone_are_a_whole_checkpoint(tmp_path):
    save_checkpoint(tmp_path / "model", checkpoint())
    (tmp_path / "model" / "checkpoint.json").write_text("{")

    assert load_checkpoint(tmp_path / "model" / "weights.safetensors").header == checkpoint().header
    with pytest.raises(CheckpointError, match=r"checkpoint.json: is damaged"):
        load_checkpoint(tmp_path / "model")


def test_absent_paths_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="none: does not exist"):
        load_checkpoint(tmp_path / "none")
    with pytest.raises(CheckpointError, match=r"empty: holds no weights.safetensors"):
        load_checkpoint(tmp_path / "empty")


def test_an_impossible_place_is_refused(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(CheckpointError, match="cannot be written"):
        save_checkpoint(tmp_path / "file" / "model", checkpoint())


def test_saving_again_replaces(tmp_path):
    save_checkpoint(tmp_path / "model", checkpoint())
    other = checkpoint()
    other.weights["a.weight"][:] = 5
    save_checkpoint(tmp_path / "model", other)

    assert (load_checkpoint(tmp_path / "model").weights["a.weight"] == 5).all()


def test_training_state_comes_back(tmp_path):
    save_state(tmp_path, TrainingState({"position": {"step": 3}}, {"moments.0.step": np.array(3.0)}))
    state = load_state(tmp_path)

    assert state.record == {"position": {"step": 3}}
    assert state.arrays["moments.0.step"].shape == ()


def test_absent_training_state_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds no state.safetensors to resume from"):
        load_state(tmp_path)


def fit(header=None, **changes):
    pair = {"hsi_bands": HSI, "msi_bands": MSI, "ratio": 4.0} | changes
    trained = {"hsi_bands": bands_record(HSI), "msi_bands": bands_record(MSI), "ratio": 4.0} | (header or {})
    require_fits(replace(checkpoint().header, **trained), name="model", **pair)


def test_the_pair_it_was_trained_for_fits():
    fit()


def test_bands_without_wavelengths_fit_by_number():
    fit(hsi_bands=Bands(count=3))


def test_a_band_that_lacks_its_wavelength_is_refused_by_name():
    with pytest.raises(CheckpointError, match="an LR-HSI of known wavelengths, the scene has none for band 2"):
        fit(hsi_bands=Bands(count=3, without_wavelength=(1,)))


def test_rounded_wavelengths_and_ratios_fit():
    rounded = Bands(count=3, wavelengths=(454, 546, 800), unit=WavelengthUnit.NANOMETERS)
    fit(hsi_bands=rounded, ratio=4.15)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hsi_bands": Bands(count=4)}, "trained on an LR-HSI of 3 bands, the scene has 4"),
        ({"msi_bands": Bands(count=1)}, "trained on an HR-MSI of 2 bands, the scene has 1"),
        ({"ratio": 3.0}, "trained at ratio 4, the pair has 3"),
        (
            {"hsi_bands": Bands(count=3, wavelengths=(450, 556, 800), unit=WavelengthUnit.NANOMETERS)},
            r"its band 2 is at 550.0 nm, the scene's at 556.0 nm",
        ),
        (
            {"msi_bands": Bands(count=2, wavelengths=(500, 900), unit=WavelengthUnit.NANOMETERS)},
            r"HR-MSI of other wavelengths: its band 2 is at 800.0 nm, the scene's at 900.0 nm",
        ),
    ],
)
def test_another_pair_is_refused_naming_both(changes, message):
    with pytest.raises(CheckpointError, match=message):
        fit(**changes)
