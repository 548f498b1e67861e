"""Which reports of misbehaviour are kept, so that nobody crowds out what matters (A109). Pure.

Of one offence one report is kept. Each offender has a quota for each kind: a few proofs of one kind
prove as much as thousands. When there are too many in all, what weighs least goes first, the oldest
before the others; equivocations in consensus, for which the chain punishes today, go last.
"""

from __future__ import annotations

from collections.abc import Iterator

from parahost.primitives.basic import CandidateHash, SessionIndex
from parahost.primitives.consensus import BabeEquivocationProof, GrandpaEquivocationProof
from parahost.primitives.limits import MIB
from parahost.primitives.misbehavior import (
    CandidateValidityDisagreement,
    DoubleVote,
    MisbehaviorReport,
    SelfContradiction,
    proves_anything,
)
from parahost.primitives.scale import encode
from parahost.primitives.values import dataclass

MAX_REPORTS = 4096
"""Reports kept in all: two for each of 1,000 validators, with room."""
MAX_REPORT_BYTES = 64 * MIB
"""Their size in all. Only proofs of a BABE equivocation are large: they hold two headers."""
MAX_PER_OFFENDER = 4
"""Reports of one kind that name one offender."""
KEPT_SESSIONS = 6
"""For how many sessions a report is kept, its own included, as Polkadot keeps disputes."""

OffenceKey = tuple[object, ...]
"""What was done, by whom, and where: equal for two reports that show the same."""
OffenderKey = tuple[object, ...]

_WEIGHT: dict[type[MisbehaviorReport], int] = {
    CandidateValidityDisagreement: 0,
    SelfContradiction: 1,
    DoubleVote: 1,
    BabeEquivocationProof: 2,
    GrandpaEquivocationProof: 2,
}


def weight_of(report: MisbehaviorReport) -> int:
    """What weighs more is kept longer and brought to the chain sooner."""
    return _WEIGHT[type(report)]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A report with the session to which it belongs, in its stored form."""

    session: SessionIndex
    report: MisbehaviorReport


def offence_of(report: MisbehaviorReport) -> OffenceKey:
    """What tells one offence from another; not the proof, of which there may be several."""
    match report:
        case BabeEquivocationProof(offender, slot):
            what: OffenceKey = (offender, slot)
        case GrandpaEquivocationProof(set_id, round_number, offender, first):
            what = (offender, set_id, round_number, type(first))
        case DoubleVote(context, first):
            what = (context, first.validator_index)
        case SelfContradiction(context, first):
            what = (context, first.validator_index, first.statement.candidate_hash())
        case CandidateValidityDisagreement(context, candidate):
            what = (context, candidate)
    return (type(report), *what)


def offenders_of(report: MisbehaviorReport) -> Iterator[OffenderKey]:
    """Who has done it; of a disagreement, everybody who took part, for somebody of them has."""
    match report:
        case BabeEquivocationProof() | GrandpaEquivocationProof():
            yield (report.offender,)
        case SelfContradiction(context, first) | DoubleVote(context, first):
            yield (context.session_index, first.validator_index)
        case CandidateValidityDisagreement(context, _, statements):
            for index in dict.fromkeys(signed.validator_index for signed in statements):
                yield (context.session_index, index)


def session_of(report: MisbehaviorReport, now: SessionIndex) -> SessionIndex:
    """The session to which a report belongs: its own where it says so, else the present one."""
    if isinstance(report, BabeEquivocationProof | GrandpaEquivocationProof):
        return now
    return report.context.session_index


class EvidenceTable:
    """The reports that are kept, each under the key by which the caller stores it."""

    def __init__(self) -> None:
        self._by_weight: tuple[dict[OffenceKey, tuple[int, Evidence]], ...] = ({}, {}, {})
        self._counts: dict[tuple[type, OffenderKey], int] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return sum(map(len, self._by_weight))

    def all(self) -> list[Evidence]:
        """Everything that is kept, in the order of its keys."""
        entries = [entry for kept in self._by_weight for entry in kept.values()]
        return [evidence for _, evidence in sorted(entries, key=lambda entry: entry[0])]

    @property
    def has_disagreements(self) -> bool:
        return bool(self._by_weight[_WEIGHT[CandidateValidityDisagreement]])

    def disagreement(self, candidate: CandidateHash) -> CandidateValidityDisagreement | None:
        """What validators have said of a candidate on whose validity they disagree."""
        for _, evidence in self._by_weight[_WEIGHT[CandidateValidityDisagreement]].values():
            report = evidence.report
            if isinstance(report, CandidateValidityDisagreement) and report.candidate == candidate:
                return report
        return None

    def takes(self, report: MisbehaviorReport) -> bool:
        """Whether the report is to be kept: it proves something, is not known, and one of those
        whom it names has room for one more. A disagreement in which more was said is news."""
        if not proves_anything(report):
            return False
        known = self._by_weight[weight_of(report)].get(offence_of(report))
        if known is not None:
            return _says_more(report, known[1].report)
        return any(
            self._counts.get((type(report), offender), 0) < MAX_PER_OFFENDER
            for offender in offenders_of(report)
        )

    def put(self, key: int, evidence: Evidence) -> list[int]:
        """Keep what is to be kept; gives the keys of what had to go for it."""
        gone = []
        offence, report = offence_of(evidence.report), evidence.report
        if offence in self._by_weight[weight_of(report)]:
            gone.append(self._remove(type(report), offence))
        self._by_weight[weight_of(report)][offence] = (key, evidence)
        self._count(report, 1)
        while len(self) > MAX_REPORTS or self._bytes > MAX_REPORT_BYTES:
            weakest = next(kept for kept in self._by_weight if kept)
            offence, (_, oldest) = next(iter(weakest.items()))
            gone.append(self._remove(type(oldest.report), offence))
        return gone

    def prune(self, session: SessionIndex) -> list[int]:
        """Let go what is too old in that session; gives the keys of it."""
        old = [
            (type(evidence.report), offence)
            for kept in self._by_weight
            for offence, (_, evidence) in kept.items()
            if evidence.session + KEPT_SESSIONS <= session
        ]
        return [self._remove(kind, offence) for kind, offence in old]

    def _remove(self, kind: type[MisbehaviorReport], offence: OffenceKey) -> int:
        key, evidence = self._by_weight[_WEIGHT[kind]].pop(offence)
        self._count(evidence.report, -1)
        return key

    def _count(self, report: MisbehaviorReport, change: int) -> None:
        self._bytes += change * len(encode(report))
        for offender in offenders_of(report):
            counted = (type(report), offender)
            self._counts[counted] = self._counts.get(counted, 0) + change
            if not self._counts[counted]:
                del self._counts[counted]


def _says_more(report: MisbehaviorReport, known: MisbehaviorReport) -> bool:
    return (
        isinstance(report, CandidateValidityDisagreement)
        and isinstance(known, CandidateValidityDisagreement)
        and len(report.statements) > len(known.statements)
    )
