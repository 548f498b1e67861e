"""Which past code of a para is kept, and which code held when (A11, A20).

A para may live several times: it is deregistered, and another is registered under its number. What
is past may be checked and disputed for as long as it is kept; nothing of it reaches into the next
life.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from parahost.primitives.basic import BlockNumber, block_at

GENESIS_BLOCK = block_at(0)


@dataclass(frozen=True, slots=True)
class ReplacementTimes:
    """The times of a code replacement, or of the end of a para's life, which replaces its code by
    none. Blocks of the para whose relay parent is from ``used_from`` to ``used_until``, both
    included, were judged by the old code, and no others."""

    expected_at: BlockNumber
    """When new code was expected: the first block of the para with this relay parent or a later
    one was the last that the old code judged."""
    activated_at: BlockNumber
    """The block that included that one: the old code's acceptance period begins."""
    used_from: BlockNumber
    used_until: BlockNumber


@dataclass(frozen=True, slots=True)
class UseCurrent:
    """The para's current code."""


@dataclass(frozen=True, slots=True)
class UseReplacedAt:
    """The code whose replacement was expected at that block."""

    expected_at: BlockNumber


UseCodeAt = UseCurrent | UseReplacedAt


@dataclass(frozen=True, slots=True)
class ParaPastCodeMeta:
    """The replacements of a para's code, ascending in all times. ``expected_at`` is the second
    key into ``PastCode``."""

    upgrade_times: tuple[ReplacementTimes, ...] = ()
    last_pruned: BlockNumber | None = None
    """``expected_at`` of the latest replacement whose old code is gone."""
    born_at: BlockNumber = GENESIS_BLOCK
    """The first relay parent of the para's present life."""
    current_from: BlockNumber = GENESIS_BLOCK
    """The first relay parent whose blocks the current code judges."""

    def most_recent_change(self) -> BlockNumber | None:
        """When the code was last expected to change; ``None`` while the present life has its first
        code."""
        if self.current_from == self.born_at:
            return None
        return self.upgrade_times[-1].expected_at if self.upgrade_times else self.last_pruned

    def code_at(self, at: BlockNumber) -> UseCodeAt | None:
        """The code for blocks of the para with the relay parent ``at``; ``None`` when it is pruned,
        or the para was not there."""
        if at >= self.current_from:
            return UseCurrent()
        for times in self.upgrade_times:
            if times.used_from <= at <= times.used_until:
                return UseReplacedAt(times.expected_at)
        return None

    def with_replacement(
        self, expected_at: BlockNumber, activated_at: BlockNumber, used_until: BlockNumber
    ) -> ParaPastCodeMeta:
        """With one more: the old code judged blocks with relay parents up to ``used_until``."""
        times = ReplacementTimes(expected_at, activated_at, self.current_from, used_until)
        return replace(
            self,
            upgrade_times=(*self.upgrade_times, times),
            current_from=block_at(used_until + 1),
        )

    def reborn(self, at: BlockNumber) -> ParaPastCodeMeta:
        """At the beginning of another life: blocks with relay parents from ``at`` on are its."""
        return replace(self, born_at=at, current_from=at)

    def pruned_up_to(
        self, activated_at: BlockNumber
    ) -> tuple[ParaPastCodeMeta, tuple[BlockNumber, ...]]:
        """Without the replacements activated at or before that block, and when these were
        expected."""
        gone = tuple(
            times.expected_at for times in self.upgrade_times if times.activated_at <= activated_at
        )
        if not gone:
            return self, ()
        kept = self.upgrade_times[len(gone) :]
        return replace(self, upgrade_times=kept, last_pruned=gone[-1]), gone
