"""Bounds: nothing grows without limit, and nobody falls over."""

from __future__ import annotations

from parahost.simulation.checkers.checker import Checker
from parahost.simulation.journal import TraceEvent
from parahost.simulation.record import RecordedBlock

MAX_QUEUE = 4096
"""Messages that may wait for one subsystem."""
CHECKED_EVERY = 8
MAX_UNSETTLED_RECORDS = 4096
"""Rows of a table that finality empties."""
_EMPTIED = ("open", "availability.blocks")
ROWS_PER_BLOCK = 16
"""Rows of a table that keeps what validators have said and done, for each block and each core."""
_KEPT = (
    "availability.chunks",
    "availability.data",
    "availability.due",
    "availability.records",
    "misbehavior",
    "signed",
)


class BoundedQueues(Checker):
    """No queue of an honest node ever gets long."""

    name = "bounded_queues"

    def on_block(self, block: RecordedBlock) -> None:
        if block.number % CHECKED_EVERY == 0:
            self.at_end()

    def at_end(self) -> None:
        for node in self.scene.plan.nodes:
            if not self.scene.is_honest(node.name):
                continue
            for subsystem, longest in self.scene.queues_of(node.name).items():
                if longest > MAX_QUEUE:
                    self.violated(f"{node.name}: {longest} messages waited for {subsystem}")


class BoundedStores(Checker):
    """What finality settles does not pile up on disk, and what is kept grows with the chain, not
    with what others send."""

    name = "bounded_stores"

    def at_end(self) -> None:
        record, shape = self.scene.record, self.scene.plan.shape
        lag = record.best().number - record.last_final().number
        bounds = dict.fromkeys(_EMPTIED, MAX_UNSETTLED_RECORDS + 16 * lag)
        bounds |= dict.fromkeys(
            _KEPT, ROWS_PER_BLOCK * (len(record.blocks) + 16) * (shape.cores + 1)
        )
        for node in self.scene.plan.nodes:
            if not self.scene.is_honest(node.name):
                continue
            disk = self.scene.disk_of(node.name)
            for table, bound in bounds.items():
                rows = sum(1 for _ in disk.scan(table))
                if rows > bound:
                    self.violated(f"{node.name}: {rows} rows in table {table}")


class NodesStayUp(Checker):
    """No honest node goes down of itself (A69), or fails at what a peer does or sends."""

    name = "nodes_stay_up"
    events = ("node.failed", "network.failed")

    def on_event(self, event: TraceEvent) -> None:
        if self.scene.is_honest(event.node) and not self.scene.is_excused(event.node):
            what = "went down" if event.event == "node.failed" else "failed at a peer"
            self.violated(f"{event.node} {what}: {event.fields['reason']}")
