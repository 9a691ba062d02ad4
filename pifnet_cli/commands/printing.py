"""Results on stdout: a record as `name: value` lines for people, or as JSON for programs."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import typer

LONGEST_LIST = 12  # numbers or names on one line


def as_it_is(record: Any) -> Any:
    """The record itself."""
    return record


def print_record(record: Any, *, as_json: bool, for_people: Callable[[Any], Mapping[str, object]] = as_it_is) -> None:
    """Print a command's result.

    Args:
        record: JSON values.
        as_json: Print the whole record as JSON; else lines for people.
        for_people: What is shown in lines: a record of fewer or of other values.
    """
    if as_json:
        typer.echo(json.dumps(record, indent=2))
    else:
        typer.echo("\n".join(record_lines(for_people(record))))


def record_lines(record: Mapping[str, object]) -> Iterator[str]:
    """`name: value` lines; what a value holds by name, or one after the other, follows on indented lines."""
    for name, value in record.items():
        if isinstance(value, Mapping) and value:
            yield f"{_spaced(name)}:"
            yield from (f"  {line}" for line in record_lines(value))
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield f"{_spaced(name)}:"
            yield from (f"  {'; '.join(record_lines(entry))}" for entry in value)
        else:
            yield f"{_spaced(name)}: {in_words(value)}"


def in_words(value: object) -> str:
    """A value on one line; long lists are cut."""
    match value:
        case None | [] | {}:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list():
            more = f", ... ({len(value)} in all)" if len(value) > LONGEST_LIST else ""
            return ", ".join(map(in_words, value[:LONGEST_LIST])) + more
    return str(value)


def _spaced(name: str) -> str:
    return name.replace("_", " ")
