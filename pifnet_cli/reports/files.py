"""Files of reports: checked before anything is computed, and visible under their names only when complete."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pifnet_cli.choices import Overwrite
from pifnet_cli.errors import SceneWriteError
from pifnet_cli.raster.publishing.places import first_shared, require_no_input
from pifnet_cli.raster.publishing.publication import publish, shortened


def require_free(
    outputs: Sequence[Path], *, inputs: Sequence[Path], overwrite: Overwrite, taken: Sequence[Path] = ()
) -> None:
    """Refuse files that could not be published.

    Args:
        outputs: The files.
        inputs: What is read meanwhile, as the user named it.
        overwrite: Whether the files may exist.
        taken: The files of other outputs of the same command.

    Raises:
        SceneWriteError: A file exists, is an input, is asked for twice, or has no folder to be written to.
    """
    for index, output in enumerate(outputs):
        if not output.parent.is_dir():
            raise SceneWriteError(f"{output}: its folder does not exist; create it first: mkdir -p {output.parent}")
        if not os.access(output.parent, os.W_OK):
            raise SceneWriteError(f"{output}: its folder cannot be written to; choose another one")
        if output.is_dir():
            raise SceneWriteError(f"{output}: is a folder; a file name was expected")
        require_no_input([output], inputs)
        if first_shared([output], [*taken, *outputs[:index]]) is not None:
            raise SceneWriteError(f"{output}: two outputs have this name; choose another one")
        if overwrite is Overwrite.REFUSE and (output.exists() or output.is_symlink()):
            raise SceneWriteError(f"{output}: exists; give --overwrite to replace it")


@contextmanager
def published(output: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; the file is renamed to `output` when the block ends, or removed if it fails.

    Raises:
        SceneWriteError: The file cannot be written.
    """
    partial = output.with_name(f".{shortened(output.name)}.{os.getpid()}.partial")
    try:
        yield partial
        publish([(partial, output)], stale=())
    except OSError as error:
        raise SceneWriteError(f"{output}: cannot be written ({error.strerror or error}); check the disk") from error
    finally:
        partial.unlink(missing_ok=True)


def write_text(output: Path, text: str) -> None:
    """Publish a text file, in UTF-8.

    Raises:
        SceneWriteError: The file cannot be written.
    """
    with published(output) as partial:
        partial.write_text(text, encoding="utf-8")
