"""Finality: one chain of final blocks, for all and for ever."""

from __future__ import annotations

from parahost.simulation.checkers.checker import Checker, Scene
from parahost.simulation.record import RecordedBlock


class NoConflictingFinality(Checker):
    """No two honest nodes hold conflicting blocks for final, and none takes finality back."""

    name = "no_conflicting_finality"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._highest = scene.record.genesis

    def on_final(self, node: str, block: RecordedBlock) -> None:
        before = self.scene.record.final.get(node)
        if before is not None and not block.descends_from(before):
            self.violated(f"{node} took back block {before.number} that it held for final", block)
        higher, lower = sorted((block, self._highest), key=lambda one: one.number, reverse=True)
        if not higher.descends_from(lower):
            self.violated(
                f"{node} holds a block for final that conflicts with the final block "
                f"{self._highest.number} (0x{self._highest.hash.hex()[:8]})",
                block,
            )
        self._highest = higher
