"""Disputes on a fork where the candidate never appeared, brought there by a transaction (A59)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
import trio

from parahost import erasure
from parahost.crypto import sr25519
from parahost.node.messages.availability import QueryAvailableData, StoreAvailableData, Stored
from parahost.node.node import Node
from parahost.ports import KeyType
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    BlockNumber,
    CoreIndex,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import CandidateDescriptor, PoV
from parahost.primitives.disputes import (
    BackingSeconded,
    DisputeStatement,
    ExplicitInvalidVote,
    SignedDisputeStatement,
    VoteInvalid,
    VoteValid,
    vote_payload,
)
from parahost.primitives.header import Header
from parahost.primitives.remote_disputes import RemoteDispute
from parahost.primitives.scale import encode
from parahost.runtime import api
from parahost.runtime.development import (
    STAKE,
    VALIDITY,
    account_uri,
    session_uris,
    validator_name,
)
from parahost.runtime.parachains.remote_disputes import DisputeRemotely
from parahost.runtime.storage import State
from parahost.simulation import (
    InvalidCollator,
    Scenario,
    Shape,
    Simulation,
    VotesLate,
    VouchesBlindly,
    plan,
)
from parahost.simulation.build import Build
from tests.simulation.hearing import Hearing, call_signed

GROUP = ("validator-3", "validator-4")
"""All of one group of 7 validators for 3 parachains, until the first session ends."""
SLOW = "validator-5"
WAIT = 4
"""Blocks in which validators may say that they hold what is disputed."""


@pytest.mark.guide("A59", "A60", "A61", "A65")
def test_what_nobody_has_decided_goes_on_where_the_candidate_never_was() -> None:
    """The group keeps silent in the dispute of what it has backed, and somebody honest is slow: so
    there is no supermajority while the others build on a fork without the candidate, into the next
    session."""
    scenario = Scenario(
        shape=Shape(validators=7, parachains=3, epoch_slots=4),
        blocks=9,
        adversaries=(
            InvalidCollator(who=("collator-2001",)),
            VouchesBlindly(who=GROUP),
            VotesLate(who=GROUP, late_s=600.0),
        ),
    )
    simulation = Simulation(scenario, 1)
    slow = VotesLate(who=(SLOW,), late_s=25.0).conspire(simulation)
    simulation.nodes[SLOW].alterations.append(slow)
    heard = Hearing(simulation)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    best = {block.hash for block in simulation.record.best().ancestry()}
    course = [
        [each for each in heard.of(step, "validator-1") if each.fields["block"] in best]
        for step in ("chain.disputed_remotely", "chain.remote_available", "chain.dispute_concluded")
    ]
    candidate = course[0][0].fields["candidate"]
    including = {each.fields["block"] for each in heard.of("chain.included", candidate=candidate)}
    assert including and not including & best
    brought, available, concluded = (
        next(each.fields for each in step if each.fields["candidate"] == candidate)
        for step in course
    )
    numbers = [int(str(each["number"])) for each in (brought, available, concluded)]
    assert numbers == sorted(set(numbers)), "one after another"
    meanwhile = {
        each.fields["para"]
        for each in heard.of("chain.included", "validator-1")
        if each.fields["block"] in best
        and numbers[0] < int(str(each.fields["number"])) < numbers[2]
    }
    assert meanwhile == {2000, 2002}, "nobody else waits for it"
    assert concluded["outcome"] == "invalid"
    assert len(str(concluded["invalid"]).split(",")) == 5, "the slow one too"
    stakes = outcome.statistics["stakes"]
    assert {name for name, left in stakes.items() if left == 0} == set(GROUP)
    assert sum(stakes.values()) == 5 * STAKE


@pytest.mark.guide("A59", "A60")
def test_what_nobody_can_get_costs_who_disputed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One liar signs the backing of a candidate that never was, as all of its group, and another
    disputes it: nobody else votes, and finality goes on."""
    short = replace(VALIDITY, remote_availability_period=BlockNumber(U32(WAIT)))
    monkeypatch.setattr(plan, "VALIDITY", short)
    shape = Shape(validators=4, parachains=3)
    simulation = Simulation(Scenario(shape=shape, blocks=9), 1)
    made: list[RemoteDispute] = []

    async def dispute(node: Node) -> None:
        state = await _with_included(node)
        invention, disputer = _invention(state, node.chain.best)
        made.append(invention)
        node.submit(call_signed(node, DisputeRemotely(invention), disputer))

    simulation.nodes["validator-1"].alterations.append(lambda build: build.jobs.append(dispute))
    heard = Hearing(simulation)
    outcome = simulation.run()
    candidate = made[0].receipt.hash()
    (brought,) = heard.of("chain.disputed_remotely", "validator-2", candidate=candidate)
    (given_up,) = heard.of("chain.remote_unavailable", "validator-2", candidate=candidate)
    assert given_up.fields["number"] == int(str(brought.fields["number"])) + WAIT + 1
    (_, backer, _), (_, disputer, _) = made[0].statements
    assert (brought.fields["valid"], brought.fields["invalid"]) == (str(backer), str(disputer))
    disputes = outcome.statistics["disputes"]
    assert disputes["unavailable"] == 1 and disputes["begun"] == 0
    voters = {each.fields["validator"] for each in heard.of("dispute.vote", candidate=candidate)}
    assert voters == {validator for _, validator, _ in made[0].statements}, "nobody else votes"
    (punished,) = heard.of("chain.punished", "validator-2")
    assert punished.fields["misconduct"] == "disputed_unavailable"
    assert punished.fields["lost"] == STAKE // 100
    assert sum(outcome.statistics["stakes"].values()) == 4 * STAKE - STAKE // 100
    assert outcome.statistics["finalized"] >= 6
    (alarm,) = heard.of("keys.used_elsewhere")
    assert alarm.node == validator_name(backer), "what its node has never signed"
    assert alarm.fields["what"] == "statement"
    assert f"verdict {candidate.hex()}" in str(alarm.fields["said"])
    wrong = {name for name, verdict in outcome.verdicts.items() if verdict != "ok"}
    expected = {"no_honest_slashed", "no_false_alarm"}
    assert wrong == expected, "whose key it is passes for honest, and its true alarm for false"


