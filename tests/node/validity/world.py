"""Candidates to check, made of nothing; and a node's approval machine, driven by a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from parahost.approval.criteria import OwnAssignment
from parahost.node.messages.validity import (
    CheckVerdict,
    DistributeAssignment,
    DistributeCheck,
    ImportAssignment,
    ImportCheck,
)
from parahost.node.validity.approval_effects import (
    ApprovalEffect,
    ApprovalInput,
    BeginCheck,
    CandidateChecked,
    CertifyAssignment,
    DrawAssignments,
    OwnApprovalSigned,
    OwnAssignmentCertified,
    OwnAssignmentsDrawn,
    SignApproval,
    TellApproved,
)
from parahost.node.validity.approval_machine import ApprovalMachine
from parahost.node.validity.checked_block import CheckedBlock
from parahost.node.validity.checking import Checking
from parahost.primitives.approval import (
    Approval,
    ApprovalParameters,
    Assignment,
    AssignmentCert,
    RelayVRFDelay,
    RelayVrfStory,
    Tranche,
)
from parahost.primitives.basic import (
    FIRST_BLOCK,
    H256,
    H512,
    U32,
    U64,
    BlockNumber,
    CollatorId,
    CollatorSignature,
    CoreIndex,
    GroupIndex,
    Hash,
    ParaId,
    SessionIndex,
    Slot,
    ValidationCodeHash,
    ValidatorId,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import CandidateDescriptor, CandidateReceipt
from parahost.primitives.hashing import blake2_256
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo
from parahost.runtime.parachains.windows import CandidateKey
from tests.runtime.parachains.world import block as block_number

E = TypeVar("E")

SLOT_MS = 6000
PER_SLOT = 12
TRANCHE_S = 0.5
NO_SHOW_SLOTS = 2
NO_SHOW = NO_SHOW_SLOTS * PER_SLOT
NO_SHOW_S = NO_SHOW_SLOTS * SLOT_MS / 1000
HEARING_S = 1.0
"""A sixth of a slot."""
GENESIS = Hash(H256(bytes(32)))
CERT = AssignmentCert(RelayVRFDelay(CoreIndex(U32(0))), H256(bytes(32)), H512(bytes(64)))


def validator(index: int) -> ValidatorIndex:
    return ValidatorIndex(U32(index))


def approval(who: int) -> Approval:
    """Its signature is good enough for a machine, which is handed what was verified."""
    return Approval(validator(who), ValidatorSignature(H512(bytes([who]) * 64)))


def drawn(tranche: int, core: int = 0) -> OwnAssignment:
    """An own assignment, whose proof nobody looks at."""
    return OwnAssignment(CoreIndex(U32(core)), CERT.kind, Tranche(U32(tranche)))


def session(validators: int = 10, needed: int = 2, index: int = 1) -> SessionInfo:
    keys = tuple(ValidatorId(H256(bytes([n]) * 32)) for n in range(validators))
    parameters = ApprovalParameters(
        needed_approvals=U32(needed),
        relay_vrf_modulo_samples=U32(2),
        n_delay_tranches=U32(25),
        zeroth_delay_tranche_width=U32(0),
        tranches_per_slot=U32(PER_SLOT),
        no_show_slots=U32(NO_SHOW_SLOTS),
    )
    return SessionInfo(SessionIndex(U32(index)), keys, (), U32(4), parameters)


def candidate(
    name: str = "candidate",
    *,
    backers: Sequence[int] = (0,),
    slot: int = 100,
    core: int = 0,
    session_index: int = 1,
    number: int = 1,
    story: bytes = b"story",
) -> IncludedCandidate:
    digest = H256(blake2_256(name.encode()))
    descriptor = CandidateDescriptor(
        ParaId(U32(100)),
        Hash(digest),
        CollatorId(digest),
        digest,
        digest,
        digest,
        CollatorSignature(H512(bytes(64))),
        digest,
        ValidationCodeHash(digest),
    )
    return IncludedCandidate(
        session=SessionIndex(U32(session_index)),
        receipt=CandidateReceipt(descriptor, digest),
        core=CoreIndex(U32(core)),
        backing_group=GroupIndex(U32(0)),
        backers=tuple(map(validator, backers)),
        relay_parent_number=FIRST_BLOCK,
        included_in=block_number(number),
        included_slot=Slot(U64(slot)),
        parent_hash=GENESIS,
        relay_vrf_story=RelayVrfStory(blake2_256(story)),
    )


def checked(
    name: str,
    number: int,
    parent: Hash,
    *candidates: IncludedCandidate,
    remote: Sequence[IncludedCandidate] = (),
    info: SessionInfo | None = None,
) -> CheckedBlock:
    """A block of that name."""
    block = Hash(H256(blake2_256(name.encode())))
    sessions = (info or session(),)
    return CheckedBlock(
        block,
        block_number(number),
        parent,
        (*candidates, *remote),
        len(candidates),
        sessions,
        len(sessions[0].validators),
    )


A = candidate("a")
ONE = checked("one", 1, GENESIS, A)
BASE = (GENESIS, FIRST_BLOCK)


def ref(block: CheckedBlock) -> tuple[Hash, BlockNumber]:
    return block.hash, block.number


def start_of(slot: int = 100) -> float:
    return slot * SLOT_MS / 1000


@dataclass
class Parents:
    """Where blocks stand to each other, as far as they were heard of."""

    of: dict[Hash, Hash] = field(default_factory=dict)

    def is_ancestor(self, ancestor: Hash, block: Hash, /) -> bool:
        at: Hash | None = block
        while at is not None and at != ancestor:
            at = self.of.get(at)
        return at is not None


@dataclass
class Node:
    """One node, whose draws, checks and signatures the test decides. ``checks`` are the candidates
    whose check is under way."""

    me: int | None = None
    draws: Mapping[int, int] = field(default_factory=dict)
    """Its tranche, by core."""
    now: float = field(default_factory=start_of)
    chain: Parents = field(default_factory=Parents)
    machine: ApprovalMachine = field(init=False)
    effects: list[ApprovalEffect] = field(default_factory=list)
    checks: list[CandidateKey] = field(default_factory=list)
    kept: dict[CandidateKey, Approval] = field(default_factory=dict)
    """Own checks of an earlier life."""

    def __post_init__(self) -> None:
        self.machine = ApprovalMachine(
            SLOT_MS, lambda info: self._index(), self.kept.get, self.chain, FIRST_BLOCK
        )

    def _index(self) -> ValidatorIndex | None:
        return None if self.me is None else validator(self.me)

    # What happens

    def hears(self, *events: ApprovalInput) -> None:
        for event in events:
            if isinstance(event, CheckedBlock):
                self.chain.of[event.hash] = event.parent
            self._do(self.machine.handle(event, self.now))
        self.looks()

    def looks(self) -> None:
        """Whatever is due, until nothing is."""
        while effects := self.machine.advance(self.now):
            self._do(effects)

    def waits(self, until: float) -> None:
        """Let time pass, waking when the machine says so."""
        while (due := self.machine.next_due()) is not None and due <= until:
            self.now = max(due, self.now)
            self.looks()
        self.now = until

    def hears_assignment(
        self, block: CheckedBlock, who: int, tranche: int = 0, index: int = 0
    ) -> None:
        announced = Assignment(validator(who), CERT)
        self.hears(ImportAssignment(block.hash, index, announced, Tranche(U32(tranche))))

    def hears_check(self, block: CheckedBlock, who: int, index: int = 0) -> None:
        self.hears(ImportCheck(block.hash, index, approval(who)))

    def finds(self, key: CandidateKey, verdict: CheckVerdict = CheckVerdict.VALID) -> None:
        self.checks.remove(key)
        self.hears(CandidateChecked(key, verdict))

    # What comes of it

    def all(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def approved(self) -> list[CandidateKey]:
        return [effect.key for effect in self.all(TellApproved)]

    def announced(self) -> list[tuple[Hash, int]]:
        return [(effect.block, effect.index) for effect in self.all(DistributeAssignment)]

    def told(self) -> list[tuple[Hash, int]]:
        return [(effect.block, effect.index) for effect in self.all(DistributeCheck)]

    def checkings(self) -> dict[tuple[Hash, int], Checking]:
        return self.machine._checkings

    def _do(self, effects: Sequence[ApprovalEffect]) -> None:
        for effect in effects:
            self.effects.append(effect)
            answer = self._answer(effect)
            if answer is not None:
                self._do(self.machine.handle(answer, self.now))

    def _answer(self, effect: ApprovalEffect) -> ApprovalInput | None:
        match effect:
            case DrawAssignments(block, draws):
                found = {
                    index: drawn(self.draws[core], core)
                    for draw in draws
                    for core, index in draw.candidates.items()
                    if core in self.draws
                }
                return OwnAssignmentsDrawn(block, found)
            case CertifyAssignment(place, me):
                return OwnAssignmentCertified(place, Assignment(me, CERT))
            case SignApproval(key, me):
                return OwnApprovalSigned(key, approval(me))
            case BeginCheck(key):
                self.checks.append(key)
        return None
