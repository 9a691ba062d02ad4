import logging

import pytest

from pifnet_cli.commands.console import reporting
from pifnet_cli.notices import Notices

log = logging.getLogger("pifnet_cli.some.part")


def say() -> None:
    log.info("info %d", 1)
    log.warning("beware of %s", "dogs")
    log.error("an error")


@pytest.mark.parametrize(
    ("quiet", "heard"),
    [(False, "pifnet: info 1\npifnet: beware of dogs\npifnet: an error\n"), (True, "pifnet: an error\n")],
)
def test_quiet_hides_all_but_errors(capsys: pytest.CaptureFixture[str], *, quiet: bool, heard: str) -> None:
    with reporting(quiet):
        say()
    assert capsys.readouterr().err == heard


@pytest.mark.parametrize("quiet", [False, True])
def test_notices_are_kept_though_nobody_saw_them(*, quiet: bool) -> None:
    with reporting(quiet), Notices() as notices:
        say()
    log.warning("later")
    assert notices.words == ["beware of dogs", "an error"]
