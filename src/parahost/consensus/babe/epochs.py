"""Epochs: which authorities and which randomness hold in which slot, on which fork.

The first block of each epoch announces the authorities and the randomness of the next one; so
what holds depends on the fork, and an :class:`EpochView` goes with each block. The genesis epoch
begins with the slot of the first block. When no block is authored in a whole epoch or several,
the announced data goes to the epoch in which the next block appears, with its own index and
start, as in Substrate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from parahost.consensus.babe.digests import announced_epoch
from parahost.consensus.babe.errors import WrongEpochAnnouncement
from parahost.primitives.basic import H256, U64, Slot
from parahost.primitives.consensus import AllowedSlots, BabeAuthorities, NextEpochData
from parahost.primitives.header import Header
from parahost.runtime.babe import Babe
from parahost.runtime.storage import Reader

_CLOCK_GRAIN_MS = 0.001
"""Today's time in double precision is exact to a quarter of this: without it, the very start of a
slot might count as the end of the one before."""


@dataclass(frozen=True, slots=True)
class BabeParameters:
    """How slots follow one another, which stays the same for the whole chain, and how they are
    claimed, which an epoch may change for the next. ``c`` is the part of slots that have a primary
    author, as numerator and denominator; the epoch's length is in slots."""

    slot_duration_ms: U64
    epoch_length: U64
    c: tuple[U64, U64]
    allowed_slots: AllowedSlots = AllowedSlots.PRIMARY_AND_SECONDARY_VRF

    def slot_at(self, seconds: float) -> Slot:
        """The slot of a moment, in seconds since the Unix epoch."""
        return Slot(U64(int(seconds * 1000 + _CLOCK_GRAIN_MS) // self.slot_duration_ms))

    def start_of(self, slot: int) -> float:
        """When a slot begins, in seconds since the Unix epoch."""
        return slot * self.slot_duration_ms / 1000

    @property
    def slot_duration_s(self) -> float:
        return self.slot_duration_ms / 1000


@dataclass(frozen=True, slots=True)
class Epoch:
    """One epoch on one fork; ``start`` is its first slot."""

    index: U64
    start: Slot
    authorities: BabeAuthorities
    randomness: H256
    parameters: BabeParameters


@dataclass(frozen=True, slots=True)
class EpochView:
    """What the chain up to one block says about epochs: the block's own epoch (``None`` for the
    genesis block, which has no slot), and the parameters and data for the one after it."""

    parameters: BabeParameters
    current: Epoch | None
    next: NextEpochData

    @classmethod
    def at_genesis(
        cls, parameters: BabeParameters, authorities: BabeAuthorities, randomness: H256
    ) -> EpochView:
        """The view of the genesis block: the data is that of the first epoch."""
        return cls(parameters, None, NextEpochData(authorities, randomness))

    @classmethod
    def of_genesis(cls, state: Reader) -> EpochView:
        """The view of the genesis block, whose state this is.

        :raises ValueError: when the state has no configuration of BABE.
        """
        config = Babe.epoch_config.get(state)
        if config is None:
            raise ValueError("the genesis state has no Babe.EpochConfig")
        parameters = BabeParameters(
            Babe.slot_duration.get(state),
            Babe.epoch_duration.get(state),
            config.c,
            config.allowed_slots,
        )
        return cls.at_genesis(parameters, Babe.authorities.get(state), Babe.randomness.get(state))

    def epoch_at(self, slot: Slot) -> Epoch:
        """The epoch of a child that is authored in ``slot``; the slot is after this block's."""
        if self.current is None:
            return Epoch(U64(0), slot, self.next.authorities, self.next.randomness, self.parameters)
        length = self.parameters.epoch_length
        later = max(0, slot - self.current.start) // length
        if later == 0:
            return self.current
        return replace(
            self.current,
            index=U64(self.current.index + later),
            start=Slot(U64(self.current.start + later * length)),
            authorities=self.next.authorities,
            randomness=self.next.randomness,
            parameters=self.parameters,
        )

    def after(self, header: Header, epoch: Epoch) -> EpochView:
        """The view of a child with this header, which lies in ``epoch``. It is this same object
        unless the child begins an epoch.

        :raises WrongEpochAnnouncement: when the child begins an epoch and announces none, or
            announces one and begins none.
        :raises MalformedDigest: when the announcement cannot be read.
        """
        announced = announced_epoch(header)
        begins = self.current is None or epoch.index != self.current.index
        if begins != (announced is not None):
            verb = "begins" if begins else "does not begin"
            raise WrongEpochAnnouncement(
                f"the block {verb} epoch {epoch.index} and announces "
                f"{'an' if announced else 'no'} epoch"
            )
        if announced is None:
            return self
        changed = announced.configuration
        parameters = self.parameters
        if changed is not None:
            parameters = replace(parameters, c=changed.c, allowed_slots=changed.allowed_slots)
        return EpochView(parameters, epoch, announced.data)