@pytest.mark.guide("A60")
def test_who_lacks_its_chunk_gets_it_from_who_has_the_data() -> None:
    """One validator has all the data and nobody else a chunk: so the candidate is available, and no
    disputer pays for that it was brought to few."""
    simulation = Simulation(Scenario(shape=Shape(validators=4, parachains=3), blocks=6), 1)
    nodes: dict[str, Node] = {}
    made: list[RemoteDispute] = []

    async def dispute(node: Node) -> None:
        state = await _with_included(node)
        (included, *_) = api.included_candidates(state)
        wanted = included.receipt.hash()
        asked = [await each.overseer.ask(QueryAvailableData(wanted)) for each in nodes.values()]
        held = next(each for each in asked if each is not None)
        data = replace(held, pov=PoV(b"what has been brought to nobody"))
        chunks = erasure.encode(encode(data), 4)
        descriptor = replace(
            included.receipt.descriptor,
            pov_hash=data.pov.hash(),
            erasure_root=erasure.erasure_root(chunks),
        )
        invention, disputer = _invention(state, node.chain.best, descriptor)
        backer = invention.statements[0][1]
        info = api.session_info(state, invention.session)
        assert info is not None
        kept = await nodes[_name_of(info.validators[backer])].overseer.ask(
            StoreAvailableData(invention.receipt.hash(), data, descriptor.erasure_root, 4, backer)
        )
        assert kept is Stored.KEPT
        made.append(invention)
        node.submit(call_signed(node, DisputeRemotely(invention), disputer))

    for name in map(validator_name, range(4)):
        simulation.nodes[name].alterations.append(partial(_note_node, nodes, name))
    simulation.nodes["validator-1"].alterations.append(lambda build: build.jobs.append(dispute))
    heard = Hearing(simulation)
    simulation.run()
    candidate = made[0].receipt.hash()
    assert heard.of("chain.remote_available", candidate=candidate)
    recovered = {each.node for each in heard.of("recovery.done", candidate=candidate)}
    assert len(recovered) == 3, "all but who has backed it"
    assert not heard.of("chain.remote_unavailable")


def _note_node(nodes: dict[str, Node], name: str, build: Build) -> None:
    async def note(node: Node) -> None:
        nodes[name] = node

    build.jobs.append(note)


async def _with_included(node: Node) -> State:
    """The best block's state as soon as candidates are included there."""
    while not api.included_candidates(state := node.chain.state(node.chain.best_hash)):
        await trio.sleep(0.5)
    return state


def _invention(
    state: State, header: Header, descriptor: CandidateDescriptor | None = None
) -> tuple[RemoteDispute, str]:
    """A candidate that never was, which says that one validator has backed it and another disputes
    it; and that one's account."""
    included = api.included_candidates(state)[0]
    descriptor = descriptor or replace(included.receipt.descriptor, pov_hash=H256(bytes(32)))
    receipt = replace(included.receipt, descriptor=descriptor)
    info = api.session_info(state, included.session)
    assert info is not None
    (backer,) = next(members for members in info.groups if len(members) == 1)
    disputer = next(ValidatorIndex(U32(index)) for index in range(4) if index != backer)
    names = [_name_of(key) for key in info.validators]

    def signed(statement: DisputeStatement, validator: ValidatorIndex) -> SignedDisputeStatement:
        payload = vote_payload(statement, receipt.hash(), included.session)
        assert payload is not None
        made = sr25519.sign(_para_key(names[validator]), payload)
        return statement, validator, ValidatorSignature(H512(made))

    statements = (
        signed(VoteValid(BackingSeconded(descriptor.relay_parent)), backer),
        signed(VoteInvalid(ExplicitInvalidVote()), disputer),
    )
    invention = RemoteDispute(
        receipt, included.session, CoreIndex(U32(0)), header, None, statements
    )
    return invention, account_uri(names[disputer])


def _name_of(public: bytes) -> str:
    names = map(validator_name, range(4))
    return next(name for name in names if _para_key(name).public == public)


def _para_key(name: str) -> sr25519.Keypair:
    return sr25519.Keypair.from_uri(session_uris(name)[KeyType.PARACHAIN])
