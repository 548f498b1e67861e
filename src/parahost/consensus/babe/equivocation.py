"""Noticing an author that makes two blocks for one slot."""

from __future__ import annotations

from parahost.primitives.basic import BabeId, Hash, Slot
from parahost.primitives.consensus import BabeEquivocationProof
from parahost.primitives.header import Header

_SLOTS_KEPT = 1000


class EquivocationDetector:
    """Remembers the verified headers of the last thousand slots."""

    def __init__(self) -> None:
        self._seen: dict[Slot, dict[BabeId, tuple[Hash, Header]]] = {}
        self._reported: set[tuple[Slot, BabeId]] = set()
        self._highest = 0

    def note(self, slot: Slot, author: BabeId, header: Header) -> BabeEquivocationProof | None:
        """Take note of a header whose seal and claim were verified. Gives a proof for the second
        header of an author in a slot, once for each author and slot."""
        if slot + _SLOTS_KEPT <= self._highest:
            return None
        if slot > self._highest:
            self._highest = slot
            self._forget()
        of_slot = self._seen.setdefault(slot, {})
        first_hash, first = of_slot.setdefault(author, (header.hash(), header))
        if first_hash == header.hash() or (slot, author) in self._reported:
            return None
        self._reported.add((slot, author))
        return BabeEquivocationProof(author, slot, first, header)

    def _forget(self) -> None:
        for slot in [s for s in self._seen if s + _SLOTS_KEPT <= self._highest]:
            for author in self._seen.pop(slot):
                self._reported.discard((slot, author))
