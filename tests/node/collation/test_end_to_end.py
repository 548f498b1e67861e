"""A collator's node and a validator's, each with its bridge, on a network of two: from the
parachain block to Candidate Selection's recommendation, and on to its verdict."""

from __future__ import annotations

import pytest
import trio

from parahost.crypto.verifier import DirectVerifier
from parahost.node.backing.candidate_selection import CandidateSelection
from parahost.node.collation.bans import CollatorBans
from parahost.node.collation.collator_side import CollatorSide
from parahost.node.collation.generation import CollationGeneration
from parahost.node.collation.validator_side import ValidatorSide
from parahost.node.messages.availability import (
    AvailabilityNetwork,
    BitfieldNetwork,
    ChunkRequested,
    DataRequested,
)
from parahost.node.messages.backing import (
    CollationAdvertised,
    PoVRequested,
    Second,
    StatementNetwork,
)
from parahost.node.messages.utility import CandidateValid, ValidateCandidate
from parahost.node.messages.validity import ApprovalNetwork, DisputeRequested
from parahost.node.overseer import Overseer, Subsystem
from parahost.node.utility.candidate_validation import CandidateValidation
from parahost.node.utility.network_bridge import NetworkBridge
from parahost.node.utility.peer_set_manager import PeerSetManager
from parahost.node.utility.runtime_api import RuntimeApi
from parahost.parachains.adder.collator import AdderCollator
from parahost.parachains.code import example_code
from parahost.ports import ExecutionKind, KeyStore, ObservedRole
from parahost.primitives.runtime_api import OccupiedCoreAssumption
from parahost.runtime import api
from parahost.storage import MemoryDatabase
from parahost.validation import InProcessHost
from tests.memory_network import MemoryNetwork, MemoryPort, identity_of
from tests.node.collation.world import (
    EXPECTED,
    NAMES,
    PARACHAIN,
    Scripted,
    States,
    chain,
    collator_keys,
    newest,
    started,
    validator_keys,
)
from tests.node.harness import make_overseer, running
from tests.runtime.world import Chain, key

_BESIDE = (
    StatementNetwork,
    AvailabilityNetwork,
    BitfieldNetwork,
    PoVRequested,
    ChunkRequested,
    DataRequested,
    ApprovalNetwork,
    DisputeRequested,
)


def node(chain: Chain, network: MemoryPort, keys: KeyStore, own: list[Subsystem]) -> Overseer:
    states = States()
    states.note(chain)
    shared: list[Subsystem] = [
        NetworkBridge(network, network.role),
        PeerSetManager(
            keys,
            DirectVerifier(),
            network,
            network.local_peer,
            chain.genesis_hash,
            lambda peers: None,
        ),
        RuntimeApi(states),
    ]
    return make_overseer([*own, *shared])


def group_member(chain: Chain) -> str:
    """One of those who back the parachain on the chain's newest block."""
    groups = api.validator_groups(chain.state)
    group = groups.groups[groups.rotation.group_for_core(0, len(groups.groups))]  # type: ignore[arg-type]
    public = api.validators(chain.state)[group[0]]
    return next(name for name in NAMES if key(name, "para").public == public)


@pytest.mark.guide("A96", "A97", "A81", "A98")
async def test_a_block_of_a_collator_becomes_a_validators_candidate() -> None:
    relay = chain()
    relay.step()
    network = MemoryNetwork()
    collators, validators = (
        network.port(name, role, identity=identity_of(name))
        for name, role in (
            ("collator", ObservedRole.COLLATOR),
            ("validator", ObservedRole.AUTHORITY),
        )
    )
    seconded = Scripted([Second, *_BESIDE])
    collators_beside = Scripted([CollationAdvertised, *_BESIDE])
    member = validator_keys(group_member(relay))
    at_validator = node(
        relay,
        validators,
        member,
        [
            ValidatorSide(DirectVerifier(), CollatorBans(MemoryDatabase())),
            CandidateSelection(member),
            CandidateValidation(InProcessHost(), DirectVerifier()),
            seconded,
        ],
    )
    collator = await started(AdderCollator())
    at_collator = node(
        relay,
        collators,
        collator_keys(),
        [
            CollationGeneration(
                collator,
                PARACHAIN,
                collator_keys(),
                slot_duration_s=2.0,
                genesis_hash=relay.genesis_hash,
                submit=lambda extrinsic: None,
                expected=EXPECTED,
            ),
            CollatorSide(PARACHAIN, collator_keys(), collators.local_peer),
            collators_beside,
        ],
    )
    with trio.fail_after(30):
        async with running(at_validator), running(at_collator), network.running():
            collators.connect(validators)
            for overseer in (at_collator, at_validator):  # the collator is first to know
                overseer.block_imported(newest(relay))
            while not (recommended := seconded.of(Second)):
                await trio.sleep(0.01)
            [second] = recommended
            assumed = (relay.state, PARACHAIN, OccupiedCoreAssumption.FREE)
            data = api.persisted_validation_data(*assumed)
            criteria = api.acceptance_criteria(*assumed)
            assert data is not None and criteria is not None
            verdict = await at_validator.ask(
                ValidateCandidate(
                    second.candidate.descriptor,
                    second.candidate.commitments.hash(),
                    data,
                    example_code("adder"),
                    criteria,
                    second.pov,
                    ExecutionKind.BACKING,
                )
            )
            while not collators.prioritised:
                await trio.sleep(0.01)
    assert second.relay_parent == relay.header.hash()
    assert isinstance(verdict, CandidateValid)
    assert validators.reports == []
    # The collator has heard from the validator itself where it is.
    assert collators.prioritised[-1] == (validators.local_peer,)
