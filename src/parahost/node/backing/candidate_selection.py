"""Candidate Selection: at most one collation per relay parent is put forward (A81, A82, D17).

Collations are fetched one at a time, in the order in which they were advertised, but collators that
were served least lately go first: who is merely fastest does not win every time. The first that
Candidate Backing finds valid is seconded.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

from parahost.node.backing.assignments import Assignment, learn_assignments
from parahost.node.messages.backing import (
    CollationAdvertised,
    CollationInvalid,
    CollationSeconded,
    CollationUndecided,
    Second,
)
from parahost.node.messages.base import Message, Unanswered
from parahost.node.messages.collation import BanCollator, FetchCollation, NoteGoodCollation
from parahost.node.messages.network import ReportPeer, ReputationChange
from parahost.node.messages.signals import OverseerSignal, StartWork, StopWork
from parahost.node.messages.utility import RuntimeCall
from parahost.node.overseer import Subsystem
from parahost.ports import KeyStore, KeyType
from parahost.primitives.basic import CandidateHash, CollatorId, Hash

MAX_ADVERTISED = 64
"""Advertisements kept per relay parent; one per collator."""
MAX_REMEMBERED = 1024
"""Collators of whom we remember when they were served."""

COST_INVALID_COLLATION = ReputationChange(-1000, "an invalid collation")
BENEFIT_COLLATION = ReputationChange(10, "a collation that was seconded")


@dataclass(slots=True)
class SelectionJob:
    """The work on one relay parent. ``assignment`` is ``None`` until it is known."""

    relay_parent: Hash
    assignment: Assignment | None = None
    advertised: dict[CollatorId, CollationAdvertised] = field(default_factory=dict)
    """What is not fetched yet, in order of arrival."""
    served: dict[CollatorId, None] = field(default_factory=dict)
    in_hand: CollationAdvertised | None = None
    """What is being fetched or judged."""
    candidate: CandidateHash | None = None
    """Its candidate, once it is fetched."""
    is_done: bool = False
    """A candidate was seconded, or there is nothing for us to select."""

    def is_in_hand(self, candidate: CandidateHash) -> bool:
        return self.in_hand is not None and self.candidate == candidate


class CandidateSelection(Subsystem):
    """One job per relay parent, on validators."""

    name = "candidate-selection"
    receives = (CollationAdvertised, CollationInvalid, CollationSeconded, CollationUndecided)
    sends: ClassVar[tuple[type[Message], ...]] = (
        RuntimeCall,
        FetchCollation,
        Second,
        BanCollator,
        NoteGoodCollation,
        ReportPeer,
    )

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._jobs: dict[Hash, SelectionJob] = {}
        self._last_served: OrderedDict[CollatorId, None] = OrderedDict()
        """Least lately first."""

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(relay_parent):
                if self._keys.public_keys(KeyType.PARACHAIN):
                    job = self._jobs[relay_parent] = SelectionJob(relay_parent)
                    self.ctx.spawn(relay_parent, lambda: self._prepare(job), "learn assignments")
            case StopWork(relay_parent):
                self._jobs.pop(relay_parent, None)

    async def _prepare(self, job: SelectionJob) -> None:
        assignments = await learn_assignments(self.ctx, job.relay_parent)
        own = assignments.session.own_index(self._keys)
        job.assignment = assignments.of(own)
        if job.assignment is None:
            job.is_done = True
            job.advertised.clear()
        self._go_on(job)

    # Handlers

    def on_message(self, message: Message) -> None:
        assert isinstance(
            message, CollationAdvertised | CollationInvalid | CollationSeconded | CollationUndecided
        )
        job = self._jobs.get(message.relay_parent)
        if job is None:
            return
        if isinstance(message, CollationAdvertised):
            self._on_advertised(job, message)
        elif job.is_in_hand(message.candidate.hash()):
            self._on_judged(job, message)

    def _on_advertised(self, job: SelectionJob, advertised: CollationAdvertised) -> None:
        collator = advertised.collator
        if not job.is_done and collator not in job.served and len(job.advertised) < MAX_ADVERTISED:
            job.advertised.setdefault(collator, advertised)
            self._go_on(job)

    def _on_judged(
        self, job: SelectionJob, verdict: CollationInvalid | CollationSeconded | CollationUndecided
    ) -> None:
        assert job.in_hand is not None
        collator, peer = job.in_hand.collator, job.in_hand.peer
        match verdict:
            case CollationSeconded():
                job.is_done = True
                job.advertised.clear()
                self.ctx.send(NoteGoodCollation(job.relay_parent, collator))
                self.ctx.send(ReportPeer(peer, BENEFIT_COLLATION))
            case CollationInvalid():
                self._forget(collator)
                self.ctx.send(BanCollator(collator))
                self.ctx.send(ReportPeer(peer, COST_INVALID_COLLATION))
            case CollationUndecided():
                pass  # nobody is to blame; another collator may have more luck
        self._put_down(job)

    # Jobs

    async def _fetch(self, job: SelectionJob, advertised: CollationAdvertised) -> None:
        """Fetch what is in hand and recommend it; a message will bring the verdict."""
        collation = None
        with suppress(Unanswered):
            collation = await self.ctx.ask(
                FetchCollation(
                    job.relay_parent, advertised.para_id, advertised.collator, advertised.peer
                )
            )
        if collation is None:
            self._put_down(job)
            return
        job.candidate = collation.receipt.hash()
        self.ctx.journal.record(
            "selection.recommended",
            relay_parent=job.relay_parent,
            candidate=job.candidate,
            para=advertised.para_id,
            peer=advertised.peer,
        )
        self.ctx.send(Second(job.relay_parent, collation.receipt, collation.pov))

    # Routines

    def _put_down(self, job: SelectionJob) -> None:
        job.in_hand = job.candidate = None
        self._go_on(job)

    def _go_on(self, job: SelectionJob) -> None:
        """Take the next collation in hand, if we are free to and there is one."""
        if job.assignment is None or job.in_hand is not None:
            return
        self._sort_out(job, job.assignment)
        if not job.advertised:
            return
        ranks = {collator: rank for rank, collator in enumerate(self._last_served)}
        collator = min(job.advertised, key=lambda waiting: ranks.get(waiting, -1))
        advertised = job.in_hand = job.advertised.pop(collator)
        job.served[collator] = None
        self._note_served(collator)
        self.ctx.spawn(job.relay_parent, lambda: self._fetch(job, advertised), "fetch collation")

    def _sort_out(self, job: SelectionJob, assignment: Assignment) -> None:
        """Forget advertisements of other paras, and of others than the claim's owner."""
        job.advertised = {
            collator: advertised
            for collator, advertised in job.advertised.items()
            if advertised.para_id == assignment.para_id and assignment.collator in (None, collator)
        }

    def _note_served(self, collator: CollatorId) -> None:
        self._last_served[collator] = None
        self._last_served.move_to_end(collator)
        if len(self._last_served) > MAX_REMEMBERED:
            self._last_served.popitem(last=False)

    def _forget(self, collator: CollatorId) -> None:
        """A collator is banned: what it advertised elsewhere counts no more either. For how long,
        Collation Distribution knows, which hears it no more."""
        for job in self._jobs.values():
            job.advertised.pop(collator, None)
