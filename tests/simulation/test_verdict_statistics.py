"""Checks, disputes and punishments are counted once for each block of the best chain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from parahost.node.chain_journal import record_import, record_verdicts
from parahost.primitives.events import BlockImportEvent
from parahost.runtime import api, inherents
from parahost.runtime.parachains.validity import NoteChecks
from parahost.simulation import Accepted, Disputed, Expectation, Punished
from parahost.simulation.checkers import OK
from parahost.simulation.checkers.stakes import StakeConserved
from parahost.simulation.journal import TraceEvent
from parahost.simulation.record import RecordedBlock
from parahost.simulation.verdict_statistics import VerdictStatistics
from tests.runtime.test_validity import ALONE, STAKE, against, checked, empty, including, name_of
from tests.runtime.world import NAMES
from tests.simulation.checkers.doctored import DoctoredRun

NO_DISPUTES = {"begun": 0, "invalid": 0, "valid": 0, "timed_out": 0, "unavailable": 0}


class Heard:
    """The statistics of a doctored run, of which several nodes tell."""

    def __init__(self, run: DoctoredRun) -> None:
        self.run = run
        self.statistics = VerdictStatistics(run.checker.scene.plan, run.record)

    def record(self, event: str, **fields: object) -> None:
        self.statistics.hear(TraceEvent(0.0, "", event, fields))

    def summary(self) -> dict[str, Any]:
        for block in self.run.record.blocks.values():
            for _ in range(3):
                self._tell(block)
        return self.statistics.summary()

    def _tell(self, block: RecordedBlock) -> None:
        event = BlockImportEvent(block.hash, block.header, True)
        record_import(self, event, api.candidate_events(block.state))
        record_verdicts(self, event, block.state)


def others(backers: tuple[int, ...]) -> list[int]:
    return [index for index in range(len(NAMES)) if index not in backers]


async def test_checks_disputes_and_what_they_cost() -> None:
    chain, record = including(ALONE)
    records = api.included_candidates(chain.state)
    run = DoctoredRun(StakeConserved, chain)
    run.step()
    checks = NoteChecks((checked(chain, records[1]),))
    dispute = against(chain, record, *others(record.backers))
    run.step(inherents.checks(checks), data=replace(empty(chain), disputes=(dispute,)))
    found = Heard(run).summary()
    assert found["checks"]["accepted"] == 1
    assert found["checks"]["assigned"] == sum(found["checks"]["tranches"].values()) == 5
    assert found["checks"]["undelivered"] == 0
    assert found["blocks_to_acceptance"] == {"2": 1}
    assert found["disputes"] == NO_DISPUTES | {"begun": 1, "invalid": 1}
    assert found["punished"] == {"backed_invalid": 1}
    guilty = name_of(record, record.backers[0], chain)
    assert found["stakes"] == {name: 0 if name == guilty else STAKE for name in NAMES}
    assert found["slashed"] == {guilty: STAKE}


async def test_what_another_fork_says_does_not_count() -> None:
    chain, record = including(ALONE)
    run = DoctoredRun(StakeConserved, chain)
    dispute = against(chain, record, *others(record.backers))
    run.step(data=replace(empty(chain), disputes=(dispute,)))
    run.fork(2)
    run.steps(3)
    found = Heard(run).summary()
    assert found["disputes"]["begun"] == 0 and found["punished"] == {}
    assert set(found["stakes"].values()) == {STAKE}


@pytest.mark.parametrize(
    ("expectation", "is_met"),
    [
        (Accepted(at_least=3), True),
        (Accepted(at_least=4), False),
        (Disputed(at_least=2), True),
        (Disputed(at_least=2, end="invalid"), False),
        (Punished(misconduct="backed_invalid", at_least=2), True),
        (Punished(misconduct="backed_invalid", at_least=3), False),
        (Punished(misconduct="not_voted"), False),
    ],
)
def test_expectations(expectation: Expectation, is_met: bool) -> None:
    statistics = {
        "checks": {"accepted": 3},
        "disputes": NO_DISPUTES | {"begun": 2, "invalid": 1, "valid": 1},
        "punished": {"backed_invalid": 2},
    }
    assert (expectation.judge(statistics) == OK) is is_met


def test_nobody_is_punished_for_something_else_too() -> None:
    wanted = Punished(misconduct="backed_invalid")
    verdict = wanted.judge({"punished": {"backed_invalid": 1, "not_voted": 4}})
    assert verdict == "they were punished for {'backed_invalid': 1, 'not_voted': 4}"


@pytest.mark.parametrize(
    "expectation", [Disputed(at_least=1, end="won"), Punished(misconduct="snoring")]
)
def test_what_never_happens_cannot_be_expected(expectation: Expectation) -> None:
    with pytest.raises(ValueError, match=r"there|no dispute is won"):
        expectation.check({})


async def test_lateness_is_what_the_node_that_saw_most_has_counted() -> None:
    chain, _ = including(ALONE)
    heard = Heard(DoctoredRun(StakeConserved, chain))
    for node, late in [("one", 2), ("two", 1), ("two", 3)]:
        heard.statistics.hear(TraceEvent(0.0, node, "approval.no_shows", {"late": late}))
    assert heard.summary()["checks"]["no_shows"] == 4
