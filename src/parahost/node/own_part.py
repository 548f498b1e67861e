"""What the journal says of this node's own part in the chain: its blocks, its place in a session,
and its keys in somebody else's hands."""

from __future__ import annotations

from typing import Final, Protocol

from parahost.chain.chain import SLOTS_AHEAD
from parahost.chain.errors import UnknownBlock
from parahost.consensus.babe.epochs import BabeParameters
from parahost.node.own_signatures import OwnDeed, OwnSignature, deed_of
from parahost.ports import Clock, Journal, KeyStore, KeyType, Said
from parahost.primitives.basic import (
    BabeId,
    Hash,
    SessionIndex,
    Slot,
    ValidatorId,
)
from parahost.primitives.events import BlockImportEvent
from parahost.primitives.header import Extrinsic

PERIODS_REMEMBERED: Final = 64
"""Kinds of signatures and periods of which it is remembered that they have been told."""


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
        self._first_session: SessionIndex | None = None
        """The one in which this life began."""
        self._told: dict[tuple[OwnSignature, int], None] = {}

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

    def own_key_signed(self, key_type: KeyType, public: bytes, payload: bytes) -> None:
        """A right signature of a key of ours has come from others. It was made elsewhere when our
        record of promises says something else of what it binds, or nothing though no life of ours
        can have made it that the record may lack."""
        deed = deed_of(key_type, payload)
        if deed is None:
            return
        said = self._keystore.said(key_type, public, payload, deed.promises)
        if said is Said.OTHERWISE or (
            said is not Said.BY_US and self._no_unrecorded_life_made(deed, said)
        ):
            self._tell(deed, public)

    def _no_unrecorded_life_made(self, deed: OwnDeed, said: Said) -> bool:
        """Whether no life of ours that the record does not know of can have made it. Such a life
        did not know a block of a slot after this one began. Where no block tells, the record does,
        if it is older than this life: what it lacks is older than the session it was begun in."""
        slot = None if deed.block is None else self._slot_of(deed.block)
        if slot is not None:
            return slot > self._began + SLOTS_AHEAD
        is_of_today = self._first_session is not None and deed.period >= self._first_session
        return said is Said.NOT_BY_US and (deed.what == "vote" or is_of_today)

    def _slot_of(self, block: Hash) -> Slot | None:
        """``None``: what is not known is of another fork, or to come."""
        try:
            return self._blocks.author(block)[1]
        except UnknownBlock:
            return None

    def _tell(self, deed: OwnDeed, public: bytes) -> None:
        """Once for each period in which the key signs so."""
        if (deed.what, deed.period) in self._told:
            return
        self._told[deed.what, deed.period] = None
        if len(self._told) > PERIODS_REMEMBERED:
            del self._told[next(iter(self._told))]
        said = ", ".join(map(str, deed.promises))
        self._journal.record(
            "keys.used_elsewhere",
            what=deed.what,
            key=public,
            period=deed.period,
            block="none" if deed.block is None else deed.block,
            said=said,
        )

    def session_is(self, session: SessionIndex, validators: tuple[ValidatorId, ...]) -> None:
        """The session of the best block's children, and its validators by index."""
        if session == self._session:
            return
        self._session = session
        if self._first_session is None:
            self._first_session = session
        held = self._keystore.public_keys(KeyType.PARACHAIN)
        ours = next((index for index, key in enumerate(validators) if key in held), None)
        self._journal.record(
            "session.began",
            session=session,
            validators=len(validators),
            validator="none" if ours is None else ours,
        )
