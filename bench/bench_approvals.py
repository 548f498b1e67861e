"""CPU time that the checks of one block take a node: 200 candidates, 30 checkers each of 1,000
validators (D22).

Run: ``python -m bench.bench_approvals``. Approval Distribution is the real one, on a real bus: it
hears each assignment and each check from one of 20 peers in a message of its own, decodes and
judges it, and passes it on to the others. Then the machine is handed all that, and looks at what
has changed, 64 items at a time. What the network takes is not in it. Beside it stands what the
bare proofs and signatures take in the same run: on a machine that is slow for an hour all is slow.
"""

from __future__ import annotations

import gc
import time
from typing import ClassVar

import trio

from bench.figures import figure
from parahost.approval.criteria import (
    OwnAssignment,
    assignment_transcript,
    certify,
    own_assignments,
    proof_extra,
)
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore, keypair_from_uri
from parahost.crypto.verifier import DirectVerifier
from parahost.node.gossip import Acceptance
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    PeerConnected,
    PeerMessage,
    PeerViewChange,
    RegisterEventProducer,
    ReportPeer,
    SendMessage,
    View,
)
from parahost.node.messages.validity import (
    ApprovalNetwork,
    DistributeChecksOf,
    ImportAssignment,
    ImportCheck,
)
from parahost.node.overseer import Overseer, Subsystem
from parahost.node.validity.approval_distribution import ApprovalDistribution
from parahost.node.validity.approval_machine import ApprovalMachine
from parahost.node.validity.approval_rules import (
    ApprovalGossip,
    ApprovalMessage,
    ApprovalRules,
    AssignmentHeard,
    AssignmentOnWire,
    CheckHeard,
    CheckOnWire,
    TimeNow,
    item_of,
)
from parahost.node.validity.checked_block import CheckedBlock
from parahost.ports import KeyType, ObservedRole
from parahost.primitives.approval import (
    Approval,
    ApprovalParameters,
    Assignment,
    RelayVrfStory,
    approval_payload,
)
from parahost.primitives.basic import (
    FIRST_BLOCK,
    H256,
    H512,
    U32,
    U64,
    CollatorId,
    CollatorSignature,
    CoreIndex,
    GroupIndex,
    Hash,
    ParaId,
    PeerId,
    SessionIndex,
    Slot,
    ValidationCodeHash,
    ValidatorId,
    ValidatorIndex,
    ValidatorSignature,
    block_at,
)
from parahost.primitives.candidates import CandidateDescriptor, CandidateReceipt
from parahost.primitives.hashing import blake2_256
from parahost.primitives.memoize import remember_results
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo
from parahost.primitives.scale import encode
from parahost.process.executor import ThreadExecutor
from parahost.process.system import SystemClock, SystemRandom
from parahost.storage.memory import MemoryDatabase

VALIDATORS = 1000
CORES = 200
CHECKERS = 30
SLOT_MS = 6000
SLOT = Slot(U64(100))
STORY = RelayVrfStory(H256(blake2_256(b"story")))
PARAMETERS = ApprovalParameters(
    needed_approvals=U32(CHECKERS),
    relay_vrf_modulo_samples=U32(1),
    n_delay_tranches=U32(89),
    zeroth_delay_tranche_width=U32(0),
    tranches_per_slot=U32(12),
    no_show_slots=U32(2),
)


PEERS = tuple(PeerId(f"peer {number}") for number in range(20))


class Neighbours(Subsystem):
    """Approval Voting and the network: they count what they are told."""

    name = "neighbours"
    receives: ClassVar[tuple[type[Message], ...]] = (
        RegisterEventProducer,
        SendMessage,
        ReportPeer,
        ImportAssignment,
        ImportCheck,
    )

    def __init__(self) -> None:
        self.heard = 0
        self.passed_on = 0

    def on_message(self, message: Message) -> None:
        match message:
            case ImportAssignment() | ImportCheck():
                self.heard += 1
            case SendMessage():
                self.passed_on += 1
            case _:
                pass


