"""A checkpoint's header: JSON that anybody may have written becomes values in their ranges, or is refused."""

import json
import math
import reprlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

from pifnet_cli.catalog import NETWORKS, Method
from pifnet_cli.choices import Anchor, Phase, Protocol, Variant

Record = dict[str, Any]
Word = TypeVar("Word", bound=StrEnum)

MAX_TEXT_BYTES = 16 * 2**20
MAX_DEPTH = 16  # lists and objects inside each other
MAX_WHOLE = 2**64  # a seed may be as large
MAX_BANDS = 65536
MAX_SIZE = 65536  # of whatever a network counts: channels, layers, pixels
MAX_FACTOR = 1e6  # of a network's arguments that are no sizes
MAX_ARGUMENTS = 64
LONGEST_WORD = 64
LOWEST_RATIO, HIGHEST_RATIO = 0.95, 1000.0  # one, as it may have been rounded
MAX_GAIN_DB = 1000.0
LONGEST_NM = 1e9
FIRST_LACKED = {"anchor": Anchor.REGRESSION, "phase": Phase.TRUE}  # what the first checkpoints do not say


def plain_json(text: str | bytes) -> Any:
    """JSON of finite numbers and text that can be printed, not nested without end.

    Raises:
        ValueError: It is none.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise ValueError(f"{len(text)} bytes of JSON, {MAX_TEXT_BYTES} at most were expected")
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested without end") from None
    _require_plain(value, depth=0)
    return value


def checked_fields(record: Mapping[str, Any]) -> Record:
    """The fields of `Header` out of a header's JSON, each of its type and in its range.

    Raises:
        KeyError: A field is absent.
        ValueError: A field is of a wrong type, or out of its range; the message names it.
    """
    method, variant = _word(record, "method", Method), _word(record, "variant", Variant)
    if method not in NETWORKS:
        _refuse("method", method.value, "a network")
    if variant is Variant.ANCHORED and method.facts.anchored_recipe is None:
        _refuse("variant", variant.value, f"{Variant.PAPER.value}, the only one of {method.value},")
    words = FIRST_LACKED | dict(record)
    return {
        "method": method,
        "variant": variant,
        "hyper_parameters": _arguments(record),
        "hsi_bands": _bands(record, "hsi_bands"),
        "msi_bands": _bands(record, "msi_bands"),
        "ratio": _number(record, "ratio", low=LOWEST_RATIO, high=HIGHEST_RATIO),
        "sensor": _sensor(record),
        "scale": _number(record, "scale", low=1e-30, high=1e30),
        "training": _training(record),
        "anchor": _word(words, "anchor", Anchor),
        "phase": _word(words, "phase", Phase),
    }


def require_argument(name: str, value: object) -> None:
    """Refuse what no network's constructor takes as a number or a word, without asking the constructor.

    Raises:
        ValueError: It is no number in its range, no short word, not None.
    """
    match value:
        case None:
            is_fit = True
        case bool():
            is_fit = False
        case int():
            is_fit = 0 <= value <= MAX_SIZE
        case float():
            is_fit = abs(value) <= MAX_FACTOR  # false for NaN
        case _:
            is_fit = isinstance(value, str) and len(value) <= LONGEST_WORD
    if not is_fit:
        _refuse(name, value, f"a whole number from 0 to {MAX_SIZE}, a number up to {MAX_FACTOR:g} or a word")


def _require_plain(value: object, *, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH}")
    match value:
        case dict() | list():
            entries = [*value, *value.values()] if isinstance(value, dict) else value
            for entry in entries:
                _require_plain(entry, depth=depth + 1)
        case str():
            value.encode()  # half a surrogate pair has no encoding; that is a ValueError
        case int() | float():
            if abs(value) > MAX_WHOLE if isinstance(value, int) else not math.isfinite(value):
                raise ValueError(f"{reprlib.repr(value)} is no finite number, or too large a one")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _arguments(record: Mapping[str, Any]) -> Record:
    arguments = _object(record, "hyper_parameters")
    if len(arguments) > MAX_ARGUMENTS:
        raise ValueError(f"hyper_parameters has {len(arguments)} entries; {MAX_ARGUMENTS} at most were expected")
    for name, value in arguments.items():
        if not name.isidentifier():
            _refuse("hyper_parameters", name, "the name of an argument")
        require_argument(name, value)
    return arguments


def _bands(record: Mapping[str, Any], field: str) -> Record:
    """Count, names, wavelengths and widths, each list as long as the count."""
    bands = _object(record, field)
    count = bands["count"]
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_BANDS:
        _refuse(f"{field}.count", count, f"a whole number from 1 to {MAX_BANDS}")
    names = _list(bands, "names", count, field)
    if any(not isinstance(name, str) for name in names):
        _refuse(f"{field}.names", names, "text")
    for name, low in (("wavelengths_nm", 1e-9), ("fwhm_nm", 0.0)):
        for value in _list(bands, name, count, field):
            _number({f"{field}.{name}": value}, f"{field}.{name}", low=low, high=LONGEST_NM)
    return bands


def _list(bands: Record, name: str, count: int, field: str) -> list[Any]:
    values = bands[name]
    if values is not None and (not isinstance(values, list) or len(values) != count):
        _refuse(f"{field}.{name}", values, f"null or a list of {count}, a value for each band,")
    return values or []


def _sensor(record: Mapping[str, Any]) -> Record | None:
    if record["sensor"] is None:
        return None
    sensor = _object(record, "sensor")
    if sensor.get("protocol") is not None:
        _word(sensor, "protocol", Protocol)
    for name, low, high in (("mtf_at_nyquist", 1e-6, 1.0), ("ratio", LOWEST_RATIO, HIGHEST_RATIO)):
        if sensor.get(name) is not None:
            _number(sensor, name, low=low, high=high)
    return sensor


def _training(record: Mapping[str, Any]) -> Record:
    training = _object(record, "training")
    if training.get("gain_db") is not None:
        _number(training, "gain_db", low=-MAX_GAIN_DB, high=MAX_GAIN_DB)
    return training


def _object(record: Mapping[str, Any], name: str) -> Record:
    value = record[name]
    if not isinstance(value, dict):
        _refuse(name, value, "an object")
    return dict(value)


def _word(record: Mapping[str, Any], name: str, words: type[Word]) -> Word:
    value = record[name]
    if value not in list(words):
        _refuse(name, value, f"one of {', '.join(words)}")
    return words(value)


def _number(record: Mapping[str, Any], name: str, *, low: float, high: float) -> float:
    value = record[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        _refuse(name, value, f"a number from {low:g} to {high:g}")
    return float(value)


def _refuse(name: str, value: object, expected: str) -> NoReturn:
    raise ValueError(f"{name} is {reprlib.repr(value)}; {expected} was expected")
