"""Whose word on the blur counts."""

import logging

import pytest

from pifnet_cli.choices import Align, Protocol
from pifnet_cli.degrade.psf import gaussian_from_mtf, paper_psf
from pifnet_cli.fusion.pair_operator import BlurSource, find_operator
from pifnet_cli.fusion.plan import plan_fusion
from pifnet_cli.networks.checkpoint import Header
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.settings import FuseSettings
from waves import write_pair

GAUSSIAN = gaussian_from_mtf(0.2, ratio_rows=4, ratio_columns=4)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    lr, hr, _ = write_pair(tmp_path_factory.mktemp("pair"), hr_size=(60, 84))
    with open_scene(lr) as low, open_scene(hr) as high:
        yield low, high


def _header(protocol):
    sensor = {"protocol": protocol, "mtf_at_nyquist": 0.3}
    bands = {"count": 7}
    return Header(method="pifnet", variant="anchored", hyper_parameters={}, hsi_bands=bands, msi_bands={"count": 3},
                  ratio=4, sensor=sensor, scale=1)  # fmt: skip


@pytest.mark.parametrize("trained", [None, "paper", "mtf"])
def test_an_mtf_that_the_user_names_is_that_of_a_gaussian_whatever_a_checkpoint_says(pair, trained):
    settings = FuseSettings(mtf_at_nyquist=0.2, align=Align.NONE)
    header = None if trained is None else _header(trained)
    operator = find_operator(*pair, settings, header=header)
    assert operator.psf.taps is None
    assert operator.psf.sigma == pytest.approx(GAUSSIAN.sigma)
    assert operator.source is BlurSource.GIVEN


def test_a_protocol_that_the_user_names_counts_whatever_a_checkpoint_says(pair):
    settings = FuseSettings(protocol=Protocol.PAPER, align=Align.NONE)
    operator = find_operator(*pair, settings, header=_header("mtf"))
    assert (operator.psf, operator.source) == (paper_psf(), BlurSource.GIVEN)


def test_without_a_word_of_the_user_s_the_checkpoint_s_counts(pair):
    operator = find_operator(*pair, FuseSettings(align=Align.NONE), header=_header("paper"))
    assert (operator.psf, operator.source) == (paper_psf(), BlurSource.TRAINED)


def test_the_log_says_who_told_the_blur(pair, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="pifnet_cli")
    plan = plan_fusion(*pair, tmp_path / "fused.tif", FuseSettings(mtf_at_nyquist=0.2))
    assert plan.operator.source is BlurSource.GIVEN
    assert "blur, MTF 0.200, 0.200 at LR Nyquist: as the options say" in caplog.messages
    assert not any("found" in message and "MTF" in message for message in caplog.messages)
