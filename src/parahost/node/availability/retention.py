"""How long data is kept: the rules, apart from the disk (A99, A100).

A candidate's record follows it through the chain. While it may yet become available, an hour is
counted from the last sign of it; once some block has included it, nothing is counted until
finality says whether that block stays; from then on a day for the PoV, an hour more for chunks.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from parahost.primitives.basic import U64, BlockNumber, CandidateHash, Hash
from parahost.primitives.values import dataclass

HOUR_S = 60.0 * 60
DAY_S = 24 * HOUR_S


@dataclass(frozen=True, slots=True)
class Retention:
    """Keeping times, in seconds."""

    unbacked_s: float = HOUR_S
    """From the moment at which it was stored or last backed, while no block includes it."""
    pov_s: float = DAY_S
    """From the finality of a block that included it."""
    chunks_s: float = DAY_S + HOUR_S
    """Likewise."""


@dataclass(frozen=True, slots=True)
class RelayBlock:
    """A relay chain block."""

    number: BlockNumber
    hash: Hash


@dataclass(frozen=True, slots=True)
class BlockNote:
    """What a block did: the candidates that it backed, and those that it included."""

    backed: tuple[CandidateHash, ...]
    included: tuple[CandidateHash, ...]

    def candidates(self) -> tuple[CandidateHash, ...]:
        return tuple(dict.fromkeys(self.backed + self.included))


class Expiry(Enum):
    """What falls due."""

    POV = "the PoV"
    ALL = "everything"


@dataclass(frozen=True, slots=True)
class CandidateRecord:
    """What the store knows of a candidate. Times are in milliseconds since the Unix epoch.

    ``since`` is when the hour of an unbacked candidate began. ``backed_in`` and ``included_in``
    are all competing blocks that did so (A100). ``final_at`` is when one that included it became
    final.
    """

    since: U64
    backed_in: tuple[RelayBlock, ...] = ()
    included_in: tuple[RelayBlock, ...] = ()
    final_at: U64 | None = None
    pov_pruned: bool = False

    def backed(self, block: RelayBlock, now: U64) -> CandidateRecord:
        return replace(self.renewed(now), backed_in=_with(self.backed_in, block))

    def included(self, block: RelayBlock) -> CandidateRecord:
        return replace(self, included_in=_with(self.included_in, block))

    def finalized(self, block: RelayBlock, now: U64) -> CandidateRecord:
        """``block``, which did something to the candidate, is final."""
        if block not in self.included_in or self.final_at is not None:
            return self
        return replace(self, final_at=now)

    def orphaned(self, block: RelayBlock, now: U64) -> CandidateRecord:
        """``block`` can never become final. When the last including block goes, the candidate
        has its hour again: another fork may still back it."""
        left = _without(self.included_in, block)
        return replace(
            self,
            backed_in=_without(self.backed_in, block),
            included_in=left,
            since=now if self.included_in and not left else self.since,
        )

    def renewed(self, now: U64) -> CandidateRecord:
        """There is a sign of the candidate: its hour begins anew."""
        return replace(self, since=max(self.since, now))

    def without_pov(self) -> CandidateRecord:
        return replace(self, pov_pruned=True)

    def due(self, retention: Retention) -> tuple[U64, Expiry] | None:
        """When what is to be pruned next; ``None`` while finality has to speak first."""
        if self.final_at is None:
            if self.included_in:
                return None
            return _after(self.since, retention.unbacked_s), Expiry.ALL
        if not self.pov_pruned:
            return _after(self.final_at, retention.pov_s), Expiry.POV
        return _after(self.final_at, retention.chunks_s), Expiry.ALL


def _after(start: int, seconds: float) -> U64:
    return U64(start + int(seconds * 1000))


def _with(blocks: tuple[RelayBlock, ...], block: RelayBlock) -> tuple[RelayBlock, ...]:
    return blocks if block in blocks else (*blocks, block)


def _without(blocks: tuple[RelayBlock, ...], block: RelayBlock) -> tuple[RelayBlock, ...]:
    return tuple(other for other in blocks if other != block)
