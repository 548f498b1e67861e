"""A session of seven validators, candidates that they dispute, and a node without tasks that drives
the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from parahost.crypto import sr25519
from parahost.node.validity.disputes.effects import (
    AnswerVotes,
    CheckDisputed,
    Checked,
    DisputeEffect,
    DisputeInput,
    Distribute,
    OwnDisputeVote,
    Save,
    SessionJudged,
    SignDisputeVote,
    TestimonyGiven,
    VotesBrought,
    VotesVerdict,
)
from parahost.node.validity.disputes.machine import DisputeMachine
from parahost.node.validity.disputes.record import (
    Dispute,
    DisputeRow,
    IncludedAt,
    Testimony,
    statement_key,
)
from parahost.ports import ContradictionRefused, KeyStore, KeyType, promises
from parahost.primitives.approval import ApprovalParameters
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    BlockNumber,
    CoreIndex,
    Hash,
    SessionIndex,
    ValidatorId,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import (
    ApprovalChecking,
    BackingSeconded,
    BackingValid,
    DisputeStatement,
    DisputeStatementSet,
    ExplicitInvalidVote,
    ExplicitVote,
    SignedDisputeStatement,
    VoteInvalid,
    VoteValid,
    dispute_payload,
    vote_payload,
)
from parahost.primitives.runtime_api import SessionInfo
from parahost.runtime.parachains.windows import CandidateKey
from parahost.storage import MemoryDatabase
from tests.node.backing.world import RELAY_PARENT, keystore, validator
from tests.node.backing.world import candidate as made_candidate
from tests.verifying import VERIFIER

VALIDATORS = 7
"""f is 2, a supermajority 5; a dispute of 3 is confirmed."""
SESSION = SessionIndex(U32(7))
OWN = 6
GROUP = (0, 1)
PARAMETERS = ApprovalParameters(U32(2), U32(1), U32(3), U32(0), U32(2), U32(2))

Say = Callable[[CandidateReceipt, int], SignedDisputeStatement]


def session_info(session: SessionIndex = SESSION, validators: int = VALIDATORS) -> SessionInfo:
    keys = tuple(ValidatorId(H256(validator(index).public)) for index in range(validators))
    groups = (tuple(ValidatorIndex(U32(index)) for index in GROUP),)
    return SessionInfo(session, keys, groups, U32(1), PARAMETERS)


def judged(
    own: int | None = OWN, session: SessionIndex = SESSION, validators: int = VALIDATORS
) -> SessionJudged:
    index = None if own is None else ValidatorIndex(U32(own))
    return SessionJudged(session_info(session, validators), index)


def receipt(number: int = 1) -> CandidateReceipt:
    made = made_candidate(1).to_plain()
    para_head = H256(number.to_bytes(32, "little"))
    return replace(made, descriptor=replace(made.descriptor, para_head=para_head))


def key_of(made: CandidateReceipt, session: SessionIndex = SESSION) -> CandidateKey:
    return session, made.hash()


def signed(
    made: CandidateReceipt,
    author: int,
    statement: DisputeStatement,
    session: SessionIndex = SESSION,
) -> SignedDisputeStatement:
    payload = vote_payload(statement, made.hash(), session) or b""
    signature = ValidatorSignature(H512(sr25519.sign(validator(author), payload)))
    return statement, ValidatorIndex(U32(author)), signature


def backs(made: CandidateReceipt, author: int) -> SignedDisputeStatement:
    kind = BackingSeconded if author == GROUP[0] else BackingValid
    return signed(made, author, VoteValid(kind(RELAY_PARENT)))


def approves(made: CandidateReceipt, author: int) -> SignedDisputeStatement:
    return signed(made, author, VoteValid(ApprovalChecking()))


def vouches(made: CandidateReceipt, author: int) -> SignedDisputeStatement:
    return signed(made, author, VoteValid(ExplicitVote()))


def denies(made: CandidateReceipt, author: int) -> SignedDisputeStatement:
    return signed(made, author, VoteInvalid(ExplicitInvalidVote()))


def brought(
    made: CandidateReceipt, *statements: SignedDisputeStatement, session: SessionIndex = SESSION
) -> VotesBrought:
    return VotesBrought(made, DisputeStatementSet(made.hash(), session, statements))


def contested(made: CandidateReceipt, backer: int = 0, against: int = 2) -> VotesBrought:
    """One has backed it, another votes against it."""
    return brought(made, backs(made, backer), denies(made, against))


def inclusion(number: int = 5) -> IncludedAt:
    block = Hash(H256(number.to_bytes(32, "big")))
    return IncludedAt(block, BlockNumber(U32(number)), CoreIndex(U32(0)))


class Killed(Exception):
    """The process ends here."""


@dataclass
class Disk:
    """What outlives a node: saved disputes, what blocks say, and the key store's promises."""

    rows: dict[CandidateKey, DisputeRow] = field(default_factory=dict)
    statements: dict[CandidateKey, list[SignedDisputeStatement]] = field(default_factory=dict)
    testimony: dict[CandidateKey, Testimony] = field(default_factory=dict)
    keys: KeyStore = field(default_factory=lambda: keystore(OWN, database=MemoryDatabase()))

    def recovered(self) -> list[Dispute]:
        found = []
        for key, row in self.rows.items():
            dispute = Dispute(key, row)
            for each in self.statements.get(key, ()):
                dispute.add(each)
            found.append(dispute)
        return found


