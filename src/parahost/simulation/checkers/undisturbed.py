"""Strangers: whatever they do, the chain does as well as without them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import trio

from parahost.consensus.babe.digests import pre_digest_of
from parahost.simulation.checkers import reading
from parahost.simulation.checkers.checker import Checker
from parahost.simulation.record import RecordedBlock


class StrangersChangeNothing(Checker):
    """In a run without faults and without adversaries that have any stake, each slot has its block,
    finality follows, and each parachain has its blocks. The bounds are those of runs in which
    nobody says anything wrong, with the slowest links that the hunt draws."""

    name = "strangers_change_nothing"
    MOST_EMPTY_SLOTS = 1
    """One after the other: a block that comes late may lose to the next."""
    MOST_UNFINAL = 6
    """Blocks that finality may be behind."""
    HEADS_MOVE_WITHIN = 6
    """Blocks, from the first that can include one on."""

    def at_end(self) -> None:
        if not self.scene.is_undisturbed():
            return
        chain = list(self.scene.record.best().ancestry())[::-1]
        self._check_slots(chain)
        self._check_finality(chain[-1])
        self._check_heads(chain)

    def _check_slots(self, chain: Sequence[RecordedBlock]) -> None:
        for before, block in pairwise(chain[1:]):  # genesis has no slot
            empty = _slot(block) - _slot(before) - 1
            if empty > self.MOST_EMPTY_SLOTS:
                self.violated(f"{empty} slots without a block before it", block)

        longest_s = (self.MOST_EMPTY_SLOTS + 2) * self.scene.plan.shape.slot_s
        first_s = chain[1].at if len(chain) > 1 else 0.0
        if first_s > longest_s:
            self.violated(f"no block for {first_s:.0f} s before it", chain[1])
        silent_s = trio.current_time() - chain[-1].at
        if silent_s > longest_s:
            self.violated(f"no block for {silent_s:.0f} s", chain[-1])

    def _check_finality(self, best: RecordedBlock) -> None:
        for node in self.scene.plan.validators:
            final = self.scene.record.final.get(node.name, self.scene.record.genesis)
            if best.number - final.number > self.MOST_UNFINAL:
                self.violated(f"{node.name} holds block {final.number} for final", best)

    def _check_heads(self, chain: Sequence[RecordedBlock]) -> None:
        for para in self.scene.plan.parachains:
            moved_at = 0
            for before, block in pairwise(chain):
                if reading.head(block.state, para.id) != reading.head(before.state, para.id):
                    moved_at = block.number
                if block.number - moved_at > self.HEADS_MOVE_WITHIN:
                    self.violated(f"para {para.id} has not moved since block {moved_at}", block)


def _slot(block: RecordedBlock) -> int:
    return pre_digest_of(block.header).slot
