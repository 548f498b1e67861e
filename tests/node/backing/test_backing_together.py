"""The four subsystems together: on one node's bus, and on several nodes that talk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from parahost.crypto import sr25519
from parahost.crypto.verifier import DirectVerifier
from parahost.node.backing.candidate_backing import CandidateBacking
from parahost.node.backing.candidate_selection import CandidateSelection
from parahost.node.backing.pov_distribution import PoVDistribution
from parahost.node.backing.statement_distribution import StatementDistribution
from parahost.node.backing.statement_wire import StatementOnWire, messages
from parahost.node.messages.availability import QueryPoV, StoreAvailableData, Stored
from parahost.node.messages.backing import (
    CollationAdvertised,
    DistributePoV,
    PoVRequested,
    Share,
    StatementNetwork,
)
from parahost.node.messages.base import Reply
from parahost.node.messages.collation import BanCollator, FetchCollation, NoteGoodCollation
from parahost.node.messages.network import (
    PeerMessage,
    ResolveValidators,
    SendMessage,
    SendRequest,
)
from parahost.node.messages.utility import (
    CandidateInvalid,
    CandidateValid,
    ProvisionBackable,
    ReportMisbehavior,
    ValidateCandidate,
)
from parahost.node.overseer import Overseer
from parahost.ports import RequestFailed
from parahost.primitives.basic import PeerId
from parahost.primitives.candidates import Collation, CommittedCandidateReceipt
from parahost.primitives.misbehavior import CandidateValidityDisagreement, DoubleVote
from parahost.primitives.statements import (
    Implicit,
    Seconded,
    SigningContext,
    Valid,
    statement_payload,
)
from tests.node.backing.world import (
    GROUPS,
    PARA,
    RELAY_PARENT,
    SESSION,
    Silent,
    Stage,
    candidate,
    collator,
    connected,
    keystore,
    on_stage,
    pov,
    seconded,
    validator,
)

A, B = candidate(1), candidate(2)


class Village:
    """Nodes of the first validators, each connected with each."""

    def __init__(self, bad: Sequence[CommittedCandidateReceipt] = ()) -> None:
        self.nodes: dict[PeerId, Overseer] = {}
        self.stages: list[Stage] = []
        self.bad = [receipt.descriptor for receipt in bad]
        self.collations: dict[bytes, Collation] = {}
        self.pov_requests = 0

    def answers(self, own: PeerId) -> dict[type, Any]:
        def request(message: SendRequest) -> Any:
            self.pov_requests += 1
            reply: Reply[bytes | None] = Reply()
            self.nodes[message.peer].send(PoVRequested(own, message.payload, reply))

            async def relay() -> None:
                answer = await reply.wait()
                failure = RequestFailed(message.peer, message.protocol.name, "refused")
                message.reply.answer(failure if answer is None else answer)

            self.stage_of(own).neighbours.ctx.spawn(None, relay, "relay")
            raise Silent

        def send(message: SendMessage) -> Any:
            for peer in message.peers:
                event = PeerMessage(own, message.payload)
                self.nodes[peer].send(StatementNetwork(event))
            raise Silent

        def validate(message: ValidateCandidate) -> Any:
            if message.descriptor in self.bad:
                return CandidateInvalid("a trap")
            return CandidateValid(A.commitments, message.validation_data)

        return {
            SendRequest: request,
            SendMessage: send,
            ValidateCandidate: validate,
            StoreAvailableData: lambda message: Stored.KEPT,
            QueryPoV: lambda message: None,
            FetchCollation: lambda message: self.collations.get(message.collator),
            ResolveValidators: lambda message: {
                validator(int(peer)).public: peer
                for peer in self.nodes
                if validator(int(peer)).public in message.validators
            },
        }

    def stage_of(self, peer: PeerId) -> Stage:
        return self.stages[list(self.nodes).index(peer)]

    async def rest(self) -> None:
        await self.stages[0].rest()

    async def advertise(self, node: int, receipt: CommittedCandidateReceipt, number: int) -> None:
        key = receipt.descriptor.collator
        self.collations[key] = Collation(receipt, pov(number))
        await self.stages[node].say(CollationAdvertised(RELAY_PARENT, PARA, key, PeerId("c")))
        await self.rest()


@asynccontextmanager
async def village(size: int, **of: Any) -> AsyncIterator[Village]:
    """Validators 0, 1 and 2 are the group of ``PARA``."""
    together = Village(**of)
    async with AsyncExitStack() as stack:
        for index in range(size):
            own = PeerId(str(index))
            subjects = (
                CandidateSelection(keystore(index)),
                CandidateBacking(keystore(index)),
                StatementDistribution(DirectVerifier(), lambda *_: None),
                PoVDistribution(),
            )
            stage = await stack.enter_async_context(
                on_stage(*subjects, answers=together.answers(own))
            )
            together.nodes[own] = stage.overseer
            together.stages.append(stage)
        for own, stage in zip(together.nodes, together.stages, strict=True):
            others = [peer for peer in together.nodes if peer != own]
            await stage.say(*connected(StatementNetwork, *others, view=(RELAY_PARENT,)))
        yield together


@pytest.mark.guide("A110")
async def test_what_the_guides_subsystems_say_to_each_other() -> None:
    async with village(1) as nodes:
        edges = set(nodes.stages[0].overseer.graph.edges())
    selection, backing = "candidate-selection", "candidate-backing"
    statements, povs = "statement-distribution", "pov-distribution"
    assert {edge for edge in edges if edge[2] != "neighbours"} == {
        (selection, "Second", backing),
        (backing, "CollationInvalid", selection),
        (backing, "CollationSeconded", selection),
        (backing, "CollationUndecided", selection),
        (backing, "Share", statements),
        (backing, "FetchPoV", povs),
        (backing, "DistributePoV", povs),
        (statements, "StatementReceived", backing),
        (statements, "NoteStatement", povs),
        (statements, "PoVPeerGone", povs),
    }


@pytest.mark.guide("A76", "A81", "A83", "A88", "A111", "A113", "A116")
async def test_a_collation_at_one_node_becomes_backable_at_all() -> None:
    """Validators 0 to 2 back it; 3 has no part in it, and can put it into its block all the
    same."""
    async with village(4) as nodes:
        await nodes.advertise(0, A, 1)

        for stage in nodes.stages:
            (provided,) = stage.heard(ProvisionBackable)
            backed = provided.candidate
            assert backed.candidate == A
            votes = zip(backed.validator_indices.ones(), backed.validity_votes, strict=True)
            for position, vote in votes:
                author = GROUPS[0][position]
                kind = Seconded if isinstance(vote, Implicit) else Valid
                assert (kind is Seconded) == (author == 0)
                context = SigningContext(SESSION, RELAY_PARENT)
                payload = statement_payload(kind, A.hash(), context)
                assert sr25519.verify(validator(author).public, payload, vote.signature)
        assert nodes.pov_requests == 2, "one for each of the other two"
        assert len(nodes.stages[0].heard(NoteGoodCollation)) == 1
        assert nodes.stages[3].heard(ValidateCandidate) == []
        assert all(stage.heard(ReportMisbehavior) == [] for stage in nodes.stages)


@pytest.mark.guide("A77", "A81", "A116")
async def test_each_of_a_group_may_second_its_own_and_vouch_for_the_others() -> None:
    other = candidate(2, by=8)
    async with village(3) as nodes:
        await nodes.advertise(0, A, 1)
        await nodes.advertise(1, other, 2)
        for stage in nodes.stages:
            provided = {message.candidate.candidate for message in stage.heard(ProvisionBackable)}
            assert provided == {A, other}
            assert stage.heard(ReportMisbehavior) == []


@pytest.mark.guide("A79", "A82")
async def test_an_invalid_collation_goes_no_further_than_its_collator() -> None:
    async with village(3, bad=[A]) as nodes:
        await nodes.advertise(0, A, 1)
        (ban,) = nodes.stages[0].heard(BanCollator)
        assert ban.collator == collator(9).public
        assert nodes.stages[0].heard(SendMessage) == []


@pytest.mark.guide("A75", "A109")
async def test_a_validator_that_seconds_what_is_invalid_stands_alone() -> None:
    """Its statement comes from beside its node; the whole group learns of the disagreement."""
    async with village(3, bad=[A]) as nodes:
        liar = nodes.stages[1].overseer
        liar.send(DistributePoV(RELAY_PARENT, A.hash(), PARA, pov(1)))
        liar.send(Share(RELAY_PARENT, seconded(1, A)))
        await nodes.rest()
        for stage in (nodes.stages[0], nodes.stages[2]):
            reports = [message.report for message in stage.heard(ReportMisbehavior)]
            assert all(isinstance(report, CandidateValidityDisagreement) for report in reports)
            last = reports[-1]
            assert isinstance(last, CandidateValidityDisagreement)
            assert len(last.statements) == 3
            assert stage.heard(ProvisionBackable) == []

        (second_lie,) = messages(RELAY_PARENT, [StatementOnWire.of(seconded(1, B))])
        event = PeerMessage(PeerId("1"), second_lie)
        await nodes.stages[0].say(StatementNetwork(event))
        await nodes.rest()
        for stage in (nodes.stages[0], nodes.stages[2]):
            last = stage.heard(ReportMisbehavior)[-1].report
            signing = SigningContext(SESSION, RELAY_PARENT)
            proof = [seconded(1, which).to_compact() for which in (A, B)]
            assert last == DoubleVote(signing, *proof)
