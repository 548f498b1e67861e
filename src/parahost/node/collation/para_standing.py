"""What a collator's operator reads of how the para stands, or why it does (D17)."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.ports import Journal
from parahost.primitives.basic import HeadData, ParaId, ValidationCodeHash

STILL_AFTER = 10
"""Relay blocks without a new head of the para, after which that is told; again at each doubling."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the collator's own files say the para begins with."""

    genesis_head: HeadData
    code_hash: ValidationCodeHash


class ParaStanding:
    """Tells of each thing once, and again when it has changed in between."""

    def __init__(self, para_id: ParaId, expected: Expected, journal: Journal) -> None:
        self._para_id = para_id
        self._expected = expected
        self._journal = journal
        self._obstacle = ""
        self._code: ValidationCodeHash = expected.code_hash
        self._last_reason = "nothing is known against its blocks here"
        self._still_for = 0

    def note_obstacle(self, why: str) -> None:
        """No block can be made at all; empty when one can."""
        if why and why != self._obstacle:
            self._tell("collation.no_place", why)
        self._obstacle = why

    def note_first_head(self, head: HeadData) -> None:
        """The head with which the relay chain has the para begin, where that is known."""
        if head != self._expected.genesis_head:
            why = (
                f"the para began with head 0x{head[:16].hex()} ({len(head)} bytes), this collator's"
                f" has 0x{self._expected.genesis_head[:16].hex()}"
                f" ({len(self._expected.genesis_head)} bytes)"
            )
            self._tell("collation.other_genesis", why)

    def note_code(self, code_hash: ValidationCodeHash) -> None:
        """Which code judges the next block."""
        if code_hash != self._code:
            why = (
                f"blocks are judged by code 0x{code_hash.hex()}, this collator's file has"
                f" 0x{self._expected.code_hash.hex()}: right after an upgrade, else not"
            )
            self._tell("collation.other_code", why)
        self._code = code_hash

    def note_not_made(self, reason: str) -> None:
        """The collator had no block; that is told already."""
        self._last_reason = reason

    def note_made(self) -> None:
        self._last_reason = "blocks are made, and not included: see collation.refused"

    def note_block(self, *, moved: bool) -> None:
        """A relay block came, with a new head of the para or without."""
        self._still_for = 0 if moved else self._still_for + 1
        times, rest = divmod(self._still_for, STILL_AFTER)
        if times and not rest and times & (times - 1) == 0:
            why = self._obstacle or self._last_reason
            self._tell("collation.stands", f"no new head for {self._still_for} relay blocks: {why}")

    def _tell(self, event: str, reason: str) -> None:
        self._journal.record(event, para=self._para_id, reason=reason)
