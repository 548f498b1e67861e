"""Which past code of a para is kept, and which code held when (A11, A20)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from parahost.primitives.basic import BlockNumber


@dataclass(frozen=True, slots=True)
class ReplacementTimes:
    """The two times of a code replacement."""

    expected_at: BlockNumber
    """From the para's perspective: its blocks with a later relay parent have the new code."""
    activated_at: BlockNumber
    """The block that included the activating candidate: the old code's acceptance period
    begins."""


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
    """The replacements of a para's code, ascending in both times. ``expected_at`` is the second
    key into ``PastCode``."""

    upgrade_times: tuple[ReplacementTimes, ...] = ()
    last_pruned: BlockNumber | None = None
    """``expected_at`` of the latest replacement whose old code is gone."""

    def most_recent_change(self) -> BlockNumber | None:
        """When the code was last expected to change, as far as it is known."""
        return self.upgrade_times[-1].expected_at if self.upgrade_times else self.last_pruned

    def code_at(self, at: BlockNumber) -> UseCodeAt | None:
        """The code in the context of block ``at``; ``None`` when it is pruned."""
        if self.last_pruned is not None and at <= self.last_pruned:
            return None
        for times in self.upgrade_times:
            if times.expected_at >= at:
                return UseReplacedAt(times.expected_at)
        return UseCurrent()

    def with_replacement(
        self, expected_at: BlockNumber, activated_at: BlockNumber
    ) -> ParaPastCodeMeta:
        times = ReplacementTimes(expected_at, activated_at)
        return replace(self, upgrade_times=(*self.upgrade_times, times))

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
        return ParaPastCodeMeta(self.upgrade_times[len(gone) :], gone[-1]), gone
