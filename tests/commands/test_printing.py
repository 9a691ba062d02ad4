import json

import pytest

from pifnet_cli.commands.printing import LONGEST_LIST, print_record, record_lines


def test_names_are_words_and_values_stand_on_their_line():
    record = {"shift_lr_pixels": [0.4, -0.25], "ratio": 3.0, "expected error": 1e-05, "path": "a_b.tif"}
    assert list(record_lines(record)) == [
        "shift lr pixels: 0.4, -0.25", "ratio: 3.0", "expected error: 1e-05", "path: a_b.tif",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "words"),
    [(True, "yes"), (False, "no"), (None, "none"), ([], "none"), ({}, "none"), ([None, 1], "none, 1")],
)
def test_what_is_no_number_is_a_word(value, words):
    assert list(record_lines({"it": value})) == [f"it: {words}"]


def test_what_belongs_together_is_indented():
    record = {"sensor": {"msi_bands": {"count": 3}, "ratio": 4}, "scale": 1.0}
    assert list(record_lines(record)) == ["sensor:", "  msi bands:", "    count: 3", "  ratio: 4", "scale: 1.0"]


def test_what_repeats_stands_on_a_line_each():
    record = {"local_shifts": [{"at": [1, 2], "error_lr": 0.1}, {"at": [3, 4], "error_lr": 0.2}]}
    assert list(record_lines(record)) == ["local shifts:", "  at: 1, 2; error lr: 0.1", "  at: 3, 4; error lr: 0.2"]


def test_a_list_is_cut_where_it_is_longer_than_a_line():
    fits, longer = list(range(LONGEST_LIST)), list(range(LONGEST_LIST + 1))
    assert list(record_lines({"it": fits})) == ["it: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"]
    assert list(record_lines({"it": longer})) == ["it: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ... (13 in all)"]


def test_people_are_shown_what_is_meant_for_them(capsys):
    print_record({"a": 1, "b": [2] * 99}, as_json=False, for_people=lambda record: {"a": record["a"]})
    assert capsys.readouterr().out == "a: 1\n"


def test_programs_get_the_whole_record(capsys):
    record = {"a_b": 1, "b": [2] * 99, "c": None, "d": {"e": True}}
    print_record(record, as_json=True, for_people=lambda _record: {})
    assert json.loads(capsys.readouterr().out) == record
