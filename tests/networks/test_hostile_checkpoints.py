"""Checkpoints that somebody spoiled on purpose; their SHA-256 digests are right."""

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hostile
from pifnet_cli.choices import Device, Precision
from pifnet_cli.errors import CheckpointError, PifnetError, SettingsError
from pifnet_cli.fusion.network import load_engine
from pifnet_cli.networks.build import build_network
from pifnet_cli.networks.checkpoint import load_checkpoint, read_header
from pifnet_models.kriging.regression import RegressionSums

HARMLESS = {  # what a header may leave open or say otherwise
    "sensor=None", "sensor={}", "sensor.protocol=None", "sensor.mtf_at_nyquist=None", "scale=1000000000",
    "training={}", "training.gain_db=None", "training.gain_db=-1", "training.gain_db=0", "anchor='kriging'",
    "hsi_bands.names=None", "hsi_bands.wavelengths_nm=None", "hsi_bands.fwhm_nm=None",
    "msi_bands.wavelengths_nm=None", "hyper_parameters.pooling_window=None", "hyper_parameters.prior_strength=1.5",
    "no anchor", "no phase",
}  # fmt: skip


QUICK = settings(
    max_examples=60, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What became of every spoiled checkpoint, in a process with little memory."""
    words = [sys.executable, hostile.__file__, str(tmp_path_factory.mktemp("hostile"))]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    run = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | threads)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


@pytest.mark.parametrize(("kind", "number"), [("spoiled_headers", 400), ("spoiled_tensors", 100)])
def test_every_spoiled_checkpoint_is_fused_with_or_refused_in_one_line(told, kind, number):
    assert len(told[kind]) > number
    others = {what: end for what, end, _ in told[kind] if end != "fused" and not end.startswith("refused: /")}
    assert others == {}


def test_only_harmless_changes_of_the_header_are_fused_with(told):
    assert {what for what, end, _ in told["spoiled_headers"] if end == "fused"} == HARMLESS


def test_only_other_numbers_of_the_same_type_and_shape_are_fused_with(told):
    fused = [what for what, end, _ in told["spoiled_tensors"] if end == "fused"]
    assert all(what.startswith("network.") and what.endswith((": negative", ": denormal")) for what in fused)


def test_no_spoiled_checkpoint_takes_long_or_much_memory(told):
    assert max(seconds for kind in ("spoiled_headers", "spoiled_tensors") for _, _, seconds in told[kind]) < 2
    assert told["mebibytes"] < 500


def _header_refusal(tmp_path, field, value):
    header, arrays = hostile.sound_checkpoint()
    path = hostile.write_checkpoint(tmp_path / "model.safetensors", hostile.changed(header, field, value), arrays)
    with pytest.raises(CheckpointError) as caught:
        read_header(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("method", "kriging", "method is 'kriging'; a network was expected"),
        ("method", "psrt", "variant is 'anchored'; paper, the only one of psrt, was expected"),
        ("variant", "other", "variant is 'other'; one of anchored, paper was expected"),
        ("anchor", 3, "anchor is 3; one of none, regression, kriging was expected"),
        ("phase", None, "phase is None; one of true, naive was expected"),
        ("ratio", 0, "ratio is 0; a number from 0.95 to 1000 was expected"),
        ("sensor.protocol", "x", "protocol is 'x'; one of paper, mtf was expected"),
        ("sensor.mtf_at_nyquist", 7, "mtf_at_nyquist is 7; a number from 1e-06 to 1 was expected"),
        ("training.gain_db", "much", "gain_db is 'much'; a number from -1000 to 1000 was expected"),
        ("hsi_bands.count", 8, "wavelengths_nm is .*; null or a list of 8, a value for each band, was expected"),
        ("hsi_bands.wavelengths_nm", [0.0] * 7, "wavelengths_nm is 0.0; a number from 1e-09"),
        ("hyper_parameters.blocks", 10**9, "blocks is 1000000000; a whole number from 0 to 65536"),
        ("training.seed", 10**30, "no finite number, or too large a one"),
        ("hsi_bands.names", ["\ud800"] * 7, "surrogates not allowed"),
    ],
)
def test_a_field_out_of_its_range_is_named(tmp_path, field, value, message):
    assert re.search(message, _header_refusal(tmp_path, field, value))


def _engine(path):
    rng = np.random.default_rng(1)
    sums = RegressionSums(hsi_bands=hostile.HSI, msi_bands=hostile.MSI)
    sums.add(*(rng.uniform(size=(bands, 60)).astype(np.float32) for bands in (hostile.HSI, hostile.MSI)))
    return load_engine(path, sums.solve(), device=Device.CPU, precision=Precision.FLOAT32)


@pytest.mark.parametrize("field", ["blocks", "width", "d_state", "lora_rank", "expand"])
def test_a_network_larger_than_its_weights_is_not_built(tmp_path, field):
    header, arrays = hostile.sound_checkpoint()
    spoiled = hostile.changed(header, f"hyper_parameters.{field}", 65536)
    path = hostile.write_checkpoint(tmp_path / "model.safetensors", spoiled, arrays)
    with pytest.raises(CheckpointError, match="larger network than its weights are for"):
        _engine(path)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("network.tail.0.bias", np.full(8, np.nan, np.float32), "network.tail.0.bias holds NaN or infinite numbers"),
        ("network.tail.0.bias", np.zeros(8), "its weights do not fit"),
        ("constant.band_scale", np.full(7, np.inf, np.float32), "constant.band_scale holds NaN or infinite numbers"),
        ("constant.band_scale", np.zeros(7, np.float32), "scales and deviations from 1e-09"),
        ("constant.component_std", np.full(2, 1e300), "scales and deviations from 1e-09"),
        ("constant.directions", np.zeros((7, 2), np.float32), "orthonormal directions were expected"),
        ("constant.step", np.asarray(0), "a step of 1 pixel or more was expected"),
        ("constant.step", np.asarray(10**6), "step 1000000, not 7 and 4"),
    ],
)
def test_arrays_that_make_no_network_or_basis_are_named(tmp_path, name, array, message):
    header, arrays = hostile.sound_checkpoint()
    path = hostile.write_checkpoint(tmp_path / "model.safetensors", header, arrays | {name: array})
    with pytest.raises(CheckpointError, match=message):
        _engine(path)


def test_a_network_of_other_channels_than_its_header_s_bands_is_refused(tmp_path):
    header, arrays = hostile.sound_checkpoint()
    two_bands = {"count": 2, "names": None, "wavelengths_nm": None, "fwhm_nm": None}
    path = hostile.write_checkpoint(tmp_path / "model.safetensors", header | {"msi_bands": two_bands}, arrays)
    with pytest.raises(CheckpointError, match="msi_channels is 10, not 8"):
        _engine(path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100 + "1" + "}" * 100])
def test_a_header_nested_without_end_is_refused(tmp_path, text):
    path = hostile.write_text(tmp_path / "model.safetensors", text, {"network.a": np.zeros(2)})
    with pytest.raises(CheckpointError, match="is no JSON: it is nested"):
        read_header(path)


def test_a_readable_copy_of_the_header_nested_without_end_is_refused(tmp_path):
    hostile.write_checkpoint(tmp_path / "weights.safetensors", *hostile.sound_checkpoint())
    (tmp_path / "checkpoint.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match=r"checkpoint.json: is damaged \(it is nested"):
        load_checkpoint(tmp_path)


def test_a_pipe_for_a_checkpoint_is_refused(tmp_path):
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="is no regular file"):
        read_header(Path(tmp_path / "model.safetensors"))


@pytest.mark.parametrize("name", ["segments", "lora_heads", "lora_rank", "blocks", "width", "hsi_channels"])
def test_a_size_of_zero_makes_no_network(name):
    with pytest.raises(SettingsError, match=f"{name} is 0; a whole number from 1 up was expected"):
        build_network("pifnet", hostile.NUMBERS | {name: 0})


def test_a_margin_of_zero_does():
    numbers = {"hsi_channels": 3, "msi_channels": 2, "ratio": 2, "width": 16, "attention_margin": 0}
    assert build_network("u2net", numbers).margin == 0


@QUICK
@given(field=st.sampled_from([*hostile.FIELDS, "format", "version", "software", "training.seed"]), value=JSON)
def test_any_value_of_a_field_is_read_or_refused(tmp_path, field, value):
    header, _ = hostile.sound_checkpoint()
    spoiled = hostile.changed(header, field, value)
    path = hostile.write_checkpoint(tmp_path / "model.safetensors", spoiled, {"network.a": np.zeros(2)})
    with suppress(PifnetError):
        load_checkpoint(path)


@QUICK
@given(place=st.floats(0, 1, exclude_max=True), gone=st.integers(0, 12), new=st.binary(max_size=12))
def test_any_bytes_for_a_checkpoint_are_read_or_refused(tmp_path, place, gone, new):
    header, _ = hostile.sound_checkpoint()
    path = hostile.write_checkpoint(tmp_path / "model.safetensors", header, {"network.a": np.zeros(2)})
    content = path.read_bytes()
    start = int(place * len(content))
    path.write_bytes(content[:start] + new + content[start + gone :])
    with suppress(PifnetError):
        load_checkpoint(path)
