"""A relay chain with real states for subsystems to ask, and candidates with real data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from parahost import erasure
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.node.availability.retention import RelayBlock
from parahost.node.leaf import ActiveLeaf
from parahost.node.overseer import Overseer
from parahost.ports import KeyType
from parahost.primitives.approval import SecondaryChecks
from parahost.primitives.basic import H256, BlockNumber, CandidateHash, Hash
from parahost.primitives.candidates import AvailableData, CandidateReceipt, PoV
from parahost.primitives.disputes import DisputeStatementSet
from parahost.primitives.events import BlockFinalizationEvent
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.remote_disputes import AvailabilityVotes
from parahost.primitives.scale import encode
from parahost.primitives.statements import BackedCandidate
from parahost.runtime import inherents
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.storage import State
from parahost.storage.memory import MemoryDatabase
from tests.runtime.parachains.world import World, keypair, validator_name
from tests.runtime.parachains.world import para as para_id


class RelayChain:
    """Blocks of a :class:`World`, with forks; what the Chain API and the Runtime API read."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.headers: dict[Hash, Header] = {world.parent: world.header}
        self.states: dict[Hash, State] = {world.parent: world.state}
        self.bodies: dict[Hash, tuple[Extrinsic, ...]] = {world.parent: ()}
        self.finalized = world.header
        self.genesis = world.header

    # Reading

    def header(self, block: Hash) -> Header | None:
        return self.headers.get(block)

    def body(self, block: Hash) -> tuple[Extrinsic, ...] | None:
        return self.bodies.get(block)

    def state_of(self, block: Hash) -> State | None:
        return self.states.get(block)

    def hash_of(self, number: BlockNumber) -> Hash | None:
        header: Header | None = self.finalized
        while header is not None and header.number > number:
            header = self.headers.get(header.parent_hash)
        return None if header is None else header.hash()

    def is_ancestor(self, ancestor: Hash, block: Hash, /) -> bool:
        at = self.headers.get(block)
        while at is not None and at.hash() != ancestor:
            at = self.headers.get(at.parent_hash)
        return at is not None

    def leaf(self, header: Header) -> ActiveLeaf:
        """A block as an import brings it to the overseer."""
        return ActiveLeaf(self.states[header.hash()], header.hash(), header)

    # Growing

    def on(self, parent: Header) -> World:
        """The world, with that block as its head."""
        self.world.header, self.world.state = parent, self.states[parent.hash()]
        return self.world

    def add(
        self,
        *,
        backed: Iterable[BackedCandidate] = (),
        vote: bool = False,
        salt: int = 0,
        new_session: int | None = None,
        disputes: Sequence[DisputeStatementSet] = (),
        checks: Sequence[SecondaryChecks] = (),
        availability: Sequence[AvailabilityVotes] = (),
    ) -> Header:
        """A block on the world's head; with ``vote``, everything pending becomes available."""
        world = self.world
        votes = world.all_vote(world.pending_cores()) if vote else ()
        data = replace(world.data(votes, list(backed)), disputes=tuple(disputes))
        notes = NoteChecks(tuple(checks), tuple(availability))
        world.add_block(
            data, checks=notes.checks, availability=notes.availability, new_session=new_session
        )
        root = H256(blake2_256(b"extrinsics %d" % salt))
        world.header = replace(world.header, extrinsics_root=root)
        self.headers[world.parent] = world.header
        self.states[world.parent] = world.state
        body = [inherents.parachains(data), *([inherents.checks(notes)] if notes else [])]
        self.bodies[world.parent] = tuple(body)
        return world.header

    def candidate(
        self, para: int, pov: bytes = b"proof of validity"
    ) -> tuple[BackedCandidate, AvailableData]:
        """A backed candidate for the next block, with the data that its erasure root is of."""
        world = self.world
        receipt = world.receipt(para, head=b"head after " + blake2_256(pov))
        validation_data = world.host.paras.persisted_validation_data(
            world.state, para_id(para), world.header.number, world.state.root
        )
        assert validation_data is not None
        data = AvailableData(PoV(pov), validation_data)
        root = erasure.erasure_root(erasure.encode(encode(data), len(world.validators)))
        descriptor = replace(receipt.descriptor, pov_hash=data.pov.hash(), erasure_root=root)
        receipt = world.signed(replace(receipt, descriptor=descriptor), "collator")
        return world.back(receipt), data


def finalized(header: Header) -> BlockFinalizationEvent:
    return BlockFinalizationEvent(header.hash(), header)


def finalize(chain: RelayChain, overseer: Overseer, header: Header) -> None:
    chain.finalized = header
    overseer.block_finalized(finalized(header))


def ref(header: Header) -> RelayBlock:
    return RelayBlock(header.number, header.hash())


def hash_of(candidate: BackedCandidate) -> CandidateHash:
    return candidate.candidate.hash()


def plain(candidate: BackedCandidate) -> CandidateReceipt:
    return candidate.candidate.to_plain()


def key_store(*validators: int) -> ProtectedKeyStore:
    """With the session keys of those validators."""
    ring = KeyRing()
    for index in validators:
        ring.add(KeyType.PARACHAIN, keypair(validator_name(index)))
    return ProtectedKeyStore(ring, MemoryDatabase())
