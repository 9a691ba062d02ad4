import numpy as np
import pytest

from pifnet_cli.catalog import Method
from pifnet_cli.errors import CheckpointError, SettingsError
from pifnet_cli.fusion.choose_method import choose_method
from pifnet_cli.networks.checkpoint import Checkpoint, Header, bands_record, read_header, save_checkpoint
from pifnet_cli.scene import Bands, WavelengthUnit

HSI = Bands(3, wavelengths=(450.0, 550.0, 650.0), unit=WavelengthUnit.NANOMETERS)
MSI = Bands(2, wavelengths=(500.0, 600.0), unit=WavelengthUnit.NANOMETERS)


def _saved(path, gain, ratio=4.0, anchor="regression"):
    bands = bands_record(HSI), bands_record(MSI)
    header = Header("pifnet", "anchored", {}, *bands, ratio, None, 1.0, {"gain_db": gain}, anchor)
    save_checkpoint(path, Checkpoint(header, {"weight": np.zeros(2, dtype=np.float32)}))
    return path


@pytest.fixture
def bundled(tmp_path):
    (tmp_path / "bundled").mkdir()
    return tmp_path / "bundled"


@pytest.fixture
def choice_of(bundled):
    def choice(method=None, checkpoint=None, *, hsi=HSI, ratio=4.0, known=False):
        asked_for = None if checkpoint is None else (checkpoint, read_header(checkpoint))
        pair = {"lr_bands": hsi, "hr_bands": MSI, "ratio": ratio}
        return choose_method(method, asked_for, **pair, is_sensor_known=known, bundled=bundled)

    return choice


def test_a_bundled_checkpoint_that_fits_and_helps_is_taken(choice_of, bundled):
    _saved(bundled / "good.safetensors", 0.5)
    choice = choice_of()
    assert choice.method is Method.PIFNET
    assert choice.checkpoint == bundled / "good.safetensors"
    assert "+0.50 dB" in choice.reason


@pytest.mark.parametrize("gain", [-0.1, 0.0, None])
def test_a_bundled_checkpoint_that_does_not_help_is_left(choice_of, bundled, gain):
    _saved(bundled / "useless.safetensors", gain)
    assert choice_of().method is Method.REGRESSION


def test_other_bands_or_another_ratio_are_left_to_regression(choice_of, bundled):
    _saved(bundled / "good.safetensors", 0.5)
    others = Bands(3, wavelengths=(460.0, 560.0, 660.0), unit=WavelengthUnit.NANOMETERS)
    assert choice_of(hsi=others).method is Method.REGRESSION
    assert choice_of(ratio=3.0).method is Method.REGRESSION
    assert "no checkpoint fits" in choice_of(ratio=3.0).reason


def test_what_was_asked_for_is_done(choice_of, bundled, tmp_path):
    _saved(bundled / "good.safetensors", 0.5)
    worse = _saved(tmp_path / "mine", -0.3)
    assert choice_of(Method.REGRESSION).method is Method.REGRESSION
    assert choice_of(checkpoint=worse).checkpoint == worse
    assert "-0.30 dB" in choice_of(checkpoint=worse).reason


def test_a_given_checkpoint_must_fit(choice_of, tmp_path):
    with pytest.raises(CheckpointError, match=r"ratio 4.* 3"):
        choice_of(checkpoint=_saved(tmp_path / "mine", 0.5), ratio=3.0)


def test_a_checkpoint_without_use_is_refused(choice_of, tmp_path):
    with pytest.raises(SettingsError, match="uses no checkpoint"):
        choice_of(Method.REGRESSION, _saved(tmp_path / "mine", 0.5))


def test_a_bundled_correction_of_regression_is_left_where_kriging_is_to_be_had(choice_of, bundled):
    _saved(bundled / "good.safetensors", 0.5)
    assert choice_of(known=True).method is Method.KRIGING
    assert choice_of(known=False).method is Method.PIFNET


def test_a_bundled_correction_of_kriging_is_taken_where_the_blur_is_known(choice_of, bundled):
    _saved(bundled / "good.safetensors", 0.2, anchor="kriging")
    assert choice_of(known=True).method is Method.PIFNET


def test_a_network_asked_for_is_taken_over_kriging(choice_of, bundled):
    _saved(bundled / "good.safetensors", 0.5)
    assert choice_of(Method.PIFNET, known=True).checkpoint == bundled / "good.safetensors"


def test_kriging_is_for_pairs_whose_blur_is_known(choice_of):
    assert choice_of(known=True).method is Method.KRIGING
    assert choice_of(known=False).method is Method.REGRESSION
    assert "--mtf" in choice_of(known=False).reason


def test_a_network_asked_for_by_name_needs_a_checkpoint(choice_of):
    with pytest.raises(SettingsError, match=r"--method psrt: needs --checkpoint; .*pifnet train --method psrt"):
        choice_of(Method.PSRT)


def test_a_checkpoint_of_another_network_is_refused(choice_of, tmp_path):
    with pytest.raises(SettingsError, match=r"--method psrt: .*mine holds pifnet"):
        choice_of(Method.PSRT, _saved(tmp_path / "mine", 0.5))


def test_the_anchor_that_a_gain_is_over_is_named(choice_of, tmp_path):
    header = Header(
        "pifnet", "anchored", {}, bands_record(HSI), bands_record(MSI), 4.0, None, 1.0, {"gain_db": 0.2}, "kriging"
    )
    save_checkpoint(tmp_path / "mine", Checkpoint(header, {"weight": np.zeros(2, dtype=np.float32)}))
    assert "+0.20 dB over kriging" in choice_of(checkpoint=tmp_path / "mine").reason
