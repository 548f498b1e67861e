"""Honest validators: none contradicts itself, and none is accused, not even by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parahost.node.utility.evidence import Evidence
from parahost.node.utility.misbehavior_arbitration import TABLE
from parahost.ports import KeyType
from parahost.primitives.basic import Hash
from parahost.primitives.consensus import BabeEquivocationProof, GrandpaEquivocationProof
from parahost.primitives.misbehavior import (
    CandidateValidityDisagreement,
    DoubleVote,
    MisbehaviorReport,
    SelfContradiction,
)
from parahost.primitives.scale import decode
from parahost.primitives.statements import SignedCompactStatement
from parahost.simulation.checkers import reading
from parahost.simulation.checkers.checker import Checker, Scene, SignatureMade
from parahost.simulation.journal import TraceEvent
from parahost.simulation.record import RecordedBlock

_STATEMENT = b"BKNG"
_CHECK = b"APPR"
_RECORD = b"DISC"
_NAMES = {1: "Seconded", 2: "Valid", 3: "Invalid"}
_EXCLUDE = {frozenset({1, 2}), frozenset({1, 3}), frozenset({2, 3})}


@dataclass(frozen=True, slots=True)
class WatchedPromise:
    """Under this, one key says one thing."""

    public: bytes
    about: tuple[object, ...]


class NoContradiction(Checker):
    """No honest validator ever signs two things that exclude each other: two candidates seconded
    at one relay parent, two verdicts on one candidate, two bitfields for one head, two votes in
    one stage of a round, two blocks for one slot (A77, D16)."""

    name = "no_contradiction"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._said: dict[WatchedPromise, bytes] = {}
        self._verdicts: dict[WatchedPromise, dict[int, None]] = {}

    def on_signature(self, signature: SignatureMade) -> None:
        payload, public = signature.payload, signature.public
        match signature.key_type:
            case KeyType.GRANDPA:
                # kind, target hash and number, round, set
                stage = (payload[0], payload[-16:])
                self._say(
                    signature.node, "votes in one stage", WatchedPromise(public, stage), payload
                )
            case KeyType.PARACHAIN if payload.startswith(_STATEMENT) and len(payload) == 73:
                self._on_statement(signature)
            case KeyType.PARACHAIN if payload.startswith(_CHECK) and len(payload) == 41:
                self._give_verdict(signature, payload[5:37], valid=bool(payload[4]))
            case KeyType.PARACHAIN if not payload.startswith(_RECORD):
                # bits, session, relay parent, index
                about = ("bitfield", payload[-40:])
                self._say(
                    signature.node, "bitfields for one head", WatchedPromise(public, about), payload
                )

    def _on_statement(self, signature: SignatureMade) -> None:
        tag, candidate, place = (
            signature.payload[4],
            signature.payload[5:37],
            signature.payload[37:],
        )
        if tag == 1:
            promise = WatchedPromise(signature.public, ("second", place))
            self._say(signature.node, "candidates seconded at one head", promise, candidate)
        self._give_verdict(signature, candidate, valid=tag != 3)
        said = self._verdicts.setdefault(WatchedPromise(signature.public, (candidate, place)), {})
        for other in said:
            if frozenset({tag, other}) in _EXCLUDE:
                self.violated(
                    f"{signature.node} says {_NAMES[other]} and {_NAMES[tag]} "
                    f"of candidate 0x{candidate.hex()[:8]}"
                )
        said[tag] = None

    def _give_verdict(self, signature: SignatureMade, candidate: bytes, *, valid: bool) -> None:
        """However it is given: by a statement, an approval, or a vote in a dispute."""
        promise = WatchedPromise(signature.public, ("verdict", candidate))
        self._say(signature.node, "verdicts on one candidate", promise, bytes([valid]))

    def _say(self, node: str, what: str, promise: WatchedPromise, words: bytes) -> None:
        if self._said.setdefault(promise, words) != words:
            self.violated(f"{node} has signed two {what}")

    def on_block(self, block: RecordedBlock) -> None:
        author, slot = reading.authorship(block)
        node = self.scene.plan.owner_of(author)
        if node is not None and self.scene.is_honest(node):
            self._say(
                node, "blocks for one slot", WatchedPromise(author, ("block", slot)), block.hash
            )


class NoHonestReported(Checker):
    """No honest node keeps a report of misbehaviour that accuses an honest validator (A109)."""

    name = "no_honest_reported"

    def at_end(self) -> None:
        for node in self.scene.plan.nodes:
            if not self.scene.is_honest(node.name):
                continue
            for _, form in self.scene.disk_of(node.name).scan(TABLE):
                report: MisbehaviorReport = decode(Evidence, form).report
                accused = self._accused(report)
                if accused and all(self.scene.is_honest(each) for each in accused):
                    kind = type(report).__name__
                    self.violated(f"{node.name} reports {', '.join(accused)}: {kind}")

    def _accused(self, report: MisbehaviorReport) -> list[str]:
        """Who has done it; of a disagreement, everybody who took part."""
        match report:
            case BabeEquivocationProof() | GrandpaEquivocationProof():
                keys = [bytes(report.offender)]
            case SelfContradiction() | DoubleVote():
                keys = self._signers(report.context.parent_hash, [report.first])
            case CandidateValidityDisagreement():
                keys = self._signers(report.context.parent_hash, report.statements)
        return [name for key in keys if (name := self.scene.plan.owner_of(key)) is not None]

    def _signers(
        self, relay_parent: Hash, statements: Sequence[SignedCompactStatement]
    ) -> list[bytes]:
        block = self.scene.record.blocks[relay_parent]
        validators = reading.validators(block.state)
        return [validators[statement.validator_index] for statement in statements]


class NoFalseAlarm(Checker):
    """No honest node says that its keys are used elsewhere: none of them is."""

    name = "no_false_alarm"
    events = ("keys.used_elsewhere",)

    def on_event(self, event: TraceEvent) -> None:
        if self.scene.is_honest(event.node):
            self.violated(
                f"{event.node} says that its key signs a {event.fields['what']} elsewhere"
            )
