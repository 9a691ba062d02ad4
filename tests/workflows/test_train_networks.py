"""Every network through training and fusion, on a pair so small that two steps take a second."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch

from pifnet_cli.catalog import NETWORKS, Method
from pifnet_cli.choices import Anchor, Phase, Protocol, Schedule, Start, Variant
from pifnet_cli.errors import SettingsError
from pifnet_cli.metrics.with_reference import scores
from pifnet_cli.networks.checkpoint import load_checkpoint, load_state, read_header, save_state
from pifnet_cli.settings import FuseSettings, RecipeOverrides, SimulateSettings, TrainSettings
from pifnet_cli.training.history import read_history
from pifnet_cli.workflows.fuse import fuse_scene
from pifnet_cli.workflows.simulate import simulate_scene
from pifnet_cli.workflows.train import train_model
from scenes import write_scene
from small_networks import SMALL

C, H, W = 6, 60, 64
DEGRADATION = SimulateSettings(ratio=4, srf="boxes:3", protocol=Protocol.PAPER)
BLOCK_NETWORKS = [Method.HSRNET, Method.U2NET, Method.DT3NET, Method.SMGUNET]
TWO_PATCHES = {"cached_examples": 2}  # kriging takes its time
FINE_NETWORKS = [Method.FUSFORMER, Method.PSRT, Method.PIFNET]


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny networks: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _settings(method, *, recipe=None, **changes):
    variant = Variant.PAPER if method is Method.PIFNET else None
    tiny = TrainSettings(
        method=method,
        variant=variant,
        network=SMALL[method],
        degradation=DEGRADATION,
        overrides=RecipeOverrides(**({"patch_size": 16, "batch_size": 2} | (recipe or {}))),
        steps=2,
        validations=2,
    )
    return replace(tiny, **changes)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Fields of a few spectra with soft borders."""
    folder = tmp_path_factory.mktemp("scene")
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:H, :W]
    spectra = rng.uniform(0.1, 0.5, (5, C))
    shares = np.stack([np.sin(rows / rng.uniform(2, 9) + columns / rng.uniform(2, 9)) > 0.2 for _ in range(5)])
    pixels = np.einsum("sc,shw->chw", spectra, shares + 0.2).astype(np.float32)
    scene = write_scene(folder / "scene.tif", pixels, wavelengths=np.linspace(450, 900, C))
    simulate_scene(scene, folder / "pair", DEGRADATION)
    return folder / "pair"


def _fused_psnr(pair, model, output, **settings):
    fuse_scene(pair / "lr_hsi.tif", pair / "hr_msi.tif", output, FuseSettings(**settings, checkpoint=model))
    with rasterio.open(output) as fused, rasterio.open(pair / "reference.tif") as truth:
        return scores(fused.read(), truth.read(), ratio=4).psnr


def test_a_resumed_training_keeps_the_network_that_stopped_whatever_the_defaults_are_now(pair, tmp_path):
    """A training begun when PSRT's slope was 1 unless told: its state names no slope, its checkpoint does."""
    settings = _settings(Method.PSRT)
    train_model([pair], tmp_path / "model", replace(settings, network={**SMALL[Method.PSRT], "residual_slope": 1.0}))
    state = load_state(tmp_path / "model")
    state.record["fingerprint"]["network"] = SMALL[Method.PSRT]
    save_state(tmp_path / "model", state)
    train_model([pair], tmp_path / "model", replace(settings, steps=4, start=Start.RESUME))

    for file in ("", "last.safetensors"):
        header = read_header(tmp_path / "model" / file)
        assert header.hyper_parameters["residual_slope"] == 1.0
    assert header.training["step"] == 4


@pytest.mark.parametrize(
    "method", [pytest.param(name, marks=[pytest.mark.slow] * (name is Method.DT3NET)) for name in NETWORKS]
)
def test_every_network_is_trained_and_fuses_as_validation_scored(pair, tmp_path, method):
    result = train_model([pair], tmp_path / "model", _settings(method, validation=(pair,), validations=1))
    header = read_header(tmp_path / "model")

    assert (header.method, header.variant, header.anchor) == (method.value, "paper", "none")
    assert header.sensor["protocol"] == "paper"
    assert SMALL[method].items() <= header.hyper_parameters.items()
    assert header.hyper_parameters.get("ratio", 4) == 4
    assert [line["step"] for line in read_history(tmp_path / "model")] == [0, 2]
    expected = _fused_psnr(pair, tmp_path / "model", tmp_path / "out.tif")
    assert result.best.psnr_db == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("method", [Method.HSRNET, Method.U2NET, Method.PSRT])
