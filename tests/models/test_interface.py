import pytest

from pifnet_models.interface import SizeRule


@pytest.mark.parametrize(
    ("height", "width", "accepted"), [(2, 4, True), (2, 5, False), (3, 4, False), (0, 4, False), (340, 2, True)]
)
def test_both_sides_must_obey_the_rule(height, width, accepted):
    assert SizeRule(multiple_of=2, minimum=2).accepts(height, width) is accepted


@pytest.mark.parametrize("side", range(1, 30))
def test_a_grown_side_is_the_shortest_accepted_one(side):
    rule = SizeRule(multiple_of=4, minimum=8)
    accepted = [candidate for candidate in range(side, 60) if rule.accepts(candidate, candidate)]
    assert rule.grown(side) == accepted[0]


def test_a_minimum_that_breaks_its_own_rule_is_refused():
    with pytest.raises(ValueError, match="multiple of multiple_of"):
        SizeRule(multiple_of=4, minimum=6)
