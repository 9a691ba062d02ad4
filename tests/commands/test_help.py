"""Help texts: of every command, argument and option, a plain sentence or several."""

import re

import pytest
import typer.main

from pifnet_cli.app import app

PROGRAM = typer.main.get_command(app)
COMMANDS = dict(PROGRAM.commands)
PARAMETERS = [
    pytest.param(parameter, id=f"{name} {parameter.opts[0]}")
    for name, command in {"pifnet": PROGRAM, **COMMANDS}.items()
    for parameter in command.params
]


def is_of_sentences(text):
    """From a capital letter or a number to a full stop."""
    return re.fullmatch(r"[A-Z0-9].*\w[\w)]*\.", text, flags=re.DOTALL) is not None


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_the_help_of_every_option_is_of_sentences(parameter):
    assert is_of_sentences(parameter.help or "")


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_no_help_is_a_phrase_that_hangs_on_the_option_s_name(parameter):
    assert not re.match(r"(Of|For|By|With) ", parameter.help)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_is_of_sentences(name):
    paragraphs = COMMANDS[name].help.split("\n\n")
    assert is_of_sentences(paragraphs[0])
    assert all(is_of_sentences(text) for text in paragraphs if not text.startswith("Example"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example_of_itself(name):
    assert re.search(rf"Examples?: pifnet {name} ", COMMANDS[name].help)


@pytest.mark.parametrize(
    ("text", "is_good"),
    [
        ("Number of bands.", True),
        ("10 by default (PNG).", True),
        ("", False),
        ("of Adam.", False),
        ("Number of bands", False),
        ("Number of bands...", False),
    ],
)
def test_sentences_are_told_from_what_is_none(text, is_good):
    assert is_of_sentences(text) is is_good
