"""Timestamp: what time the block's author says it is. An inherent that each block has once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from parahost.primitives.basic import U64
from parahost.primitives.scale import Compact
from parahost.runtime.babe import Babe
from parahost.runtime.dispatch import DispatchClass
from parahost.runtime.errors import ModuleError, RuntimeBug
from parahost.runtime.module import Module, RuntimeCall, call, entry_point
from parahost.runtime.origin import NoOrigin
from parahost.runtime.pallets import Pallet
from parahost.runtime.storage import Overlay, Reader, StorageValue
from parahost.runtime.weights import micros

# Types


class TimestampTooEarly(ModuleError, index=0):
    """Less than the minimum period after the last block's."""

    def __init__(self, now_ms: int, earliest_ms: int) -> None:
        super().__init__(f"the timestamp is {now_ms} ms, the earliest allowed is {earliest_ms} ms")
        self.now_ms = now_ms
        self.earliest_ms = earliest_ms


class TimestampOutsideSlot(ModuleError, index=1):
    """Not in the slot that the author has claimed."""

    def __init__(self, now_ms: int, slot: int) -> None:
        super().__init__(f"the timestamp {now_ms} ms is not in slot {slot} of the block")
        self.now_ms = now_ms
        self.slot = slot


@call(0, "set", weight=micros(200), dispatch_class=DispatchClass.MANDATORY)
@dataclass(frozen=True, slots=True)
class SetTimestamp(RuntimeCall):
    """``now``: milliseconds since the Unix epoch."""

    now: Annotated[int, Compact(64)]


class Timestamp(Module, pallet=Pallet(3, "Timestamp")):
    """What time the block's author says it is."""

    calls = (SetTimestamp,)
    errors = (TimestampTooEarly, TimestampOutsideSlot)

    # Storage

    now = StorageValue("Now", U64, default=U64(0))
    """The time of the last block, in milliseconds since the Unix epoch."""
    did_update = StorageValue("DidUpdate", bool, default=False)
    """Whether this block has had its timestamp. Ephemeral."""

    def __init__(self, babe: Babe) -> None:
        self._babe = babe

    # Entry points

    @entry_point(SetTimestamp, origin=NoOrigin)
    def set_time(self, store: Overlay, _origin: NoOrigin, call: SetTimestamp) -> None:
        """Set the time.

        :raises TimestampTooEarly: when half a slot has not passed since the last block's time.
        :raises TimestampOutsideSlot: when it is not in the block's slot.
        """
        earliest = self.earliest_ms(store)
        if call.now < earliest:
            raise TimestampTooEarly(call.now, earliest)
        slot = self._babe.current_slot.get(store)
        if call.now // self._babe.slot_duration.get(store) != slot:
            raise TimestampOutsideSlot(call.now, slot)
        self.now.put(store, U64(call.now))
        self.did_update.put(store, True)

    # Routines

    def earliest_ms(self, store: Reader) -> int:
        """The earliest time that a child of the block with this state may have. It lies in the
        child's slot whatever its parent's author said: the parent's time lies in an earlier slot,
        and this is at most half a slot later."""
        previous = self.now.get(store)
        return previous + self.minimum_period_ms(store) if previous else 0

    def minimum_period_ms(self, store: Reader) -> int:
        """How far the times of two successive blocks are apart at least."""
        return self._babe.slot_duration.get(store) // 2

    # Finalisation

    def finalize(self, store: Overlay) -> None:
        if not self.did_update.take(store):
            raise RuntimeBug("a block is about to end without a timestamp")
