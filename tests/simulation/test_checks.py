"""Included candidates are checked, approved by every validator, and accepted on the chain."""

from __future__ import annotations

import pytest

from parahost.simulation import Crash, Finalized, Included, Scenario, Shape, Simulation
from parahost.simulation.faults.fault import Fault, Moment
from parahost.simulation.journal import TraceEvent


class Checks:
    """A run, with which node has approved what, and what the chain has accepted."""

    def __init__(self, *faults: Fault, blocks: int, validators: int = 6) -> None:
        scenario = Scenario(
            shape=Shape(validators=validators, parachains=2),
            blocks=blocks,
            faults=faults,
            expects=(Included(at_least=blocks // 2), Finalized(at_least=blocks - 4)),
        )
        self.approved: dict[object, set[str]] = {}
        self.accepted: set[object] = set()
        self.checked: list[tuple[str, object]] = []
        simulation = Simulation(scenario, 1)
        simulation.trace.watch(self._hear)
        self.outcome = simulation.run()

    def _hear(self, event: TraceEvent) -> None:
        match event.event:
            case "approval.approved":
                self.approved.setdefault(event.fields["candidate"], set()).add(event.node)
            case "chain.accepted":
                self.accepted.add(event.fields["candidate"])
            case "approval.checked":
                self.checked.append((event.node, event.fields["candidate"]))


@pytest.mark.guide("A54", "A116")
def test_what_is_included_is_approved_by_all_and_accepted() -> None:
    run = Checks(blocks=8)
    assert run.outcome.ok, run.outcome.verdicts
    everybody = {f"validator-{number}" for number in range(1, 7)}
    approved_by_all = {c for c, nodes in run.approved.items() if everybody <= nodes}
    assert len(run.accepted) >= 8
    assert run.accepted <= approved_by_all
    assert run.outcome.statistics["checks"]["accepted"] == len(run.accepted)
    assert len(run.checked) == len(set(run.checked)), "nobody tells a check of a block twice"


def test_checkers_that_crash_and_start_again_hold_nothing_up() -> None:
    """One after another is killed amid its checks, power failures too."""
    crashes = [
        Crash(who=(f"validator-{number}",), at=Moment(6.05 + 12 * number), lasts_s=3.0, lose=4)
        for number in range(1, 4)
    ]
    run = Checks(*crashes, blocks=12)
    assert run.outcome.ok, run.outcome.verdicts
    assert len(run.accepted) >= 10
