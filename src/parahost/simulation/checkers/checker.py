"""What a checker is: it watches a run, and says whether a promise of the guide was kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import trio

from parahost.ports import Database, KeyType
from parahost.primitives.basic import Hash
from parahost.runtime.storage import State
from parahost.simulation.journal import TraceEvent
from parahost.simulation.memory import Held
from parahost.simulation.plan import NetworkPlan
from parahost.simulation.record import ChainRecord, RecordedBlock

OK = "ok"


@dataclass(frozen=True, slots=True)
class SignatureMade:
    """A node has signed something."""

    node: str
    key_type: KeyType
    public: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class Scene:
    """What checkers may look at; nodes are told by their names."""

    plan: NetworkPlan
    record: ChainRecord
    is_honest: Callable[[str], bool]
    """Whether nothing is done to its behaviour."""
    disk_of: Callable[[str], Database]
    """Its database as it is now."""
    state_of: Callable[[str, Hash], State]
    """The state that the node, which runs, has for a block."""
    queues_of: Callable[[str], dict[str, int]]
    """The longest that each queue of the node has been in this life of it; none when it is down."""
    memory_of: Callable[[str], Mapping[str, Held]]
    """What the node holds in its memory now, by part and attribute; nothing when it is down."""
    is_excused: Callable[[str], bool]
    """Whether a fault gave the node reason to go down."""
    is_damaged: Callable[[str], bool]
    """Whether a fault has changed what is on its disk."""
    calm_since: Callable[[], float]
    """When the last fault ended, in virtual seconds; infinite while one lasts or is to come."""
    is_undisturbed: Callable[[], bool]
    """Whether the run has had no faults until now, and has no adversaries but strangers."""

    def may_be_trusted(self, validators: Iterable[bytes]) -> bool:
        """Whether at most f of the validators with these keys are dishonest: what is promised of
        validity is promised for these alone."""
        owners = [self.plan.owner_of(key) for key in validators]
        dishonest = sum(owner is None or not self.is_honest(owner) for owner in owners)
        return 3 * dishonest < len(owners)


class Checker:
    """Derive from it, give it a ``name`` and override what it needs to hear.

    A checker that has found one violation has done its work: it hears nothing more.
    """

    name: ClassVar[str]
    events: ClassVar[tuple[str, ...]] = ()
    """The events of the trace that it wants to hear of."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.verdict = OK
        """``ok``, or what was violated first: what, where, by whom, when."""

    @property
    def is_ok(self) -> bool:
        return self.verdict == OK

    def violated(self, what: str, block: RecordedBlock | None = None) -> None:
        """The promise is broken."""
        if not self.is_ok:
            return
        where = "" if block is None else f" in block {block.number} (0x{block.hash.hex()[:8]})"
        self.verdict = f"{what}{where}, at {trio.current_time():.3f} s"

    # What it may hear

    def on_block(self, block: RecordedBlock) -> None:
        """A block was imported by an honest node, as the first to do so."""

    def on_import(self, node: str, block: RecordedBlock) -> None:
        """An honest node has imported a block."""

    def on_final(self, node: str, block: RecordedBlock) -> None:
        """An honest node holds a block for final."""

    def on_event(self, event: TraceEvent) -> None:
        """A node has recorded something, or something happened to it: one of ``events``."""

    def on_signature(self, signature: SignatureMade) -> None:
        """A node has signed something."""

    def at_end(self) -> None:
        """The run is over; nodes stand as they were."""
