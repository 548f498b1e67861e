"""What the journal says of this node's own part in the chain: its blocks, its place in a session,
and its keys in somebody else's hands."""

from __future__ import annotations

from typing import Literal, Protocol

from parahost.chain.chain import SLOTS_AHEAD
from parahost.chain.errors import UnknownBlock
from parahost.consensus.babe.epochs import BabeParameters
from parahost.consensus.grandpa import TellVoteElsewhere
from parahost.node.session import ChildSession
from parahost.ports import Clock, Journal, KeyStore, KeyType
from parahost.primitives.basic import (
    BabeId,
    CandidateHash,
    Hash,
    SessionIndex,
    Slot,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.events import BlockImportEvent
from parahost.primitives.header import Extrinsic

OwnSignature = Literal["block", "vote", "statement"]
"""What a key of ours has signed: a block (BABE), a vote on finality (GRANDPA), a statement."""


class Blocks(Protocol):
    """What is asked of imported blocks; ``parahost.chain.Chain`` answers."""

    def author(self, block: Hash) -> tuple[BabeId, Slot]:
        """Who made it, by its verified seal, and for which slot.

        :raises UnknownBlock: when it is not known, or is the genesis block.
        """
        ...

    def body(self, block: Hash) -> tuple[Extrinsic, ...] | None: ...


class OwnPart:
    """Hears of each imported block and records what concerns this node.

    A block that bears our seal, is for a slot that began after this node did, and was not sealed
    here, was made by another machine with our key. What is older may be of an earlier life of ours.
    So may a vote for a block, or a statement on a head, that an earlier life can have known.
    """

    def __init__(
        self,
        journal: Journal,
        keystore: KeyStore,
        clock: Clock,
        parameters: BabeParameters,
        blocks: Blocks,
    ) -> None:
        self._journal = journal
        self._keystore = keystore
        self._blocks = blocks
        self._began = parameters.slot_at(clock.now())
        self._sealed: Hash | None = None
        self._session: SessionIndex | None = None
        self._told: dict[OwnSignature, int] = {}

    def sealed(self, block: Hash) -> None:
        """This node has made a block, which is imported next."""
        self._sealed = block

    def imported(self, event: BlockImportEvent, backed: int) -> None:
        """So many candidates are backed in the block."""
        author, slot = self._blocks.author(event.hash)
        if author not in self._keystore.public_keys(KeyType.BABE):
            return
        where = {"block": event.hash, "number": event.header.number, "slot": slot}
        if event.hash == self._sealed:
            extrinsics = len(self._blocks.body(event.hash) or ())
            self._journal.record("author.made", **where, extrinsics=extrinsics, backed=backed)
        elif slot > self._began:
            self._journal.record("keys.used_elsewhere", what="block", key=author, **where)

    def voted_elsewhere(self, told: TellVoteElsewhere) -> None:
        """A vote of ours has come from others that this node has not cast."""
        target = told.vote.target
        if self._no_earlier_life_knew(target.hash):
            self.on_own_signature_elsewhere(
                "vote",
                told.vote.id,
                told.set_id,
                set=told.set_id,
                round=told.round,
                block=target.hash,
                number=target.number,
            )

    def heard_statement(
        self, session: ChildSession, validator: ValidatorIndex, candidate: CandidateHash
    ) -> None:
        """A statement that is verified, and new to this node, has come from others."""
        key, signing = session.validators[validator], session.signing
        if key in self._keystore.public_keys(KeyType.PARACHAIN) and self._no_earlier_life_knew(
            signing.parent_hash
        ):
            self.on_own_signature_elsewhere(
                "statement",
                key,
                signing.session_index,
                relay_parent=signing.parent_hash,
                candidate=candidate,
                validator=validator,
            )

    def _no_earlier_life_knew(self, block: Hash) -> bool:
        """What is not known is of another fork, or to come; where a key is used there are more."""
        try:
            _, slot = self._blocks.author(block)
        except UnknownBlock:
            return False
        return slot > self._began + SLOTS_AHEAD

    def on_own_signature_elsewhere(
        self, what: OwnSignature, key: bytes, period: int, **where: object
    ) -> None:
        """A valid signature of ``key``, which this node holds, came from others, and no life of
        this node can have made it. Recorded once for each ``period`` in which the key signs: an
        authority set, a session."""
        if self._told.get(what) != period:
            self._told[what] = period
            self._journal.record("keys.used_elsewhere", what=what, key=key, **where)

    def session_is(self, session: SessionIndex, validators: tuple[ValidatorId, ...]) -> None:
        """The session of the best block's children, and its validators by index."""
        if session == self._session:
            return
        self._session = session
        held = self._keystore.public_keys(KeyType.PARACHAIN)
        ours = next((index for index, key in enumerate(validators) if key in held), None)
        self._journal.record(
            "session.began",
            session=session,
            validators=len(validators),
            validator="none" if ours is None else ours,
        )