class TwoBlocks:
    """A chain of a block and its parent."""

    def __init__(self, block: CheckedBlock) -> None:
        self._block = block

    def is_ancestor(self, ancestor: Hash, block: Hash, /) -> bool:
        return ancestor in (block, self._block.parent)


class NoJournal:
    def record(self, event: str, **fields: object) -> None:
        pass


async def main() -> None:
    """Hear, judge, pass on and count the checks of one block, and tell what that took."""
    block, said = block_and_checks()
    gc.collect()
    gc.freeze()  # as a node does
    late = SLOT * SLOT_MS / 1000 + 60
    rules = ApprovalRules(block, SLOT_MS, TimeNow(round(late * 1000)), DirectVerifier())
    machine = ApprovalMachine(
        SLOT_MS, lambda session: None, lambda key: None, TwoBlocks(block), FIRST_BLOCK
    )
    machine.handle(block, late)
    assignments = [item_of(each) for each in said if isinstance(each, AssignmentOnWire)]
    checks = [item_of(each) for each in said if isinstance(each, CheckOnWire)]
    began = time.process_time()
    heard = [rules.judge(each) for each in assignments]
    verified = time.process_time() - began
    heard += [rules.judge(each) for each in checks]
    judged = time.process_time() - began
    assert all(verdict.acceptance is Acceptance.ACCEPT for verdict in heard)
    began = time.process_time()
    for count, verdict in enumerate(heard):
        match verdict.found:
            case AssignmentHeard(index, assignment, tranche):
                machine.handle(ImportAssignment(block.hash, index, assignment, tranche), late)
            case CheckHeard(index, approval):
                machine.handle(ImportCheck(block.hash, index, approval), late)
        if count % 64 == 0:
            machine.advance(late)
    machine.advance(late)
    machine.advance(late + 2 * SLOT_MS / 1000)
    counted = time.process_time() - began
    heard_s, passed_on = await distributed(block, said)
    bare = verified_bare(block, said)
    base, head = (block.parent, FIRST_BLOCK), (block.hash, block.number)
    assert machine.approved_ancestor(base, head) == head
    print(f"{len(assignments)} assignments, {len(checks)} checks")
    figure("one assignment, verified", verified / len(assignments) * 1e3, "ms", "0.5 ms")
    figure("checks of a block, 200 cores, 30 checkers each: distributed", heard_s, "s")
    figure("  of which judged", judged, "s")
    figure("  messages that pass them on", passed_on, "")
    figure("the same: counted", counted, "s")
    figure("distributed and counted", heard_s + counted, "s", "5.2 s")
    figure("  of which the bare proofs and signatures", bare, "s")
    figure("  by them", (heard_s + counted) / bare, "x")


def verified_bare(block: CheckedBlock, said: list[ApprovalMessage]) -> float:
    """CPU time in which nothing but the proofs and signatures is verified."""
    (session,) = block.sessions
    verifier = DirectVerifier()
    remember_results(True)
    began = time.process_time()
    for each in said:
        candidate = block.candidates[each.candidate]
        match each:
            case AssignmentOnWire(_, Assignment(index, cert)):
                transcript = assignment_transcript(cert.kind, candidate.relay_vrf_story)
                extra = proof_extra(cert.kind, candidate.core)
                public = session.validators[index]
                assert verifier.vrf(public, transcript, cert.vrf_output, cert.vrf_proof, extra)
            case CheckOnWire(_, Approval(index, signature)):
                payload = approval_payload(candidate.receipt.hash(), candidate.session)
                assert verifier.sr25519(session.validators[index], payload, signature)
    return time.process_time() - began


