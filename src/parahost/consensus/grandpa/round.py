"""One round, from a voter's seat: when it proposes, prevotes and precommits, and what for.

A state machine without clock and chain of its own: :meth:`VotingRound.advance` is told the time
and handed its surroundings, and gives the effects that are due. It may be called at any time and
as often as one likes; each effect comes once. Times are in seconds, relative to the start; T is
the time in which gossip reaches everyone.

The round *waits* until there is a reason for it: a block to finalise, or votes of others. Then
the primary proposes at once; a voter prevotes after 2T and precommits after 4T, or sooner when
waiting cannot teach it anything more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from parahost.consensus.grandpa.blocks import BlockRef
from parahost.consensus.grandpa.messages import SignedMessage
from parahost.consensus.grandpa.votes import Added, RoundState, RoundVotes, Stage
from parahost.primitives.consensus import GrandpaMessage, Precommit, Prevote, PrimaryPropose

PREVOTE_AFTER = 2
PRECOMMIT_AFTER = 4
"""In T."""


class Step(IntEnum):
    WAITING = 0
    STARTED = 1
    PREVOTED = 2
    PRECOMMITTED = 3


@dataclass(frozen=True, slots=True)
class Cast:
    """Sign this, count it and send it; or, when that is refused, go without."""

    message: GrandpaMessage


@dataclass(frozen=True, slots=True)
class Finalize:
    """The block is final by this round's votes."""

    block: BlockRef


@dataclass(frozen=True, slots=True)
class Complete:
    """The next round may start."""


RoundEffect = Cast | Finalize | Complete


class Surroundings(Protocol):
    """What a round asks of the node."""

    @property
    def finalized(self) -> BlockRef: ...

    def best_containing(self, block: BlockRef, /) -> BlockRef | None:
        """The block to vote for among those that are ``block`` or descend from it; ``None`` when
        it is not known."""
        ...

    def descends(self, block: BlockRef, ancestor: BlockRef, /) -> bool: ...


class VotingRound:
    """A round in which the voter with index ``local`` takes part, or nobody of this node."""

    def __init__(self, votes: RoundVotes, *, local: int | None, gossip_s: float) -> None:
        self.votes = votes
        self.step = Step.WAITING
        self._local = local
        self._gossip_s = gossip_s
        self._started_at = 0.0
        self._announced = votes.base
        self._proposed = False
        self._completed = False

    @property
    def number(self) -> int:
        return self.votes.number

    @property
    def state(self) -> RoundState:
        return self.votes.state

    @property
    def active(self) -> bool:
        """Whether the round has begun and does not yet allow the next one."""
        return self.step is not Step.WAITING and not self._completed

    def add(self, vote: SignedMessage) -> Added:
        """See :meth:`RoundVotes.add`."""
        return self.votes.add(vote)

    def deadline(self, now: float) -> float | None:
        """When to call :meth:`advance` again if nothing happens before."""
        due = {Step.STARTED: PREVOTE_AFTER, Step.PREVOTED: PRECOMMIT_AFTER}.get(self.step)
        if due is None or self._completed:
            return None
        at = self._started_at + due * self._gossip_s
        return at if at > now else None

    def advance(
        self, now: float, previous: RoundState, surroundings: Surroundings
    ) -> Sequence[RoundEffect]:
        """What is due now. ``previous`` is the state of the round before, as it is by now."""
        assert previous.estimate is not None, "a round follows a completable one"
        effects: list[RoundEffect] = []
        estimate = previous.estimate
        if self.step is Step.WAITING and self._has_reason(previous, estimate, surroundings):
            self.step = Step.STARTED
            self._started_at = now
        if self.step is Step.STARTED:
            effects += self._propose(previous, estimate)
            if self._prevote_due(now):
                self.step = Step.PREVOTED
                target = surroundings.best_containing(self._hint(previous, estimate, surroundings))
                if self._local is not None and target is not None:
                    return [*effects, Cast(Prevote(target.hash, target.number))]
        if self.step is Step.PREVOTED and self._precommit_due(now, estimate, surroundings):
            self.step = Step.PRECOMMITTED
            target = self.state.prevote_ghost
            if self._local is not None and target is not None:
                return [*effects, Cast(Precommit(target.hash, target.number))]
        return [*effects, *self._conclusions(previous, estimate)]

    def _has_reason(
        self, previous: RoundState, estimate: BlockRef, surroundings: Surroundings
    ) -> bool:
        if estimate != previous.finalized or any(True for _ in self.votes):
            return True
        target = surroundings.best_containing(estimate)
        return target is not None and target.number > surroundings.finalized.number

    def _propose(self, previous: RoundState, estimate: BlockRef) -> Sequence[RoundEffect]:
        """The primary tells its estimate when it is not final yet, so that all may agree on it."""
        if self._proposed or self._local != self.votes.voters.primary(self.number):
            return []
        self._proposed = True
        if previous.finalized is not None and estimate.number <= previous.finalized.number:
            return []
        return [Cast(PrimaryPropose(estimate.hash, estimate.number))]

    def _prevote_due(self, now: float) -> bool:
        return self.state.completable or now >= self._started_at + PREVOTE_AFTER * self._gossip_s

    def _precommit_due(self, now: float, estimate: BlockRef, surroundings: Surroundings) -> bool:
        ghost = self.state.prevote_ghost
        if ghost is None or not surroundings.descends(ghost, estimate):
            return False
        return (
            self.state.completable
            or self.votes.everyone(Stage.PREVOTE)
            or now >= self._started_at + PRECOMMIT_AFTER * self._gossip_s
        )

    def _hint(
        self, previous: RoundState, estimate: BlockRef, surroundings: Surroundings
    ) -> BlockRef:
        """The block that the prevote must contain: the primary's, if it is between the estimate
        and the prevote GHOST of the round before, else the estimate."""
        proposal = self.votes.proposal
        ghost = previous.prevote_ghost
        if proposal is None or ghost is None:
            return estimate
        block = proposal.target
        fits = surroundings.descends(block, estimate) and surroundings.descends(ghost, block)
        return block if fits else estimate

    def _conclusions(self, previous: RoundState, estimate: BlockRef) -> Sequence[RoundEffect]:
        effects: list[RoundEffect] = []
        final = self.state.finalized
        if final is not None and final.number > self._announced.number:
            self._announced = final
            effects.append(Finalize(final))
        settled = max(
            (block.number for block in (previous.finalized, final) if block is not None),
            default=-1,
        )
        if not self._completed and self.state.completable and estimate.number <= settled:
            self._completed = True
            effects.append(Complete())
        return effects