@pytest.mark.parametrize("anchor", [Anchor.REGRESSION, Anchor.KRIGING])
def test_a_network_on_an_anchor_starts_as_the_anchor_and_fuses_as_scored(pair, tmp_path, method, anchor):
    settings = _settings(
        method, anchor=anchor, validation=(pair,), recipe={"cached_examples": 2, "learning_rate": 1e-4}
    )
    result = train_model([pair], tmp_path / "model", settings)
    header, history = read_header(tmp_path / "model"), read_history(tmp_path / "model")

    assert header.anchor == anchor.value
    assert header.hyper_parameters["output_start"] == "zero"
    assert history[0]["gain_db"] == pytest.approx(0, abs=1e-3)
    assert history[-1]["gain_db"] != history[0]["gain_db"]
    for model, held_out in ((tmp_path / "model", result.best), (tmp_path / "model/last.safetensors", None)):
        psnr_db = _fused_psnr(pair, model, tmp_path / f"{model.name}.tif")
        assert psnr_db == pytest.approx(held_out.psnr_db if held_out else history[-1]["psnr_db"], abs=0.01)


def test_anchors_of_a_training_are_those_that_methods_fuse_with(pair, tmp_path):
    for anchor in (Anchor.REGRESSION, Anchor.KRIGING):
        settings = _settings(
            Method.HSRNET, anchor=anchor, validation=(pair,), steps=1, validations=1, recipe=TWO_PATCHES
        )
        result = train_model([pair], tmp_path / anchor, settings)
        output = tmp_path / f"{anchor}.tif"
        choice = FuseSettings(method=Method(anchor.value), protocol=Protocol.PAPER)
        fuse_scene(pair / "lr_hsi.tif", pair / "hr_msi.tif", output, choice)
        with rasterio.open(output) as fused, rasterio.open(pair / "reference.tif") as truth:
            psnr_db = scores(fused.read(), truth.read(), ratio=4).psnr
        assert result.best.anchor_psnr_db == pytest.approx(psnr_db, abs=0.05)  # kriging: by tiles of other sizes


def test_pif_net_is_anchored_over_kriging(pair, tmp_path):
    settings = _settings(
        Method.PIFNET, variant=None, anchor=Anchor.KRIGING, validation=(pair,), recipe=TWO_PATCHES, components=2
    )
    result = train_model([pair], tmp_path / "model", settings)
    header = read_header(tmp_path / "model")

    assert (header.variant, header.anchor) == ("anchored", "kriging")
    assert read_history(tmp_path / "model")[0]["gain_db"] == pytest.approx(0, abs=1e-3)
    expected = _fused_psnr(pair, tmp_path / "model", tmp_path / "out.tif")
    assert result.best.psnr_db == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("method", [Method.U2NET, Method.PSRT])
def test_a_network_of_the_naive_phase_is_used_with_it(pair, tmp_path, method):
    settings = _settings(method, validation=(pair,), phase=Phase.NAIVE)
    result = train_model([pair], tmp_path / "model", settings)

    assert read_header(tmp_path / "model").phase == "naive"
    as_trained = _fused_psnr(pair, tmp_path / "model", tmp_path / "out.tif")
    assert result.best.psnr_db == pytest.approx(as_trained, abs=0.01)
    otherwise = _fused_psnr(pair, tmp_path / "model", tmp_path / "true.tif", phase=Phase.TRUE)
    assert abs(otherwise - as_trained) > 1e-3


@pytest.mark.parametrize("method", [Method.HSRNET, Method.PSRT])
def test_the_phase_decides_what_validation_sees(pair, tmp_path, method):
    upsampled = []
    for phase in Phase:
        settings = _settings(method, validation=(pair,), phase=phase, steps=1, validations=1)
        result = train_model([pair], tmp_path / phase, settings)
        upsampled.append(result.best.upsampled_psnr_db)
    assert upsampled[0] > upsampled[1] + 0.5  # docs/design.md 2.2: 1.5 pixels