async def distributed(block: CheckedBlock, said: list[ApprovalMessage]) -> tuple[float, int]:
    """CPU time in which all of it is heard, and how many messages pass it on."""
    neighbours = Neighbours()
    distribution = ApprovalDistribution(DirectVerifier(), SLOT_MS, FIRST_BLOCK)
    overseer = Overseer(
        [distribution, neighbours],
        clock=SystemClock(),
        random=SystemRandom(),
        journal=NoJournal(),
        executor=ThreadExecutor(),
    )
    wire = [encode(ApprovalGossip(block.hash, (each,))) for each in said]
    remember_results(True)
    async with trio.open_nursery() as nursery:
        await nursery.start(overseer.run, [])
        overseer.send(DistributeChecksOf(block, below=None))
        for peer in PEERS:
            overseer.send(ApprovalNetwork(PeerConnected(peer, ObservedRole.AUTHORITY)))
            overseer.send(ApprovalNetwork(PeerViewChange(peer, View((block.hash,)))))
        began = time.process_time()
        for number, payload in enumerate(wire):
            peer = PEERS[number % len(PEERS)]
            overseer.send(ApprovalNetwork(PeerMessage(peer, payload)))
            if number % 64 == 0:
                await trio.sleep(0)
        while neighbours.heard < len(said):
            await trio.sleep(0)
        taken = time.process_time() - began
        nursery.cancel_scope.cancel()
    return taken, neighbours.passed_on


def block_and_checks() -> tuple[CheckedBlock, list[ApprovalMessage]]:
    """A block of 200 candidates, and what their checkers say: those with keys are in each."""
    pairs = [keypair_from_uri(KeyType.PARACHAIN, f"//checker-{n}") for n in range(CHECKERS)]
    ring = KeyRing()
    for pair in pairs:
        ring.add(KeyType.PARACHAIN, pair)
    keys = ProtectedKeyStore(ring, MemoryDatabase())
    publics = [ValidatorId(H256(pair.public)) for pair in pairs]
    others = [ValidatorId(H256(blake2_256(b"%d" % n))) for n in range(VALIDATORS - CHECKERS)]
    session = SessionInfo(SessionIndex(U32(1)), (*publics, *others), (), U32(CORES), PARAMETERS)
    candidates = tuple(map(candidate, range(CORES)))
    block = CheckedBlock(
        Hash(H256(blake2_256(b"block"))),
        block_at(1),
        Hash(H256(bytes(32))),
        candidates,
        CORES,
        (session,),
        VALIDATORS,
    )
    said: list[ApprovalMessage] = []
    for who, public in enumerate(publics):
        mine: tuple[OwnAssignment, ...] = own_assignments(
            keys,
            public,
            STORY,
            PARAMETERS,
            cores=CORES,
            candidates=[each.core for each in candidates],
        )
        said += [assignment(keys, who, public, own) for own in mine]
    for who, public in enumerate(publics):
        said += [check(keys, who, public, each) for each in candidates]
    return block, said


def assignment(
    keys: ProtectedKeyStore, who: int, public: ValidatorId, own: OwnAssignment
) -> AssignmentOnWire:
    """Each candidate has the index of its core."""
    cert = certify(keys, public, STORY, own)
    return AssignmentOnWire(U32(own.core), Assignment(ValidatorIndex(U32(who)), cert))


def check(
    keys: ProtectedKeyStore, who: int, public: ValidatorId, of: IncludedCandidate
) -> CheckOnWire:
    payload = approval_payload(of.receipt.hash(), of.session)
    signature = keys.sign(KeyType.PARACHAIN, public, payload, [])
    return CheckOnWire(
        U32(of.core), Approval(ValidatorIndex(U32(who)), ValidatorSignature(H512(signature)))
    )


def candidate(number: int) -> IncludedCandidate:
    digest = H256(blake2_256(b"candidate %d" % number))
    descriptor = CandidateDescriptor(
        ParaId(U32(2000 + number)),
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
        session=SessionIndex(U32(1)),
        receipt=CandidateReceipt(descriptor, digest),
        core=CoreIndex(U32(number)),
        backing_group=GroupIndex(U32(0)),
        backers=tuple(ValidatorIndex(U32(VALIDATORS - 1 - n)) for n in range(5)),
        relay_parent_number=FIRST_BLOCK,
        included_in=block_at(1),
        included_slot=SLOT,
        parent_hash=Hash(H256(bytes(32))),
        relay_vrf_story=STORY,
    )


if __name__ == "__main__":
    trio.run(main)
