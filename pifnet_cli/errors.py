"""The failures a user can cause, and can read.

Every message reads "path: what is wrong; what was expected; what to do", on one line. The boundary in `app.py` prints
it to stderr and leaves with the class's exit code; anything that is not a `PifnetError` is a bug and keeps its
traceback.
"""


class PifnetError(Exception):
    """A failure with a remedy, told in one line."""

    exit_code = 1


class SettingsError(PifnetError):
    """An option or a combination of options makes no sense; nothing was read or written."""

    exit_code = 2


class PathError(PifnetError):
    """A path cannot be reached, or is of no use to any command; nothing was read or written."""


class SceneReadError(PifnetError):
    """A scene cannot be read, or does not hold what it declares."""


class BandsError(PifnetError):
    """Bands, wavelengths or band counts do not fit their use."""


class GridError(PifnetError):
    """Two grids cannot be brought together, or a grid cannot be used."""


class SceneWriteError(PifnetError):
    """An output cannot be created, completed or verified."""


class CheckpointError(PifnetError):
    """A checkpoint is damaged, or does not fit the scene."""


class TrainingError(PifnetError):
    """Training cannot start, or stopped before its budget."""


class DependencyError(PifnetError):
    """An optional package or a device that was asked for is absent."""
