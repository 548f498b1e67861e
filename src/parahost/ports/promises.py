"""What a key says once: the promises of the key store, named by what they bind (D16, D36).

A promise binds a subject, such as the slot of a block or a candidate, to one thing that is said of
it. For most subjects that is the payload itself: one block in a slot, one vote in a stage of a
round. Of a candidate much is said, in several places and forms: it is seconded or found valid at
its relay parent, approved, voted for or against in a dispute. All of these are one
:func:`verdict`, and whoever signs one of them binds it, so that no two contradict each other.

The names are kept on disk and must not change.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from parahost.primitives.basic import CandidateHash, Hash, ParaId, Slot


class Subject(Enum):
    """What is promised about. No value begins with another: a name has one meaning."""

    BLOCK = b"babe"
    VOTE = b"ballot"
    SECONDED = b"seconded"
    STATEMENT = b"statement"
    VERDICT = b"verdict"
    BITFIELD = b"bitfield"
    COLLATION = b"collation"


@dataclass(frozen=True, slots=True)
class Promise:
    """Of this subject, the key says one thing: the payload, or ``says``, which several payloads may
    have in common."""

    subject: Subject
    which: bytes
    says: bytes | None = None

    @property
    def name(self) -> bytes:
        return self.subject.value + self.which

    def __str__(self) -> str:
        return f"{self.subject.name.lower()} {self.which.hex()}"


def block(slot: Slot) -> Promise:
    """One block in a slot."""
    return Promise(Subject.BLOCK, slot.to_bytes(8, "little"))


def vote(set_id: int, round_number: int, stage: int) -> Promise:
    """One vote in a stage of a round of an authority set."""
    place = set_id.to_bytes(8, "big") + round_number.to_bytes(8, "big")
    return Promise(Subject.VOTE, place + bytes([stage]))


def seconded(relay_parent: Hash) -> Promise:
    """One candidate seconded at a relay parent (A77)."""
    return Promise(Subject.SECONDED, relay_parent)


def statement(relay_parent: Hash, candidate: CandidateHash) -> Promise:
    """One statement about a candidate at its relay parent: who seconds does not state again."""
    return Promise(Subject.STATEMENT, relay_parent + candidate)


def verdict(candidate: CandidateHash, *, valid: bool) -> Promise:
    """One verdict on a candidate, however it is given: by a statement, an approval, or a vote in
    a dispute. The candidate's hash names its relay parent, and so its session."""
    return Promise(Subject.VERDICT, candidate, b"valid" if valid else b"invalid")


def bitfield(relay_parent: Hash) -> Promise:
    """One bitfield at a relay parent."""
    return Promise(Subject.BITFIELD, relay_parent)


def collation(relay_parent: Hash, para_id: ParaId) -> Promise:
    """One collation of a para at a relay parent (D17)."""
    return Promise(Subject.COLLATION, relay_parent + para_id.to_bytes(4, "little"))
