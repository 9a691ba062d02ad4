"""Examples by number: every one made anew, or some kept and used again where an anchor takes longer than a step."""

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from pifnet_cli.training.objectives import Batch, Example, Objective, collate
from pifnet_cli.training.patches import TrainingPatch


class ExampleCache:
    """Patches as a network sees them; augmentation after degradation is drawn anew every time."""

    def __init__(self, patch: Callable[[int], TrainingPatch], objective: Objective, *, size: int) -> None:
        """Remember where patches come from.

        Args:
            patch: Makes the patch of a number, the same one every time.
            objective: Makes an example of it.
            size: That many examples are made and kept; with 0 every number is a new one.
        """
        self._patch, self._objective, self._size = patch, objective, size
        self._kept: dict[int, Example] = {}

    def batch(self, step: int, *, batch_size: int, seed: int) -> Batch:
        """The batch of a step as a function of its number: a resumed training sees what it would have seen.

        Raises:
            TrainingError: The scenes hold next to no valid pixels.
        """
        numbers = range(step * batch_size, (step + 1) * batch_size)
        return collate([self.example(number, np.random.default_rng([seed, number, 2])) for number in numbers])

    def example(self, number: int, rng: Generator) -> Example:
        """Example `number`, 0 or more, augmented.

        Raises:
            TrainingError: The scenes hold next to no valid pixels.
        """
        return self._objective.augmented(self._plain(number), rng)

    def _plain(self, number: int) -> Example:
        if not self._size:
            return self._objective.example(self._patch(number))
        place = number % self._size
        if place not in self._kept:  # two threads may make the same one, and it is the same
            self._kept[place] = self._objective.example(self._patch(place))
        return self._kept[place]
