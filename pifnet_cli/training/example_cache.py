"""Examples by number, made anew or from a pool: where an anchor takes longer than a step, patches are used again."""

from numpy.random import Generator

from pifnet_cli.training.objectives import Example, Objective
from pifnet_cli.training.patches import PatchSource


class ExamplePool:
    """What the patches of a source look like to a network; augmentation after degradation is drawn anew every time."""

    def __init__(self, patches: PatchSource, objective: Objective, *, size: int) -> None:
        """`size` patches are made and kept; with 0 every number is a new one."""
        self._patches, self._objective, self._size = patches, objective, size
        self._kept: dict[int, Example] = {}

    def example(self, number: int, rng: Generator) -> Example:
        """Example `number`, 0 or more.

        Raises:
            TrainingError: The scenes hold next to no valid pixels.
        """
        return self._objective.augmented(self._plain(number), rng)

    def _plain(self, number: int) -> Example:
        if not self._size:
            return self._objective.example(self._patches.sample(number))
        place = number % self._size
        if place not in self._kept:  # two threads may make the same one, and it is the same
            self._kept[place] = self._objective.example(self._patches.sample(place))
        return self._kept[place]
