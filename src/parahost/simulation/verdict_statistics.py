"""Checks, disputes and punishments of a run, in numbers: those of the best chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from parahost.primitives.basic import Hash
from parahost.runtime import api
from parahost.runtime.origin import AccountId
from parahost.simulation.journal import TraceEvent
from parahost.simulation.plan import NetworkPlan
from parahost.simulation.record import ChainRecord, RecordedBlock

_HEARD = (
    "chain.included",
    "chain.accepted",
    "chain.disputed",
    "chain.dispute_concluded",
    "chain.dispute_timed_out",
    "chain.remote_unavailable",
    "chain.punished",
)


class VerdictStatistics:
    """Hears what blocks did, once for each block, and what is late; :meth:`summary` tells at the
    end. Late is what the node that has counted most has counted."""

    def __init__(self, plan: NetworkPlan, record: ChainRecord) -> None:
        self._plan = plan
        self._record = record
        self._of_block: dict[Hash, dict[tuple[object, ...], TraceEvent]] = {}
        self._late: Counter[str] = Counter()
        """By node, the checkers that it has counted as late."""

    def hear(self, event: TraceEvent) -> None:
        """All nodes that import a block tell the same of it."""
        if event.event in _HEARD:
            block: Any = event.fields["block"]
            told = self._of_block.setdefault(block, {})
            told.setdefault((event.event, *event.fields.values()), event)
        elif event.event == "approval.no_shows":
            self._late[event.node] += int(event.fields["late"])  # type: ignore[call-overload]

    def summary(self) -> dict[str, Any]:
        """For a report; all keys are texts."""
        best = self._record.best()
        chain = {block.hash: block for block in best.ancestry()}
        events = [
            event
            for hash, told in self._of_block.items()
            if hash in chain
            for event in told.values()
        ]
        return {
            "checks": _checks(events) | {"no_shows": max(self._late.values(), default=0)},
            "blocks_to_acceptance": _waits(events),
            "disputes": _disputes(events),
            "punished": _punished(events),
            "slashed": self._slashed(events),
            "stakes": self._stakes(best),
        }

    def _slashed(self, events: list[TraceEvent]) -> dict[str, int]:
        """What each validator that was punished has lost, in parts of a token."""
        lost: Counter[str] = Counter()
        for one in _of(events, "chain.punished"):
            lost[self._plan.stakers[one["account"]]] += one["lost"]
        return dict(sorted(lost.items()))

    def _stakes(self, best: RecordedBlock) -> dict[str, int]:
        """What each validator has at stake in the end, in parts of a token."""
        return {
            name: api.stake(best.state, AccountId(account))  # type: ignore[arg-type]
            for account, name in self._plan.stakers.items()
        }


def _of(events: list[TraceEvent], name: str) -> list[Mapping[str, Any]]:
    return [event.fields for event in events if event.event == name]


def _checks(events: list[TraceEvent]) -> dict[str, Any]:
    """How many candidates were accepted, by which tranches. ``undelivered``: checks that were
    announced, and had not come when the candidate was accepted."""
    accepted = _of(events, "chain.accepted")
    assigned = [each for one in accepted for each in _split(one["assigned"])]
    approved = sum(len(_split(one["approved"])) for one in accepted)
    tranches = Counter(int(each.partition("@")[2]) for each in assigned)
    return {
        "accepted": len(accepted),
        "assigned": len(assigned),
        "tranches": {str(tranche): tranches[tranche] for tranche in sorted(tranches)},
        "undelivered": len(assigned) - approved,
    }


def _waits(events: list[TraceEvent]) -> dict[str, int]:
    """How many candidates were accepted so many blocks after their inclusion."""
    included = {one["candidate"]: one["number"] for one in _of(events, "chain.included")}
    waits = Counter(
        one["number"] - included[one["candidate"]]
        for one in _of(events, "chain.accepted")
        if one["candidate"] in included
    )
    return {str(blocks): waits[blocks] for blocks in sorted(waits)}


def _disputes(events: list[TraceEvent]) -> dict[str, int]:
    """``unavailable``: of other forks, and given up before they began."""
    outcomes = Counter(one["outcome"] for one in _of(events, "chain.dispute_concluded"))
    return {
        "begun": len(_of(events, "chain.disputed")),
        "invalid": outcomes["invalid"],
        "valid": outcomes["valid"],
        "timed_out": len(_of(events, "chain.dispute_timed_out")),
        "unavailable": len(_of(events, "chain.remote_unavailable")),
    }


def _punished(events: list[TraceEvent]) -> dict[str, int]:
    """How often for what."""
    counted = Counter(str(one["misconduct"]) for one in _of(events, "chain.punished"))
    return dict(sorted(counted.items()))


def _split(listed: str) -> list[str]:
    return listed.split(",") if listed else []
