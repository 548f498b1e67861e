"""Why a header is not one that BABE allows. Each is an answer: the block is invalid."""

from __future__ import annotations

from parahost.primitives.basic import Slot
from parahost.runtime.errors import InvalidBlock


class InvalidHeader(InvalidBlock):
    """The header breaks a rule of BABE."""


class MalformedDigest(InvalidHeader):
    """An item of the digest that BABE needs is absent, twice there, or not decodable."""


class SlotNotIncreasing(InvalidHeader):
    def __init__(self, slot: Slot, parent_slot: Slot) -> None:
        super().__init__(f"the slot {slot} is not after the parent's slot {parent_slot}")
        self.slot = slot
        self.parent_slot = parent_slot


class UnknownAuthority(InvalidHeader):
    def __init__(self, index: int, count: int) -> None:
        super().__init__(f"the author's index is {index}, the epoch has {count} authorities")
        self.index = index
        self.count = count


class SlotKindNotAllowed(InvalidHeader):
    """The slot was claimed in a way that this chain does not use (D20)."""


class NotSlotAuthor(InvalidHeader):
    """The slot falls to another authority in turn."""

    def __init__(self, slot: Slot, index: int, expected: int) -> None:
        super().__init__(f"slot {slot} falls to authority {expected}, not to {index}")
        self.slot = slot
        self.index = index
        self.expected = expected


class AboveThreshold(InvalidHeader):
    """The VRF's score does not win the slot."""

    def __init__(self, slot: Slot, score: int, threshold: int) -> None:
        super().__init__(f"slot {slot}: the VRF's score {score} is not below {threshold}")
        self.slot = slot
        self.score = score
        self.threshold = threshold


class BadVrf(InvalidHeader):
    """The VRF proof does not hold for this slot, epoch and author."""


class BadSeal(InvalidHeader):
    """The seal is absent, or not the author's signature over the header without it."""


class WrongEpochAnnouncement(InvalidHeader):
    """The first block of an epoch must announce the next epoch, and no other block may."""
