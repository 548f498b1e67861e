"""The list of planted faults fits the source: each can be planted, and its tests exist."""

from __future__ import annotations

import pytest

from tests.mutants.__main__ import LIST, ROOT
from tests.mutants.faults import Fault, read_faults


@pytest.mark.parametrize("fault", read_faults(LIST), ids=lambda fault: fault.name)
def test_it_can_be_planted(fault: Fault) -> None:
    assert fault.line(ROOT) > 0
    for test in fault.killed_by:
        file, _, name = test.partition("::")
        assert (ROOT / file).exists()
        assert not name or f"def {name}(" in (ROOT / file).read_text()
