"""What the node reaches the world through. Each port has a real and a simulated form; nothing
below ``cli`` and ``simulation`` constructs one, everything is handed them."""

from parahost.ports.clock import Clock
from parahost.ports.collator import BuildContext, Collator, ParachainBlock
from parahost.ports.database import Batch, Database, DatabaseDamaged, DatabaseError
from parahost.ports.executor import Executor
from parahost.ports.journal import Journal
from parahost.ports.keystore import (
    ContradictionRefused,
    KeysNotKept,
    KeyStore,
    KeyType,
    Said,
    VrfSignature,
)
from parahost.ports.network import (
    Network,
    NetworkEvent,
    Notification,
    NotificationProtocol,
    ObservedRole,
    PeerConnected,
    PeerDisconnected,
    PeerSteering,
    RequestFailed,
    RequestProtocol,
)
from parahost.ports.promises import Promise
from parahost.ports.random import Random
from parahost.ports.validation import (
    ExecutionKind,
    ExecutionOutcome,
    Failed,
    Returned,
    Undecided,
    ValidationHost,
)
from parahost.ports.verifier import Verifier

__all__ = [
    "Batch",
    "BuildContext",
    "Clock",
    "Collator",
    "ContradictionRefused",
    "Database",
    "DatabaseDamaged",
    "DatabaseError",
    "ExecutionKind",
    "ExecutionOutcome",
    "Executor",
    "Failed",
    "Journal",
    "KeyStore",
    "KeyType",
    "KeysNotKept",
    "Network",
    "NetworkEvent",
    "Notification",
    "NotificationProtocol",
    "ObservedRole",
    "ParachainBlock",
    "PeerConnected",
    "PeerDisconnected",
    "PeerSteering",
    "Promise",
    "Random",
    "RequestFailed",
    "RequestProtocol",
    "Returned",
    "Said",
    "Undecided",
    "ValidationHost",
    "Verifier",
    "VrfSignature",
]
