"""What one sees of the bus: whether each subsystem gets its messages, and keeps up with them."""

from __future__ import annotations

from typing import Final

from parahost.metrics.metric import Counter, Gauge, Metric

_BY_SUBSYSTEM = ("subsystem_name",)

RELAYED = Counter("polkadot_parachain_messages_relayed_total", "Messages between subsystems.")
ACTIVATED = Counter(
    "polkadot_parachain_activated_heads_total", "Blocks on which work has begun (A66, A67)."
)
DEACTIVATED = Counter(
    "polkadot_parachain_deactivated_heads_total", "Blocks on which work has ended (A68)."
)
ACTIVE_LEAVES = Gauge("parahost_active_leaves", "Blocks that are built on now.")
MESSAGES = Counter(
    "parahost_subsystem_messages_total", "Messages sent to a subsystem.", _BY_SUBSYSTEM
)
QUEUE = Gauge("parahost_subsystem_queue_length", "Messages that wait for it now.", _BY_SUBSYSTEM)
LONGEST_QUEUE = Gauge(
    "parahost_subsystem_queue_longest",
    "The most messages that have waited for it at a time.",
    _BY_SUBSYSTEM,
)
JOBS = Gauge("parahost_subsystem_jobs", "Jobs that it has under way.", _BY_SUBSYSTEM)

BUS_METRICS: Final[tuple[Metric, ...]] = (
    RELAYED,
    ACTIVATED,
    DEACTIVATED,
    ACTIVE_LEAVES,
    MESSAGES,
    QUEUE,
    LONGEST_QUEUE,
    JOBS,
)
