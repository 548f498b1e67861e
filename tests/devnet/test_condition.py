"""``--until``."""

from __future__ import annotations

import pytest

from parahost.devnet.condition import BadCondition, UntilCondition, UntilKind


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("included=3", UntilCondition(UntilKind.INCLUDED, 3)),
        ("finalized=1", UntilCondition(UntilKind.FINALIZED, 1)),
        ("time=2.5", UntilCondition(UntilKind.TIME, 2.5)),
    ],
)
def test_conditions(text: str, condition: UntilCondition) -> None:
    assert UntilCondition.parse(text) == condition


@pytest.mark.parametrize(
    "text",
    ["", "included", "included=", "included=0", "included=-1", "time=nan", "time=inf", "blocks=3"],
)
def test_anything_else_is_refused_with_the_forms(text: str) -> None:
    with pytest.raises(BadCondition, match="included=K, finalized=K or time=SECONDS"):
        UntilCondition.parse(text)