def test_tiles_of_a_block_network_fall_between_blocks(pair, tmp_path):
    """Tiles begin anywhere; the network still sees whole blocks, so that only its borders tell tiles apart."""
    train_model([pair], tmp_path / "model", _settings(Method.HSRNET, validation=(pair,)))
    images = []
    for tile_size, halo in ((288, 16), (37, 24)):
        settings = FuseSettings(tile_size=tile_size, overlap=11, halo=halo)
        output = tmp_path / f"{tile_size}.tif"
        fuse_scene(pair / "lr_hsi.tif", pair / "hr_msi.tif", output, replace(settings, checkpoint=tmp_path / "model"))
        with rasterio.open(output) as dataset:
            images.append(dataset.read())
    whole, tiled = images
    assert np.abs(tiled - whole).max() < 0.02 * np.ptp(whole)  # its weights of bands are a mean over the tile


def _interrupted_after(step):
    def progress(status):
        if status.step == step:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize(("method", "anchor"), [(Method.HSRNET, None), (Method.U2NET, Anchor.KRIGING)])
def test_an_interrupted_training_of_blocks_resumes_bit_for_bit(pair, tmp_path, method, anchor):
    settings = _settings(
        method, anchor=anchor, recipe={"cached_examples": 3, "input_noise": 0.01}, steps=4, validations=4
    )
    whole = train_model([pair], tmp_path / "whole", settings)
    with pytest.raises(KeyboardInterrupt):
        train_model([pair], tmp_path / "halves", settings, progress=_interrupted_after(2))
    assert load_state(tmp_path / "halves").record["position"]["step"] == 2
    halves = train_model([pair], tmp_path / "halves", replace(settings, start=Start.RESUME))

    first, second = (load_checkpoint(tmp_path / name / "last.safetensors").weights for name in ("whole", "halves"))
    assert all(np.array_equal(first[key], second[key]) for key in first)
    first, second = (load_state(tmp_path / folder).arrays for folder in ("whole", "halves"))
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert halves.best == whole.best


def test_resuming_over_another_anchor_is_refused(pair, tmp_path):
    settings = _settings(Method.HSRNET)
    train_model([pair], tmp_path / "model", settings)
    other = replace(settings, start=Start.RESUME, anchor=Anchor.REGRESSION)
    with pytest.raises(SettingsError, match=r"trained otherwise .*anchor: None -> regression"):
        train_model([pair], tmp_path / "model", other)


@pytest.mark.parametrize(("method", "patch_size"), [(Method.PSRT, 20), (Method.HSRNET, 18), (Method.U2NET, 18)])
def test_a_patch_that_the_network_does_not_take_is_refused(pair, tmp_path, method, patch_size):
    with pytest.raises(SettingsError, match=rf"--patch-size {patch_size}: {method.value} takes multiples of [48] "):
        train_model([pair], tmp_path / "model", _settings(method, recipe={"patch_size": patch_size}))


def test_a_block_network_learns(pair, tmp_path):
    settings = _settings(
        Method.HSRNET, recipe={"learning_rate": 3e-3, "schedule": Schedule.CONSTANT}, steps=40, validations=4
    )
    train_model([pair], tmp_path / "model", settings)
    history = read_history(tmp_path / "model")
    assert history[-1]["psnr_db"] > history[0]["psnr_db"] + 1


@pytest.mark.parametrize("method", [Method.HSRNET, Method.FUSFORMER])
def test_scenes_with_nodata_and_dead_bands_are_trained_on(tmp_path, method):
    pixels = np.random.default_rng(0).uniform(0.1, 0.5, (C, H, W)).astype(np.float32)
    pixels[:, :10, :20] = -1
    pixels[2] = -1
    scene = write_scene(tmp_path / "scene.tif", pixels, nodata=-1)
    result = train_model([scene], tmp_path / "model", _settings(method))
    assert np.isfinite(result.best.psnr_db)


@pytest.mark.parametrize("method", [Method.U2NET, Method.PSRT])
def test_a_real_pair_is_trained_on(pair, tmp_path, method):
    real = tmp_path / "real"
    real.mkdir()
    for name in ("lr_hsi.tif", "hr_msi.tif", "reference.tif"):
        (real / name).symlink_to(pair / name)
    result = train_model([real], tmp_path / "model", _settings(method, steps=4))
    assert np.isfinite(result.best.psnr_db)
    assert result.header.sensor == {"protocol": "paper", "mtf_at_nyquist": 0.3}
