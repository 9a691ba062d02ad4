import numpy as np
import pytest

from pifnet_cli.errors import CheckpointError, SettingsError
from pifnet_cli.fusion import choose_method as selection
from pifnet_cli.fusion.choose_method import choose_method
from pifnet_cli.methods import Method
from pifnet_cli.networks.checkpoint import Checkpoint, Header, bands_record, save_checkpoint
from pifnet_cli.scene import Bands, WavelengthUnit

HSI = Bands(3, wavelengths=(450.0, 550.0, 650.0), unit=WavelengthUnit.NANOMETERS)
MSI = Bands(2, wavelengths=(500.0, 600.0), unit=WavelengthUnit.NANOMETERS)


def _saved(path, gain, ratio=4.0, anchor="regression"):
    bands = bands_record(HSI), bands_record(MSI)
    header = Header("pifnet", "anchored", {}, *bands, ratio, None, 1.0, {"gain_db": gain}, anchor)
    save_checkpoint(path, Checkpoint(header, {"weight": np.zeros(2, dtype=np.float32)}))
    return path


def _choice(method=None, checkpoint=None, *, hsi=HSI, ratio=4.0, known=False):
    return choose_method(method, checkpoint, lr_bands=hsi, hr_bands=MSI, ratio=ratio, is_sensor_known=known)


@pytest.fixture
def bundled(tmp_path, monkeypatch):
    monkeypatch.setattr(selection, "BUNDLED", tmp_path)
    return tmp_path


def test_a_bundled_checkpoint_that_fits_and_helps_is_taken(bundled):
    _saved(bundled / "good.safetensors", 0.5)
    choice = _choice()
    assert choice.method is Method.PIFNET
    assert choice.checkpoint == bundled / "good.safetensors"
    assert "+0.50 dB" in choice.reason


@pytest.mark.parametrize("gain", [-0.1, 0.0, None])
def test_a_bundled_checkpoint_that_does_not_help_is_left(bundled, gain):
    _saved(bundled / "useless.safetensors", gain)
    assert _choice().method is Method.REGRESSION


def test_other_bands_or_another_ratio_are_left_to_regression(bundled):
    _saved(bundled / "good.safetensors", 0.5)
    others = Bands(3, wavelengths=(460.0, 560.0, 660.0), unit=WavelengthUnit.NANOMETERS)
    assert _choice(hsi=others).method is Method.REGRESSION
    assert _choice(ratio=3.0).method is Method.REGRESSION
    assert "no checkpoint fits" in _choice(ratio=3.0).reason


def test_what_was_asked_for_is_done(bundled, tmp_path):
    _saved(bundled / "good.safetensors", 0.5)
    worse = _saved(tmp_path / "mine", -0.3)
    assert _choice(Method.REGRESSION).method is Method.REGRESSION
    assert _choice(checkpoint=worse).checkpoint == worse
    assert "-0.30 dB" in _choice(checkpoint=worse).reason


def test_a_given_checkpoint_must_fit(tmp_path):
    with pytest.raises(CheckpointError, match=r"ratio 4.* 3"):
        _choice(checkpoint=_saved(tmp_path / "mine", 0.5), ratio=3.0)


def test_a_checkpoint_without_use_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="uses no checkpoint"):
        _choice(Method.REGRESSION, _saved(tmp_path / "mine", 0.5))


def test_a_bundled_correction_of_regression_is_left_where_kriging_is_to_be_had(bundled):
    _saved(bundled / "good.safetensors", 0.5)
    assert _choice(known=True).method is Method.KRIGING
    assert _choice(known=False).method is Method.PIFNET


def test_a_bundled_correction_of_kriging_is_taken_where_the_blur_is_known(bundled):
    _saved(bundled / "good.safetensors", 0.2, anchor="kriging")
    assert _choice(known=True).method is Method.PIFNET


def test_a_network_asked_for_is_taken_over_kriging(bundled):
    _saved(bundled / "good.safetensors", 0.5)
    assert _choice(Method.PIFNET, known=True).checkpoint == bundled / "good.safetensors"


@pytest.mark.usefixtures("bundled")
def test_kriging_is_for_pairs_whose_blur_is_known():
    assert _choice(known=True).method is Method.KRIGING
    assert _choice(known=False).method is Method.REGRESSION
    assert "--mtf" in _choice(known=False).reason


@pytest.mark.usefixtures("bundled")
def test_a_network_asked_for_by_name_needs_a_checkpoint():
    with pytest.raises(SettingsError, match=r"--method psrt: needs --checkpoint; .*pifnet train --method psrt"):
        _choice(Method.PSRT)


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"--method psrt: .*mine holds pifnet"):
        _choice(Method.PSRT, _saved(tmp_path / "mine", 0.5))


def test_the_anchor_that_a_gain_is_over_is_named(tmp_path):
    header = Header(
        "pifnet", "anchored", {}, bands_record(HSI), bands_record(MSI), 4.0, None, 1.0, {"gain_db": 0.2}, "kriging"
    )
    save_checkpoint(tmp_path / "mine", Checkpoint(header, {"weight": np.zeros(2, dtype=np.float32)}))
    assert "+0.20 dB over kriging" in _choice(checkpoint=tmp_path / "mine").reason
