"""`python -m pifnet_cli` is `pifnet`."""

import sys
from pathlib import Path


def _leave_folder() -> None:
    """Take the current folder, where `python -m` looks first, off the path: its numpy.py is none of ours.

    It stays where pifnet itself was found there.
    """
    here = Path.cwd()
    if sys.path and Path(sys.path[0]) == here and Path(__file__).resolve().parent.parent != here.resolve():
        del sys.path[0]


if __name__ == "__main__":
    _leave_folder()

    from pifnet_cli.app import main

    main()
