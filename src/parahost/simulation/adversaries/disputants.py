"""Adversaries in disputes: they dispute what is valid, vote both ways, late, or without end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import trio

from parahost.node.messages.base import Message
from parahost.node.messages.validity import (
    CheckCandidate,
    DistributeChecksOf,
    DistributeVotes,
    IssueVote,
)
from parahost.node.node import Node
from parahost.node.role import Role
from parahost.primitives.basic import U32, Hash, ParaId, SessionIndex
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import (
    DisputeStatement,
    DisputeStatementSet,
    ExplicitInvalidVote,
    ExplicitVote,
    SignedDisputeStatement,
    VoteInvalid,
    VoteValid,
    dispute_payload,
)
from parahost.primitives.runtime_api import SessionInfo
from parahost.runtime import api
from parahost.simulation.adversaries.adversary import Adversary
from parahost.simulation.adversaries.flooders import invented
from parahost.simulation.adversaries.insider import Insider, heads_of
from parahost.simulation.build import Alteration, Build
from parahost.simulation.faults import World


@dataclass(frozen=True, kw_only=True)
class DisputesValid(Adversary):
    """Disputes every candidate that a block includes, but for those that it has vouched for: its
    own key store allows no vote against these.

    The others find the candidate valid, and who disputed it pays each time (D26). It answers for so
    many disputes at a time, and begins none for six sessions once one is lost, but for those that
    come to a block with their conclusion: there it only loses (A58).
    """

    kind: ClassVar[str] = "disputes_valid"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _Quarrelsome(build)

        return alter


@dataclass(frozen=True, kw_only=True)
class VotesBothWays(Adversary):
    """Tells everybody of each included candidate that it is valid, and that it is not.

    Both votes are evidence, it counts for neither side, and pays for a double vote (D16, D26).
    """

    kind: ClassVar[str] = "votes_both_ways"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _TwoTongued(build)

        return alter


@dataclass(frozen=True, kw_only=True)
class VotesLate(Adversary):
    """Each check takes it ``late_s`` seconds longer, be it drawn or asked in a dispute.

    Others cover it, and disputes conclude without it. Late votes are taken for a while (A57); who
    has said nothing by then pays (A64).
    """

    kind: ClassVar[str] = "votes_late"

    late_s: float = 60.0

    def check(self, roles: dict[str, Role]) -> None:
        super().check(roles)
        if not 0 < self.late_s <= 86_400:
            raise ValueError(f"{self.kind}: late_s is above 0 and at most a day")

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _Late(build, self.late_s)

        return alter


@dataclass(frozen=True, kw_only=True)
class FloodsDisputes(Adversary):
    """Brings to everybody, at each new block, votes both ways on ``per_block`` candidates that
    never were, of this session and those before.

    Nobody looks at a candidate that is not known on more than one validator's word: such disputes
    have a few places for each validator; its further ones are refused, and cost who brings them.
    """

    kind: ClassVar[str] = "floods_disputes"

    per_block: int = 20

    def check(self, roles: dict[str, Role]) -> None:
        super().check(roles)
        if self.per_block < 1:
            raise ValueError(f"{self.kind}: per_block is at least 1")

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _DisputeFlood(build, self.per_block)

        return alter


class _Quarrelsome(Insider):
    def twist(self, node: Node, message: Message) -> Iterable[Message]:
        yield message
        if isinstance(message, DistributeChecksOf):
            for candidate in message.block.candidates:
                yield IssueVote(candidate.session, candidate.receipt)


class _Disputant(Insider):
    """Signs dispute votes with the bare key, whatever was signed before."""

    def both(
        self, node: Node, info: SessionInfo, receipt: CandidateReceipt
    ) -> Iterator[DistributeVotes]:
        """Votes for and against a candidate, when it is a validator of the session."""
        own = self.own_index(info.validators)
        if own is None:
            return
        candidate, session = receipt.hash(), info.session_index

        def vote(statement: DisputeStatement, *, valid: bool) -> SignedDisputeStatement:
            payload = dispute_payload(candidate, session, valid=valid)
            return statement, own, self.sign_as(info.validators[own], payload)

        statements = (
            vote(VoteValid(ExplicitVote()), valid=True),
            vote(VoteInvalid(ExplicitInvalidVote()), valid=False),
        )
        yield DistributeVotes(receipt, DisputeStatementSet(candidate, session, statements))


class _TwoTongued(_Disputant):
    def twist(self, node: Node, message: Message) -> Iterable[Message]:
        yield message
        if isinstance(message, DistributeChecksOf):
            for candidate in message.block.candidates:
                yield from self.both(node, message.block.session_of(candidate), candidate.receipt)


class _Late(Insider):
    def __init__(self, build: Build, late_s: float) -> None:
        super().__init__(build)
        self._late_s = late_s
        self._send, self._receive = trio.open_memory_channel[tuple[float, Message]](4096)
        build.jobs.append(self._deliver)

    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        if not isinstance(message, CheckCandidate):
            return (message,)
        self._send.send_nowait((trio.current_time() + self._late_s, message))
        return ()

    async def _deliver(self, node: Node) -> None:
        async for due, message in self._receive:
            await trio.sleep_until(due)
            node.overseer.send(message)


class _DisputeFlood(_Disputant):
    def __init__(self, build: Build, per_block: int) -> None:
        super().__init__(build)
        self._per_block = per_block
        self._random = build.streams.stream(FloodsDisputes.kind)
        build.jobs.append(self._flood)

    async def _flood(self, node: Node) -> None:
        async for head in heads_of(node):
            for message in self._votes(node, head):
                node.overseer.send(message)

    def _votes(self, node: Node, head: Hash) -> Iterator[DistributeVotes]:
        state = node.chain.state(head)
        current = api.session_index_for_child(state)
        for number in range(self._per_block):
            session = SessionIndex(U32(max(current - number % 3, 0)))
            info = api.session_info(state, session)
            if info is not None:
                candidate = invented(ParaId(U32(0)), head, self._random.bytes(32))
                yield from self.both(node, info, candidate.to_plain())
