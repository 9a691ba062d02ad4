from dataclasses import replace

import pytest
import torch
from torch import nn

from pifnet_cli.choices import Precision, Schedule
from pifnet_cli.errors import TrainingError
from pifnet_cli.recipe import Optimisation
from pifnet_cli.training.loop import (
    Budget,
    Callbacks,
    Learner,
    Training,
    TrainingStatus,
    contained_randomness,
    prepared,
)
from pifnet_cli.training.losses import absolute_error
from pifnet_cli.training.objectives import Batch, Losses
from pifnet_cli.training.resume import restore, training_state
from pifnet_cli.training.validation import HeldOut

ADAMW = Optimisation(
    learning_rate=0.05,
    schedule=Schedule.COSINE,
    decay_every=200,
    decay_factor=0.5,
    beta1=0.9,
    weight_decay=0.0,
    ema_decay=0.9,
    gradient_clip=1.0,
)


class Network(nn.Module):
    """A bias per band, behind dropout so that randomness matters."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(3, 1, 1))

    def forward(self, hsi, _msi):
        return hsi + nn.functional.dropout(self.bias.expand_as(hsi[0]), 0.2, training=self.training)


class Objective:
    def losses(self, network, batch):
        total = absolute_error(network(batch.hsi, batch.msi), batch.target, batch.mask)
        return Losses(total, {"error": total})


def batch_at(step):
    generator = torch.Generator().manual_seed(step)
    hsi = torch.randn(2, 3, 4, 4, generator=generator)
    return Batch(hsi, hsi, hsi + 1, torch.ones_like(hsi, dtype=torch.bool))


def budget(**limits):
    return Budget(**({"steps": None, "epochs": None, "minutes": None, "steps_per_epoch": 4} | limits))


def learner(optimisation=ADAMW):
    return Learner(Network(), optimisation, device=torch.device("cpu"), precision=Precision.FLOAT32)


class Record:
    """Scores every validation by how near the bias is to 1."""

    def __init__(self):
        self.saved, self.reported = [], []

    def callbacks(self):
        return Callbacks(validate=self.validate, save=self.save, report=self.reported.append)

    def validate(self, network):
        return HeldOut(-float((network.bias.detach() - 1).abs().mean()), 0.0, 0.0)

    def save(self, status):
        self.saved.append(status)
        return f"step {status.best_step}"


def train(subject, record, *, limits=None, status=None, batches=batch_at, objective=None):
    return Training(
        subject,
        objective=objective or Objective(),
        budget=limits or budget(steps=12),
        validations=4,
        callbacks=record.callbacks(),
        status=status or TrainingStatus(),
    ).run(batches)


def test_training_reduces_the_loss_and_counts_its_steps():
    record = Record()
    end = train(learner(), record, limits=budget(steps=200))

    assert end.step == 200
    assert [status.step for status in record.saved] == [0, 50, 100, 150, 200]
    assert record.saved[-1].losses["loss"] < 0.7 * record.saved[1].losses["loss"]
    assert end.best == max((status.held_out for status in record.saved), key=lambda score: score.psnr_db)
    assert len(record.reported) == 200


def test_the_running_mean_answers():
    subject, record = learner(), Record()
    train(subject, record)

    assert subject.answering is subject.running_mean
    assert not torch.equal(subject.running_mean.bias, subject.network.bias)


def test_without_running_mean_the_network_answers():
    subject = learner(replace(ADAMW, ema_decay=0.0))
    assert subject.answering is subject.network


def test_an_interrupted_training_goes_on_bit_for_bit():
    whole, first, second = learner(), learner(), learner()
    train(whole, Record())
    record = Record()
    states = []
    record.save = lambda status: states.append(training_state(first, status, {})) or "state"
    train(first, record)
    halfway = next(state for state in states if state.record["position"]["step"] == 6)
    status = restore(second, halfway, "folder")
    train(second, Record(), status=status)

    assert status.step == 6
    for mine, theirs in zip(
        (*second.network.parameters(), *second.running_mean.parameters()),
        (*whole.network.parameters(), *whole.running_mean.parameters()),
        strict=True,
    ):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize("ahead", [0, 3])
def test_batches_come_in_order_however_they_are_prepared(ahead):
    made = []
    batches = prepared(lambda number: made.append(number) or number, 5, ahead)
    assert [next(batches) for _ in range(6)] == [5, 6, 7, 8, 9, 10]
    batches.close()
    assert sorted(made) == list(range(5, 5 + len(made)))


def test_training_leaves_torchs_generator_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    train(learner(), Record())
    assert torch.equal(torch.random.get_rng_state(), before)


def test_contained_randomness_repeats():
    with contained_randomness(3):
        first = torch.rand(2)
    with contained_randomness(3):
        assert torch.equal(torch.rand(2), first)


def test_epochs_and_minutes_end_a_training_too():
    assert train(learner(), Record(), limits=budget(epochs=2)).step == 8
    assert train(learner(), Record(), limits=budget(minutes=0.002, steps=10**8)).seconds >= 0.12


def test_the_tightest_limit_counts():
    limits = budget(steps=100, epochs=5, minutes=10)
    assert limits.progress(10, 0) == 0.5
    assert limits.progress(10, 540) == 0.9
    assert limits.progress(10, 6000) == 1.0


def test_a_loss_that_is_not_finite_names_the_last_good_checkpoint():
    def bad_at_seven(step):
        batch = batch_at(step)
        return batch if step < 7 else batch._replace(target=batch.target * float("inf"))

    subject = learner()
    with pytest.raises(
        TrainingError, match=r"step 7: not finite .* the last good checkpoint is step \d; .* lower --learning-rate"
    ):
        train(subject, Record(), batches=bad_at_seven)
    assert torch.isfinite(subject.network.bias).all()


def test_a_full_gpu_is_explained():
    class Greedy:
        def losses(self, _network, _batch):
            raise torch.OutOfMemoryError

    with pytest.raises(TrainingError, match=r"memory ran out; .* lower --batch-size or --patch-size"):
        train(learner(), Record(), objective=Greedy())


def test_without_held_out_area_the_latest_is_the_best():
    record = Record()
    record.validate = lambda _network: None
    end = train(learner(), record)
    assert (end.best, end.best_step) == (None, 12)


def test_cosine_falls_to_zero_after_a_short_rise():
    rate = replace(ADAMW, learning_rate=1.0).rate
    assert rate(0, progress=0.0, epoch=0) == pytest.approx(0.05)
    assert rate(500, progress=0.5, epoch=0) == pytest.approx(0.5)
    assert rate(1000, progress=1.0, epoch=0) == pytest.approx(0.0)


def test_a_schedule_of_steps_multiplies_every_so_many_epochs():
    rate = replace(ADAMW, learning_rate=1.0, schedule=Schedule.STEPS, decay_every=200, decay_factor=0.5).rate
    assert [rate(0, progress=0.0, epoch=epoch) for epoch in (0, 199, 200, 400)] == [1, 1, 0.5, 0.25]


def test_drops_at_shares_of_the_budget_do_not_see_epochs():
    rate = replace(ADAMW, learning_rate=1.0, schedule=Schedule.STEPS, decay_share=0.2).rate
    steps = range(0, 1000, 100)  # 0.6 / 0.2 is a little less than 3 in floats
    assert [rate(step, progress=step / 1000, epoch=step) for step in steps] == [
        1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625, 0.0625
    ]  # fmt: skip


def test_constant_stays():
    assert replace(ADAMW, schedule=Schedule.CONSTANT).rate(7, progress=0.9, epoch=900) == 0.05


def test_bfloat16_is_used_where_asked_for():
    subject = Learner(nn.Conv2d(3, 3, 1), ADAMW, device=torch.device("cpu"), precision=Precision.BFLOAT16)
    seen = []

    class Peek:
        def losses(self, network, batch):
            answer = network(batch.hsi)
            seen.append(answer.dtype)
            total = answer.float().square().mean()
            return Losses(total, {})

    subject.step(batch_at(0), Peek(), rate=0.1, number=0)
    assert seen == [torch.bfloat16]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_training_on_a_gpu_reduces_the_loss():
    subject = Learner(Network(), ADAMW, device=torch.device("cuda"), precision=Precision.AUTO)
    record = Record()
    train(subject, record, limits=budget(steps=200))
    assert record.saved[-1].losses["loss"] < 0.7 * record.saved[1].losses["loss"]
