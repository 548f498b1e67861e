"""Liveness: when the trouble is over, everything moves on."""

from __future__ import annotations

import trio

from parahost.primitives.basic import U32, ParaId
from parahost.simulation.checkers import reading
from parahost.simulation.checkers.checker import Checker
from parahost.simulation.plan import collator_name
from parahost.simulation.record import RecordedBlock

HEADS_MOVE_WITHIN = 12
"""Blocks: two for a candidate's way, as many again for each group that is asleep, and time to find
back together."""
FINAL_WITHIN = 12
"""Blocks that finality may lag behind the best chain."""


class HeadsMove(Checker):
    """After the last fault, the head of each para with an honest collator moves at least once in so
    many blocks; parathreads take turns, so each waits for all. Blocks do not count while too many
    of the group that serves the para are disabled: nobody can back anything then."""

    name = "heads_move"

    def at_end(self) -> None:
        chain = [
            block
            for block in self.scene.record.best().ancestry()
            if block.at >= self.scene.calm_since()
        ][::-1]
        threads = self.scene.plan.parathreads
        for para in self.scene.plan.paras:
            within = HEADS_MOVE_WITHIN * (1 + len(threads) if para in threads else 1)
            if not self.scene.is_honest(collator_name(para)):
                continue
            waited, head = 0, None
            for block in chain:
                current = reading.head(block.state, para.id)
                if current != head:
                    waited, head = 0, current
                elif _can_be_backed(block, para.id):
                    waited += 1
                if waited > within:
                    self.violated(f"para {para.id} has not moved for {waited} blocks", block)
                    break


def _can_be_backed(block: RecordedBlock, para: int) -> bool:
    """Whether a majority of the group that serves the para in the block may take part. A parathread
    can be served by any group that has no parachain."""
    state = (block.parent or block).state
    chains = reading.parachains(state)
    cores = len(reading.groups(state))
    served = [chains.index(ParaId(U32(para)))] if para in chains else range(len(chains), cores)
    disabled = reading.disabled(state)
    for core in served:
        group = reading.group_serving(state, core, block.number)
        if 2 * len(disabled.intersection(group)) >= len(group) > 0:
            return False
    return True


class FinalityCatchesUp(Checker):
    """After the last fault, finality follows the best chain at a bounded distance."""

    name = "finality_catches_up"

    def at_end(self) -> None:
        best = self.scene.record.best()
        calm = [block for block in best.ancestry() if block.at >= self.scene.calm_since()]
        if len(calm) <= FINAL_WITHIN:
            return
        for node in self.scene.plan.validators:
            if self.scene.is_damaged(node.name) or not self.scene.is_honest(node.name):
                continue
            final = self.scene.record.final.get(node.name, self.scene.record.genesis)
            if best.number - final.number > FINAL_WITHIN:
                self.violated(
                    f"{node.name} holds block {final.number} for final, the best is {best.number}"
                )


class ChainGrows(Checker):
    """After the last fault, blocks keep coming: no gap of so many slots without one."""

    name = "chain_grows"
    MAX_GAP_SLOTS = 8

    def at_end(self) -> None:
        chain: list[RecordedBlock] = list(self.scene.record.best().ancestry())[::-1]
        gap_s = self.MAX_GAP_SLOTS * self.scene.plan.shape.slot_s
        previous = self.scene.calm_since()
        for block in chain[1:]:
            if block.at > previous and block.at - previous > gap_s:
                self.violated(f"no block for {block.at - previous:.0f} s", block)
            previous = max(previous, block.at)
        if trio.current_time() - previous > gap_s:
            self.violated(f"no block for {trio.current_time() - previous:.0f} s", chain[-1])
