"""What happened in a run, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from parahost.simulation.checkers.ledger import CandidateLedger
from parahost.simulation.journal import Trace, TraceEvent
from parahost.simulation.plan import NetworkPlan
from parahost.simulation.record import ChainRecord
from parahost.simulation.verdict_statistics import VerdictStatistics

STAGE_NAME_OF_EVENT = {
    "collation.made": "made",
    "backing.seconded": "seconded",
    "backing.backable": "backable",
    "chain.backed": "backed",
    "chain.included": "included",
    "chain.accepted": "accepted",
}
"""What a node records when a candidate gets on, and the stage that it gets to (A116)."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """Times in seconds."""

    count: int
    least: float
    median: float
    p90: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Distribution | None:
        if not values:
            return None
        ordered = sorted(values)

        def at(part: float) -> float:
            return round(ordered[min(int(len(ordered) * part), len(ordered) - 1)], 3)

        return cls(len(ordered), at(0.0), at(0.5), at(0.9), at(1.0))


@dataclass(slots=True)
class _Candidate:
    """When a candidate came to each stage first, in virtual seconds."""

    stages: dict[str, float] = field(default_factory=dict)


class Statistics:
    """Counts while a run goes on; :meth:`summary` tells at its end."""

    def __init__(self, plan: NetworkPlan, record: ChainRecord, trace: Trace) -> None:
        self._plan = plan
        self._record = record
        self._trace = trace
        self._candidates: dict[bytes, _Candidate] = {}
        self._final_at: dict[bytes, float] = {}
        self._misbehaviour: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._verdicts = VerdictStatistics(plan, record)
        trace.watch(self._hear)
        trace.watch(self._verdicts.hear)

    def _hear(self, event: TraceEvent) -> None:
        stage = STAGE_NAME_OF_EVENT.get(event.event)
        if stage is not None:
            candidate = event.fields["candidate"]
            assert isinstance(candidate, bytes)
            known = self._candidates.setdefault(candidate, _Candidate())
            known.stages.setdefault(stage, event.at)
        elif event.event == "chain.finalized":
            self._on_final(event)
        elif event.event == "misbehavior.reported":
            self._misbehaviour[str(event.fields["kind"])] += 1
        elif event.event.startswith("fault."):
            self._faults[event.event.removeprefix("fault.")] += 1

    def _on_final(self, event: TraceEvent) -> None:
        hash = event.fields["block"]
        block = self._record.blocks.get(hash)  # type: ignore[call-overload]
        while block is not None and block.hash not in self._final_at:
            self._final_at[block.hash] = event.at
            block = block.parent

    def summary(self) -> dict[str, Any]:
        """For a report; all keys are texts."""
        ledger = CandidateLedger(self._record)
        best = self._record.best()
        chain = list(best.ancestry())[::-1]
        for block in self._record.blocks.values():
            ledger.step(block)
        included: dict[str, int] = {str(para.id): 0 for para in self._plan.paras}
        to_inclusion: list[float] = []
        to_finality: list[float] = []
        for block in chain:
            for one in ledger.step(block).included:
                included[str(one.para)] += 1
                made = self._candidates.get(one.candidate, _Candidate()).stages.get("made")
                if made is None:
                    continue
                to_inclusion.append(block.at - made)
                if block.hash in self._final_at:
                    to_finality.append(self._final_at[block.hash] - made)
        stages: Counter[str] = Counter()
        for candidate in self._candidates.values():
            stages.update(candidate.stages.keys())
        traffic = self._trace.traffic
        return {
            "blocks": best.number,
            "finalized": self._record.last_final().number,
            "forks": len(self._record.blocks) - len(chain),
            "included": included,
            "timed_out": sum(len(ledger.step(block).timed_out) for block in chain),
            "parablocks": {stage: stages[stage] for stage in STAGE_NAME_OF_EVENT.values()},
            "seconds_to_inclusion": _plain(Distribution.of(to_inclusion)),
            "seconds_to_finality": _plain(Distribution.of(to_finality)),
            "messages": {name: traffic[name].messages for name in sorted(traffic)},
            "bytes": {name: traffic[name].bytes for name in sorted(traffic)},
            "faults": dict(sorted(self._faults.items())),
            "misbehaviour": dict(sorted(self._misbehaviour.items())),
            **self._verdicts.summary(),
        }


def _plain(distribution: Distribution | None) -> dict[str, float] | None:
    return None if distribution is None else asdict(distribution)
