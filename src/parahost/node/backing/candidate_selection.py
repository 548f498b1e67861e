"""Candidate Selection: at most one collation per relay parent is put forward (A81, A82, D17).

Collators have turns of a second in which to deliver, one after the other, in the order of
:mod:`~parahost.node.backing.collator_records`. Who needs longer goes on beside the next one's
turn, and one that is known to deliver does not wait for a stranger's turn to end. So silence costs
a group a second at most, and a good collator nothing. The first collation that Candidate Backing
finds valid is seconded.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

import trio

from parahost.node.backing.assignments import ParaAssignment
from parahost.node.backing.collator_records import CollatorRecords, Standing
from parahost.node.messages.backing import (
    CollationAdvertised,
    CollationInvalid,
    CollationSeconded,
    CollationUndecided,
    Second,
)
from parahost.node.messages.base import Message, Unanswered
from parahost.node.messages.collation import (
    BanCollator,
    ExplainToCollator,
    FetchCollation,
    NoteGoodCollation,
)
from parahost.node.messages.network import ReportPeer, ReputationChange
from parahost.node.messages.signals import OverseerSignal, StartWork, StopWork
from parahost.node.overseer import Subsystem
from parahost.ports import KeyStore
from parahost.primitives.basic import CandidateHash, CollatorId, Hash
from parahost.primitives.candidates import Collation

MAX_ADVERTISED = 64
"""Advertisements kept per relay parent; one per collator. The one that is asked last gives way."""
TURN_S = 1.0
"""How long one collator may let all others wait (D17)."""

COST_INVALID_COLLATION = ReputationChange(-100, "an invalid collation")
"""The collator is banned besides. Its node may stay, unless it comes with key after key."""
BENEFIT_COLLATION = ReputationChange(10, "a collation that was seconded")


@dataclass(eq=False, slots=True)
class Turn:
    """A collator's time to deliver. It may go on delivering when its turn is over."""

    advertised: CollationAdvertised
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of an advertisement."""

    advertised: CollationAdvertised
    collation: Collation


@dataclass(slots=True)
class SelectionJob:
    """The work on one relay parent."""

    relay_parent: Hash
    assignment: ParaAssignment
    advertised: dict[CollatorId, CollationAdvertised] = field(default_factory=dict)
    """What is not fetched yet, in order of arrival."""
    asked: dict[CollatorId, None] = field(default_factory=dict)
    turn: Turn | None = None
    """For whom the others wait."""
    delivered: deque[Delivery] = field(default_factory=deque)
    """What waits to be judged."""
    in_hand: Delivery | None = None
    """What is being judged."""
    is_done: bool = False
    """A candidate was seconded."""

    def wants(self, advertised: CollationAdvertised) -> bool:
        """Whether it is of our para, by a collator that may deliver, and news."""
        collator, owner = advertised.collator, self.assignment.collator
        return (
            not self.is_done
            and advertised.para_id == self.assignment.para_id
            and owner in (None, collator)
            and collator not in self.asked
            and collator not in self.advertised
        )

    def is_in_hand(self, candidate: CandidateHash) -> bool:
        return self.in_hand is not None and self.in_hand.collation.receipt.hash() == candidate

    def finish(self) -> None:
        self.is_done = True
        self.turn = None
        self.advertised.clear()
        self.delivered.clear()


class CandidateSelection(Subsystem):
    """One job per relay parent at which this node is a validator with something to select."""

    name = "candidate-selection"
    receives = (CollationAdvertised, CollationInvalid, CollationSeconded, CollationUndecided)
    sends: ClassVar[tuple[type[Message], ...]] = (
        FetchCollation,
        Second,
        BanCollator,
        ExplainToCollator,
        NoteGoodCollation,
        ReportPeer,
    )

    def __init__(self, keys: KeyStore) -> None:
        self._keys = keys
        self._jobs: dict[Hash, SelectionJob] = {}
        self._records = CollatorRecords()

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(leaf):
                own = leaf.session.own_index(self._keys)
                if own is not None and (assignment := leaf.assignments.of(own)) is not None:
                    self._jobs[leaf.hash] = SelectionJob(leaf.hash, assignment)
            case StopWork(relay_parent):
                self._leave(relay_parent)

    def _leave(self, relay_parent: Hash) -> None:
        """The next relay block has come. Whose collation was still being judged hears of it."""
        job = self._jobs.pop(relay_parent, None)
        if job is not None and job.in_hand is not None:
            why = "the next relay block came before it was judged"
            peer = job.in_hand.advertised.peer
            self.ctx.send(ExplainToCollator(relay_parent, peer, why))

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
        if not job.wants(advertised):
            return
        job.advertised[advertised.collator] = advertised
        if len(job.advertised) > MAX_ADVERTISED:
            del job.advertised[self._records.last(tuple(job.advertised))]
        self._go_on(job)

    def _on_judged(
        self, job: SelectionJob, verdict: CollationInvalid | CollationSeconded | CollationUndecided
    ) -> None:
        assert job.in_hand is not None
        collator, peer = job.in_hand.advertised.collator, job.in_hand.advertised.peer
        job.in_hand = None
        match verdict:
            case CollationSeconded():
                self._records.note_delivered(collator)
                job.finish()
                self.ctx.send(NoteGoodCollation(job.relay_parent, collator))
                self.ctx.send(ReportPeer(peer, BENEFIT_COLLATION))
            case CollationInvalid(reason=reason):
                self._forget(collator)
                self.ctx.send(BanCollator(job.relay_parent, collator, reason))
                self.ctx.send(ReportPeer(peer, COST_INVALID_COLLATION))
            case CollationUndecided(reason=reason):
                # Nobody is to blame; another collator may have more luck.
                self._records.note_delivered(collator)
                self.ctx.send(ExplainToCollator(job.relay_parent, peer, reason))
        self._go_on(job)

    # Jobs

    async def _fetch(self, job: SelectionJob, turn: Turn) -> None:
        """Fetch it. The turn ends when the collator has delivered, has failed, or has taken too
        long."""
        advertised, collation = turn.advertised, None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._end_in_time, job, turn)
            with suppress(Unanswered):
                collation = await self.ctx.ask(
                    FetchCollation(
                        job.relay_parent, advertised.para_id, advertised.collator, advertised.peer
                    )
                )
            nursery.cancel_scope.cancel()
        if collation is not None and not job.is_done:
            job.delivered.append(Delivery(advertised, collation))
        self._end(job, turn, delivered=collation is not None)

    async def _end_in_time(self, job: SelectionJob, turn: Turn) -> None:
        await self.ctx.clock.sleep(TURN_S)
        self._end(job, turn, delivered=False)

    # Routines

    def _end(self, job: SelectionJob, turn: Turn, *, delivered: bool) -> None:
        if not turn.is_over and not delivered:
            self._records.note_missed(turn.advertised.collator)
        turn.is_over = True
        if job.turn is turn:
            job.turn = None
        self._go_on(job)

    def _go_on(self, job: SelectionJob) -> None:
        """Judge what is there, or else give the next collator its turn, if we are free to."""
        if job.in_hand is not None or job.is_done:
            return
        if job.delivered:
            self._recommend(job, job.delivered.popleft())
            return
        if not job.advertised:
            return
        collator = self._records.next(tuple(job.advertised), self.ctx.random)
        if job.turn is not None and not self._goes_before(collator, job.turn.advertised.collator):
            return
        turn = job.turn = Turn(job.advertised.pop(collator))
        job.asked[collator] = None
        self.ctx.spawn(job.relay_parent, lambda: self._fetch(job, turn), "fetch collation")

    def _goes_before(self, collator: CollatorId, other: CollatorId) -> bool:
        """Whether it need not wait for the other's turn to end."""
        own, others = self._records.standing(collator), self._records.standing(other)
        return own is Standing.DELIVERS and others is not Standing.DELIVERS

    def _recommend(self, job: SelectionJob, delivery: Delivery) -> None:
        """Hand it to Candidate Backing; a message will bring the verdict."""
        job.in_hand = delivery
        receipt = delivery.collation.receipt
        self.ctx.journal.record(
            "selection.recommended",
            relay_parent=job.relay_parent,
            candidate=receipt.hash(),
            para=delivery.advertised.para_id,
            peer=delivery.advertised.peer,
        )
        self.ctx.send(Second(job.relay_parent, receipt, delivery.collation.pov))

    def _forget(self, collator: CollatorId) -> None:
        """A collator is banned: what it advertised elsewhere counts no more either. For how long,
        Collation Distribution knows, which hears it no more."""
        self._records.forget(collator)
        for job in self._jobs.values():
            job.advertised.pop(collator, None)
