import json
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch

from pifnet_cli.choices import Overwrite, Sampling, Schedule, Start, Variant
from pifnet_cli.errors import BandsError, CheckpointError, GridError, SettingsError, TrainingError
from pifnet_cli.metrics.with_reference import scores
from pifnet_cli.networks.build import restored_network
from pifnet_cli.networks.checkpoint import load_checkpoint, load_state, read_header
from pifnet_cli.settings import FuseSettings, RecipeOverrides, SimulateSettings, TrainSettings
from pifnet_cli.training.history import read_history
from pifnet_cli.workflows.fuse import fuse_scene
from pifnet_cli.workflows.simulate import simulate_scene
from pifnet_cli.workflows.train import train_model
from scenes import write_scene

C, H, W = 6, 60, 64
DEGRADATION = SimulateSettings(ratio=4, srf="boxes:3")
TINY = TrainSettings(
    degradation=DEGRADATION,
    network={"width": 8, "blocks": 1, "segments": 2, "d_state": 2},
    overrides=RecipeOverrides(patch_size=16, batch_size=2),
    components=2,
    steps=6,
    validations=6,
)


def overriding(**changes):
    return replace(TINY.overrides, **changes)


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny networks: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pixels(seed=0, bands=C):
    """Fields of a few spectra with soft borders: something that a network can learn from."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:H, :W]
    spectra = rng.uniform(0.1, 0.5, (5, bands))
    shares = np.stack([np.sin(rows / rng.uniform(2, 9) + columns / rng.uniform(2, 9)) > 0.2 for _ in range(5)])
    return np.einsum("sc,shw->chw", spectra, shares + 0.2).astype(np.float32)


@pytest.fixture
def scene(tmp_path):
    return write_scene(tmp_path / "scene.tif", pixels(), wavelengths=np.linspace(450, 900, C))


@pytest.fixture
def pair(scene, tmp_path):
    simulate_scene(scene, tmp_path / "pair", DEGRADATION)
    return tmp_path / "pair"


def test_a_scene_becomes_a_checkpoint(scene, tmp_path):
    result = train_model([scene], tmp_path / "model", TINY)
    header = read_header(tmp_path / "model")

    assert result.status.step == 6
    assert (header.method, header.variant, header.ratio) == ("pifnet", "anchored", 4.0)
    assert header.sensor["protocol"] == "mtf"
    assert header.hsi_bands["wavelengths_nm"] == pytest.approx(np.linspace(450, 900, C))
    assert header.msi_bands["count"] == 3
    assert header.training["gain_db"] == pytest.approx(result.best.gain_db)
    assert json.loads(json.dumps(result.record()))["best"]["psnr_db"] == result.best.psnr_db


def test_the_checkpoint_holds_a_network_and_its_basis(scene, tmp_path):
    train_model([scene], tmp_path / "model", TINY)
    for path in (tmp_path / "model", tmp_path / "model" / "last.safetensors"):
        checkpoint = load_checkpoint(path)
        network = restored_network(checkpoint, "model")

        assert network.hyper_parameters["width"] == 8
        assert checkpoint.constants["directions"].shape == (C, 2)


def test_history_has_a_line_for_every_validation(scene, tmp_path):
    train_model([scene], tmp_path / "model", TINY)
    history = read_history(tmp_path / "model")

    assert [line["step"] for line in history] == list(range(7))
    assert {"seconds", "learning_rate", "loss", "loss_error", "psnr_db", "gain_db"} <= history[-1].keys()


def test_an_untrained_anchored_network_is_its_anchor(scene, tmp_path):
    train_model([scene], tmp_path / "model", TINY)
    assert read_history(tmp_path / "model")[0]["gain_db"] == pytest.approx(0, abs=1e-6)


def test_the_best_checkpoint_is_never_below_the_anchor(scene, tmp_path):
    result = train_model(
        [scene], tmp_path / "model", replace(TINY, overrides=overriding(learning_rate=0.02, schedule=Schedule.CONSTANT))
    )
    history = read_history(tmp_path / "model")

    assert result.best.psnr_db == max(line["psnr_db"] for line in history)
    assert result.best.gain_db >= 0


def test_a_simulated_pair_is_trained_on_like_its_scene(scene, pair, tmp_path):
    first = train_model([scene], tmp_path / "a", TINY)
    second = train_model([pair], tmp_path / "b", replace(TINY, degradation=SimulateSettings(ratio=8)))

    assert second.best.psnr_db == pytest.approx(first.best.psnr_db, abs=1e-3)  # the pair's own record counts


def test_a_real_pair_is_trained_on(pair, tmp_path):
    (pair / "simulation.json").unlink()
    result = train_model([pair], tmp_path / "model", TINY)

    assert result.best is not None
    assert result.header.sensor == {"protocol": "mtf", "mtf_at_nyquist": 0.3}


def test_a_pair_whose_ratio_is_no_whole_number_is_trained_on(scene, tmp_path):
    simulate_scene(scene, tmp_path / "pair", SimulateSettings(ratio=3.3, mtf_at_nyquist=0.2, srf="boxes:3"))
    result = train_model([tmp_path / "pair"], tmp_path / "model", TINY)

    assert result.header.ratio == pytest.approx(3.3)
    assert result.header.sensor["mtf_at_nyquist"] == 0.2


def test_references_are_degraded_by_whole_numbers():
    with pytest.raises(SettingsError, match=r"--ratio 3.3: .* simulate a pair"):
        replace(TINY, degradation=SimulateSettings(ratio=3.3))


def test_several_scenes_and_a_validation_scene(scene, tmp_path):
    other = write_scene(tmp_path / "other.tif", pixels(1))
    held_out = write_scene(tmp_path / "held_out.tif", pixels(2))
    settings = replace(TINY, validation=(held_out,), sampling=Sampling.STRIDED)
    result = train_model([scene, other], tmp_path / "model", settings)

    assert result.header.training["inputs"] == ["scene.tif", "other.tif"]
    assert result.best.anchor_psnr_db != train_model([scene], tmp_path / "else", TINY).best.anchor_psnr_db


def test_without_held_out_area_the_last_checkpoint_is_the_best(scene, tmp_path):
    result = train_model([scene], tmp_path / "model", replace(TINY, validation_share=0.0))

    assert result.best is None
    assert load_checkpoint(tmp_path / "model").header.training["step"] == 6


def test_the_paper_variant_predicts_images(scene, tmp_path):
    result = train_model(
        [scene],
        tmp_path / "model",
        replace(TINY, variant=Variant.PAPER, steps=30, overrides=overriding(learning_rate=5e-3)),
    )
    history = read_history(tmp_path / "model")
    checkpoint = load_checkpoint(tmp_path / "model")

    assert checkpoint.header.hyper_parameters["hsi_channels"] == C
    assert not checkpoint.constants
    assert history[-1]["loss"] < history[1]["loss"]
    assert result.best.psnr_db > history[0]["psnr_db"] + 3


def test_scenes_with_nodata_and_dead_bands_are_trained_on(tmp_path):
    image = pixels()
    image[:, :10, :20] = -1
    image[2] = -1
    scene = write_scene(tmp_path / "scene.tif", image, nodata=-1)
    for variant in Variant:
        result = train_model([scene], tmp_path / variant, replace(TINY, variant=variant))
        assert np.isfinite(result.best.psnr_db)


def test_noise_whitens_the_basis(scene, tmp_path):
    noisy = replace(TINY, degradation=replace(DEGRADATION, hsi_snr_db=30.0, msi_snr_db=30.0))
    train_model([scene], tmp_path / "model", noisy)
    scale = load_checkpoint(tmp_path / "model").constants["band_scale"]

    assert scale.std() > 0
    assert np.mean(scale**2) == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("variant", Variant)
def test_fuse_gives_what_validation_scored(pair, tmp_path, variant):
    settings = replace(TINY, variant=variant, validation=(pair,), steps=20, overrides=overriding(learning_rate=5e-3))
    result = train_model([pair], tmp_path / "model", settings)
    fuse_scene(
        pair / "lr_hsi.tif", pair / "hr_msi.tif", tmp_path / "out.tif", FuseSettings(checkpoint=tmp_path / "model")
    )
    with rasterio.open(tmp_path / "out.tif") as fused, rasterio.open(pair / "reference.tif") as truth:
        expected = scores(fused.read(), truth.read(), ratio=4).psnr

    assert result.best.psnr_db == pytest.approx(expected, abs=0.01)


def interrupt_after(step):
    def progress(status):
        if status.step == step:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("variant", Variant)
def test_an_interrupted_training_resumes_bit_for_bit(scene, tmp_path, variant):
    settings = replace(TINY, variant=variant)
    whole = train_model([scene], tmp_path / "whole", settings)
    with pytest.raises(KeyboardInterrupt):
        train_model([scene], tmp_path / "halves", settings, progress=interrupt_after(3))
    assert load_state(tmp_path / "halves").record["position"]["step"] == 3
    halves = train_model([scene], tmp_path / "halves", replace(settings, start=Start.RESUME))

    for name in ("", "last.safetensors"):
        first, second = (load_checkpoint(tmp_path / folder / name) for folder in ("whole", "halves"))
        assert all(np.array_equal(first.weights[key], second.weights[key]) for key in first.weights)
    first, second = (load_state(tmp_path / folder).arrays for folder in ("whole", "halves"))
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert halves.best == whole.best
    losses = [[line.get("loss") for line in read_history(tmp_path / folder)] for folder in ("whole", "halves")]
    assert losses[0] == losses[1]


def test_rates_of_the_paper_follow_the_budget_before_and_after_a_stop(scene, tmp_path):
    one_step_an_epoch = overriding(batch_size=64)
    settings = replace(TINY, variant=Variant.PAPER, steps=10, validations=10, overrides=one_step_an_epoch)
    settings = replace(settings, network=settings.network | {"width": 4})
    with pytest.raises(KeyboardInterrupt):
        train_model([scene], tmp_path / "model", settings, progress=interrupt_after(6))
    train_model([scene], tmp_path / "model", replace(settings, start=Start.RESUME))

    rates = [line["learning_rate"] for line in read_history(tmp_path / "model")]
    assert rates[1:] == [1e-4] * 4 + [5e-5] * 4 + [2.5e-5] * 2


def test_resuming_with_a_larger_budget_goes_on(scene, tmp_path):
    train_model([scene], tmp_path / "model", TINY)
    longer = train_model([scene], tmp_path / "model", replace(TINY, start=Start.RESUME, steps=8))
    assert longer.status.step == 8


def test_resuming_otherwise_is_refused(scene, tmp_path):
    train_model([scene], tmp_path / "model", TINY)
    with pytest.raises(SettingsError, match=r"\(patch_size: 16 -> 24\); use the same options"):
        train_model([scene], tmp_path / "model", replace(TINY, start=Start.RESUME, overrides=overriding(patch_size=24)))
    named = (
        ({"learning_rate": 0.01}, r"\(learning_rate: 0.001 -> 0.01\)"),
        ({"cached_examples": 3}, r"\(pool: 0 -> 3\)"),
    )
    for changes, message in named:  # flat, by the names that states have always had
        with pytest.raises(SettingsError, match=message):
            train_model([scene], tmp_path / "model", replace(TINY, start=Start.RESUME, overrides=overriding(**changes)))
    other = write_scene(tmp_path / "other.tif", pixels(1))
    with pytest.raises(SettingsError, match="trained otherwise"):
        train_model([other], tmp_path / "model", replace(TINY, start=Start.RESUME))


def test_resuming_nothing_is_refused(scene, tmp_path):
    with pytest.raises(CheckpointError, match="to resume from"):
        train_model([scene], tmp_path / "model", replace(TINY, start=Start.RESUME))


def test_an_existing_checkpoint_is_kept_unless_told_otherwise(scene, tmp_path):
    train_model([scene], tmp_path / "model", TINY)
    before = (tmp_path / "model" / "weights.safetensors").read_bytes()
    with pytest.raises(CheckpointError, match="use --resume to go on with it, --overwrite to replace it"):
        train_model([scene], tmp_path / "model", TINY)
    assert (tmp_path / "model" / "weights.safetensors").read_bytes() == before

    train_model([scene], tmp_path / "model", replace(TINY, seed=1, overwrite=Overwrite.REPLACE))
    assert (tmp_path / "model" / "weights.safetensors").read_bytes() != before


def test_a_file_is_no_folder(scene, tmp_path):
    (tmp_path / "model").write_text("")
    with pytest.raises(SettingsError, match="is a file"):
        train_model([scene], tmp_path / "model", TINY)


def test_scenes_of_other_bands_are_refused(scene, tmp_path):
    other = write_scene(tmp_path / "other.tif", pixels(bands=5))
    with pytest.raises(BandsError, match=r"other.tif: an LR-HSI of 5 bands, .*scene.tif of 6"):
        train_model([scene, other], tmp_path / "model", TINY)


def test_scenes_of_other_ratios_are_refused(scene, tmp_path):
    simulate_scene(scene, tmp_path / "pair", SimulateSettings(ratio=2, srf="boxes:3"))
    with pytest.raises(GridError, match="need the same ratio"):
        train_model([scene, tmp_path / "pair"], tmp_path / "model", TINY)


def test_a_network_that_cannot_be_built_is_refused(scene, tmp_path):
    with pytest.raises(SettingsError, match=r"--network: pifnet cannot be built from .*'height': 3"):
        train_model([scene], tmp_path / "model", replace(TINY, network={"height": 3}))


def test_scenes_too_small_for_a_patch_are_refused(scene, tmp_path):
    with pytest.raises(TrainingError, match="lower --patch-size or --validation-share"):
        train_model([scene], tmp_path / "model", replace(TINY, overrides=overriding(patch_size=64)))


def test_nothing_to_train_on_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="nothing to train on"):
        train_model([], tmp_path / "model", TINY)
