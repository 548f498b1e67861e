"""The overseer and what a subsystem is handed (A66-A71)."""

from parahost.node.overseer.context import Context, Subsystem
from parahost.node.overseer.graph import GraphError, MessageGraph
from parahost.node.overseer.overseer import (
    Interceptor,
    Overseer,
    QueueOverflow,
    QueueStats,
    SubsystemFailed,
    UndeclaredMessage,
)
from parahost.node.overseer.scope import Scope

__all__ = [
    "Context",
    "GraphError",
    "Interceptor",
    "MessageGraph",
    "Overseer",
    "QueueOverflow",
    "QueueStats",
    "Scope",
    "Subsystem",
    "SubsystemFailed",
    "UndeclaredMessage",
]