class Node:
    """Drives a machine. ``finds`` says what checks find, by candidate; nothing else is found, and
    without it checks stay under way. What is due is done when its time comes, or waits for an
    input: else a driver would not come to rest."""

    def __init__(
        self,
        disk: Disk | None = None,
        *,
        finds: Mapping[CandidateKey, bool | None] | None = None,
        sessions: Iterable[SessionJudged] | None = None,
        effects_left: int | None = None,
    ) -> None:
        self.disk = disk or Disk()
        self.finds = finds
        self.now = 0.0
        self.done: list[DisputeEffect] = []
        self.effects_left = effects_left
        self.machine = DisputeMachine(
            self.disk.recovered(), testimony=self.disk.testimony.get, verifier=VERIFIER
        )
        for each in [judged()] if sessions is None else sessions:
            self.take(each)

    def take(self, event: DisputeInput) -> VotesVerdict | None:
        """Hand an input in and do what follows; gives the verdict on what was brought."""
        verdict = self._do(self.machine.handle(event, self.now))
        self._is_at_rest()
        return verdict

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self._do(self.machine.advance(self.now))
        self._is_at_rest()

    def _is_at_rest(self) -> None:
        due = self.machine.next_due()
        assert due is None or due > self.now

    def include(self, made: CandidateReceipt, *statements: SignedDisputeStatement) -> None:
        """A block of some fork has included the candidate, with that backing."""
        self._testify(made, statements, inclusion())

    def back(self, made: CandidateReceipt, *statements: SignedDisputeStatement) -> None:
        """A block of some fork has backed the candidate, and none has included it."""
        self._testify(made, statements, None)

    def _testify(
        self,
        made: CandidateReceipt,
        statements: tuple[SignedDisputeStatement, ...],
        included: IncludedAt | None,
    ) -> None:
        key = key_of(made)
        known = self.disk.testimony.get(key, Testimony(made)).with_statements(statements)
        self.disk.testimony[key] = known if included is None else known.with_inclusion(included)
        self.take(TestimonyGiven(key))

    def _do(self, effects: Iterable[DisputeEffect]) -> VotesVerdict | None:
        verdict = None
        for effect in effects:
            if self.effects_left is not None:
                if self.effects_left == 0:
                    raise Killed
                self.effects_left -= 1
            self.done.append(effect)
            match effect:
                case Save(rows, statements):
                    self.disk.rows.update(rows)
                    for key, one in statements:
                        self.disk.statements.setdefault(key, []).append(one)
                case AnswerVotes(given):
                    verdict = given
                case SignDisputeVote():
                    self.take(OwnDisputeVote(effect.key, self._sign(effect)))
                case CheckDisputed(key):
                    if self.finds is not None:
                        self.take(Checked(key, self.finds.get(key)))
                case _:
                    pass
        return verdict

    def _sign(self, wanted: SignDisputeVote) -> SignedDisputeStatement | None:
        session, candidate = wanted.key
        try:
            made = self.disk.keys.sign(
                KeyType.PARACHAIN,
                wanted.public,
                dispute_payload(candidate, session, valid=wanted.valid),
                [promises.verdict(candidate, valid=wanted.valid)],
            )
        except ContradictionRefused:
            return None
        statement: DisputeStatement = (
            VoteValid(ExplicitVote()) if wanted.valid else VoteInvalid(ExplicitInvalidVote())
        )
        return statement, wanted.validator, ValidatorSignature(H512(made))

    # What one reads afterwards

    def dispute(self, made: CandidateReceipt) -> Dispute:
        return self.machine.disputes[key_of(made)]

    def own_votes(self, made: CandidateReceipt) -> list[SignedDisputeStatement]:
        return self.dispute(made).of(ValidatorIndex(U32(OWN)))

    def said(self, made: CandidateReceipt) -> set[tuple[int, str]]:
        """Who has said what."""
        statements = self.dispute(made).statements.values()
        return {(key[0], key[1].name.lower()) for key in map(statement_key, statements)}

    def distributed(self) -> list[Distribute]:
        return [each for each in self.done if isinstance(each, Distribute)]

    def checked(self) -> list[CandidateKey]:
        """What was checked, in order."""
        return [each.key for each in self.done if isinstance(each, CheckDisputed)]
