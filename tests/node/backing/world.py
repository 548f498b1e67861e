"""A relay parent with three cores, its validators, and a stage on which one subsystem plays among
scripted neighbours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from trio.testing import wait_all_tasks_blocked

from parahost.crypto import sr25519
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.erasure import encode as erasure_encode
from parahost.erasure import erasure_root
from parahost.node.messages.base import Message, Request
from parahost.node.messages.network import (
    NetworkBridgeEvent,
    PeerConnected,
    PeerViewChange,
    View,
)
from parahost.node.messages.signals import OverseerSignal, StopWork
from parahost.node.messages.validity import BarredCandidates
from parahost.node.overseer import Overseer, Subsystem
from parahost.ports import Database, KeyType, ObservedRole
from parahost.primitives.acceptance import AcceptanceCriteria
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    BlockNumber,
    CandidateHash,
    CollatorId,
    CollatorSignature,
    GroupIndex,
    Hash,
    HeadData,
    ParaId,
    PeerId,
    SessionIndex,
    ValidationCode,
    ValidationCodeHash,
    ValidatorId,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import (
    AvailableData,
    CandidateCommitments,
    CandidateDescriptor,
    CommittedCandidateReceipt,
    PersistedValidationData,
    PoV,
)
from parahost.primitives.hashing import blake2_256
from parahost.primitives.runtime_api import (
    CoreScheduled,
    CoreState,
    GroupRotationInfo,
    OccupiedCore,
    OccupiedCoreAssumption,
    ScheduledCore,
    ValidatorGroups,
)
from parahost.primitives.scale import BitVec, encode
from parahost.primitives.statements import (
    Invalid,
    Seconded,
    SignedStatement,
    SigningContext,
    Statement,
    Valid,
    statement_payload,
)
from parahost.runtime import api
from parahost.storage import MemoryDatabase
from tests.node.harness import ListJournal, make_overseer, running, scripted_leaf

M = TypeVar("M", bound=Message)

RELAY_PARENT = Hash(H256(b"\x11" * 32))
OTHER_RELAY_PARENT = Hash(H256(b"\x22" * 32))
SESSION = SessionIndex(U32(7))
PARA, OCCUPIED_PARA, THREAD = ParaId(U32(100)), ParaId(U32(200)), ParaId(U32(300))
"""On cores 0, 1 and 2: a parachain that is scheduled, one whose last candidate is pending, and a
thread with a claim."""
GROUPS = tuple(
    tuple(ValidatorIndex(U32(index)) for index in group) for group in ((2, 0, 1), (3, 4), (5,))
)
CODE = ValidationCode(b"code")
VALIDATORS = 6
CRITERIA = AcceptanceCriteria(
    max_head_data_size=U32(1024),
    max_code_size=U32(4096),
    new_code_allowed_from=BlockNumber(U32(0)),
    relay_parent_number=BlockNumber(U32(1)),
)


def claim_owner() -> CollatorId:
    return CollatorId(H256(collator(9).public))


@cache
def validator(index: int) -> sr25519.Keypair:
    return sr25519.Keypair.from_uri(f"//validator//{index}")


@cache
def collator(index: int) -> sr25519.Keypair:
    return sr25519.Keypair.from_uri(f"//collator//{index}")


def keystore(*indices: int, database: Database | None = None) -> ProtectedKeyStore:
    """What the node of these validators holds."""
    ring = KeyRing.of((KeyType.PARACHAIN, f"//validator//{index}") for index in indices)
    return ProtectedKeyStore(ring, database or MemoryDatabase())


# Candidates


def validation_data(assumption: OccupiedCoreAssumption) -> PersistedValidationData:
    return PersistedValidationData(
        HeadData(f"head, {assumption.name}".encode()),
        BlockNumber(U32(1)),
        H256(bytes(32)),
        U32(4096),
    )


def pov(number: int = 0) -> PoV:
    return PoV(b"block %d " % number * 10)


def candidate(
    number: int = 0,
    *,
    para: ParaId = PARA,
    relay_parent: Hash = RELAY_PARENT,
    by: int = 9,
    assumption: OccupiedCoreAssumption = OccupiedCoreAssumption.FREE,
    **changes: Any,
) -> CommittedCandidateReceipt:
    """Candidates of different numbers differ in their PoV and head."""
    data = validation_data(assumption)
    head = b"new head %d" % number
    available = encode(AvailableData(pov(number), data))
    descriptor = CandidateDescriptor(
        para_id=para,
        relay_parent=relay_parent,
        collator=CollatorId(H256(collator(by).public)),
        persisted_validation_data_hash=data.hash(),
        pov_hash=pov(number).hash(),
        erasure_root=erasure_root(erasure_encode(available, VALIDATORS)),
        signature=CollatorSignature(H512(bytes(64))),
        para_head=blake2_256(head),
        validation_code_hash=ValidationCodeHash(blake2_256(CODE)),
    )
    descriptor = replace(descriptor, **changes)
    signature = sr25519.sign(collator(by), descriptor.signature_payload())
    commitments = CandidateCommitments((), (), None, HeadData(head), U32(0), BlockNumber(U32(1)))
    return CommittedCandidateReceipt(
        replace(descriptor, signature=CollatorSignature(H512(signature))), commitments
    )


# Statements


def sign(author: int, statement: Statement, relay_parent: Hash = RELAY_PARENT) -> SignedStatement:
    payload = statement_payload(
        type(statement), statement.candidate_hash(), SigningContext(SESSION, relay_parent)
    )
    signature = sr25519.sign(validator(author), payload)
    return SignedStatement(
        statement, ValidatorIndex(U32(author)), ValidatorSignature(H512(signature))
    )


def seconded(author: int, receipt: CommittedCandidateReceipt) -> SignedStatement:
    return sign(author, Seconded(receipt))


def valid(author: int, receipt: CommittedCandidateReceipt) -> SignedStatement:
    return sign(author, Valid(receipt.hash()))


def invalid(author: int, receipt: CommittedCandidateReceipt) -> SignedStatement:
    return sign(author, Invalid(receipt.hash()))


# The relay chain's answers


def cores() -> tuple[CoreState, ...]:
    pending = candidate(99, para=OCCUPIED_PARA, relay_parent=OTHER_RELAY_PARENT)
    next_up = ScheduledCore(OCCUPIED_PARA, None)
    return (
        CoreScheduled(ScheduledCore(PARA, None)),
        OccupiedCore(
            next_up,
            BlockNumber(U32(1)),
            BlockNumber(U32(9)),
            next_up,
            BitVec.zeros(VALIDATORS),
            GroupIndex(U32(1)),
            pending.hash(),
            pending.descriptor,
        ),
        CoreScheduled(ScheduledCore(THREAD, claim_owner())),
    )


def runtime_answers(rotations: int = 0) -> dict[Callable[..., Any], Callable[..., Any]]:
    return {
        api.validators: lambda: tuple(
            ValidatorId(H256(validator(i).public)) for i in range(VALIDATORS)
        ),
        api.session_index_for_child: lambda: SESSION,
        api.validator_groups: lambda: ValidatorGroups(
            GROUPS,
            GroupRotationInfo(
                BlockNumber(U32(0)), BlockNumber(U32(1)), BlockNumber(U32(rotations))
            ),
        ),
        api.availability_cores: cores,
        api.persisted_validation_data: lambda para, assumption: validation_data(assumption),
        api.validation_code: lambda para, assumption: CODE,
        api.acceptance_criteria: lambda para, assumption: CRITERIA,
        api.disabled_validators: frozenset,
    }


# The stage

Answers = Mapping[type[Message], Callable[[Any], Any]]


class Silent(Exception):
    """A neighbour does not answer."""


class Neighbours(Subsystem):
    """Everybody to whom the subsystem on the stage talks. A request is answered with what
    ``answers`` has for it, unless that raises ``Silent``."""

    name = "neighbours"

    def __init__(self, receives: Sequence[type[Message]], answers: Answers) -> None:
        self.receives = tuple(receives)  # type: ignore[misc]
        self.answers = dict(answers)
        self.heard: list[Message] = []
        self.at_stop: Callable[[], None] = lambda: None

    def on_signal(self, signal: OverseerSignal) -> None:
        """Hears it after the subsystem on the stage, and before its jobs are cancelled."""
        if isinstance(signal, StopWork):
            self.at_stop()

    def on_message(self, message: Message) -> None:
        self.heard.append(message)
        answer = self.answers.get(type(message))
        if answer is None:
            return
        try:
            value = answer(message)
        except Silent:
            return
        assert isinstance(message, Request)
        message.reply.answer(value)


class Stage:
    """One overseer with the subsystem under test and its neighbours."""

    def __init__(
        self,
        *subjects: Subsystem,
        answers: Answers | None = None,
        seed: int | None = None,
    ) -> None:
        own = {message for subject in subjects for message in subject.receives}
        others = dict.fromkeys(m for subject in subjects for m in subject.sends if m not in own)
        known: dict[type[Message], Callable[[Any], Any]] = {
            BarredCandidates: lambda request: frozenset[CandidateHash](),
            **(answers or {}),
        }
        self.neighbours = Neighbours(tuple(others), known)
        self.overseer: Overseer = make_overseer([*subjects, self.neighbours], seed=seed)

    async def say(self, *messages: Message) -> None:
        """Put messages on the bus, and wait until the node is at rest."""
        for message in messages:
            self.overseer.send(message)
        await self.rest()

    async def rest(self) -> None:
        await wait_all_tasks_blocked()

    async def move_on(self) -> None:
        """A child of the relay parent comes; work on the relay parent stops."""
        self.import_child()
        await self.rest()

    def import_child(self) -> None:
        self.overseer.block_imported(
            scripted_leaf(number=2, parent=RELAY_PARENT, answers=runtime_answers())
        )

    def heard(self, kind: type[M]) -> list[M]:
        """What the neighbours were told of that kind, in order."""
        return [message for message in self.neighbours.heard if isinstance(message, kind)]

    def counted(self, metric: str, **labels: str) -> float | None:
        return self.overseer._meter.samples().value(metric, **labels)

    def journal(self) -> list[str]:
        return self._events().names()

    def told(self, event: str) -> list[dict[str, object]]:
        """The fields of each record of an event."""
        return [fields for name, fields in self._events().events if name == event]

    def _events(self) -> ListJournal:
        journal = self.overseer._journal
        assert isinstance(journal, ListJournal)
        return journal


@asynccontextmanager
async def on_stage(
    *subjects: Subsystem,
    answers: Answers | None = None,
    runtime: Mapping[Callable[..., Any], Callable[..., Any]] | None = None,
    heads: Sequence[Hash] = (RELAY_PARENT,),
    seed: int | None = None,
) -> AsyncIterator[Stage]:
    """``runtime`` is what the Runtime API says of each of the ``heads``."""
    stage = Stage(*subjects, answers=answers, seed=seed)
    known = runtime or runtime_answers()
    async with running(stage.overseer, [scripted_leaf(head, answers=known) for head in heads]):
        await stage.rest()
        yield stage


# Peers


def connected(
    event: Callable[[NetworkBridgeEvent], Message],
    *peers: str,
    view: Sequence[Hash] = (),
    role: ObservedRole = ObservedRole.FULL,
) -> list[Message]:
    """These peers come, and work on those heads."""
    messages = []
    for peer in peers:
        messages.append(event(PeerConnected(PeerId(peer), role)))
        messages.append(event(PeerViewChange(PeerId(peer), View(tuple(view)))))
    return messages
