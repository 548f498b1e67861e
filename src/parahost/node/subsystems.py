"""All subsystems, and how each is made of a node's parts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from parahost.node.availability.bitfield_distribution import BitfieldDistribution
from parahost.node.availability.bitfield_signing import BitfieldSigning
from parahost.node.availability.distribution import AvailabilityDistribution
from parahost.node.availability.recovery import AvailabilityRecovery
from parahost.node.availability.store import AvailabilityStore
from parahost.node.backing.candidate_backing import CandidateBacking
from parahost.node.backing.candidate_selection import CandidateSelection
from parahost.node.backing.pov_distribution import PoVDistribution
from parahost.node.backing.statement_distribution import StatementDistribution
from parahost.node.collation.collator_side import CollatorSide
from parahost.node.collation.distribution import CollationDistribution
from parahost.node.collation.generation import CollationGeneration
from parahost.node.collation.validator_side import ValidatorSide
from parahost.node.overseer import MessageGraph, Subsystem
from parahost.node.utility.candidate_validation import CandidateValidation
from parahost.node.utility.chain_api import ChainApi
from parahost.node.utility.misbehavior_arbitration import MisbehaviorArbitration
from parahost.node.utility.network_bridge import NetworkBridge
from parahost.node.utility.peer_set_manager import PeerSetManager
from parahost.node.utility.provisioner import Provisioner
from parahost.node.utility.runtime_api import RuntimeApi
from parahost.node.validity.approval_distribution import ApprovalDistribution
from parahost.node.validity.approval_voting import ApprovalVoting
from parahost.node.validity.candidate_checking import CandidateChecking
from parahost.node.validity.chain_selection import ChainSelection, Consequences
from parahost.node.validity.disputes.coordinator import DisputeCoordinator
from parahost.node.validity.disputes.distribution import DisputeDistribution
from parahost.node.validity.disputes.remote import RemoteDisputing
from parahost.runtime.parachains.sanitize import sanitize

if TYPE_CHECKING:
    from parahost.node.node import Node

Make = Callable[["Node"], Subsystem | None]


def _collation_distribution(node: Node) -> Subsystem:
    """The one side or the other."""
    ports, collating = node.ports, node.collating
    if collating is None:
        return ValidatorSide(ports.verifier, node.bans)
    return CollatorSide(collating.para_id, ports.keystore, ports.network.local_peer)


def _collation_generation(node: Node) -> Subsystem | None:
    collating = node.collating
    if collating is None:
        return None
    return CollationGeneration(
        collating.collator,
        collating.para_id,
        node.ports.keystore,
        slot_duration_s=node.parameters.slot_duration_s,
        genesis_hash=node.chain.genesis_hash,
        submit=node.submit,
        expected=collating.expected,
    )


SUBSYSTEMS: dict[type[Subsystem], Make] = {
    RuntimeApi: lambda node: RuntimeApi(node.state_of, node.ask),
    ChainApi: lambda node: ChainApi(node.chain),
    NetworkBridge: lambda node: NetworkBridge(
        node.ports.network, node.role.observed, node.chain.finalized.number
    ),
    PeerSetManager: lambda node: PeerSetManager(
        node.ports.keystore,
        node.watched,
        node.ports.steering,
        node.ports.network.local_peer,
        node.chain.genesis_hash,
        node.grandpa.authorities_are,
    ),
    CandidateValidation: lambda node: CandidateValidation(node.ports.validation_host, node.watched),
    CandidateBacking: lambda node: CandidateBacking(node.ports.keystore),
    CandidateSelection: lambda node: CandidateSelection(node.ports.keystore),
    StatementDistribution: lambda node: StatementDistribution(node.watched, node.watched.look),
    PoVDistribution: lambda node: PoVDistribution(),
    AvailabilityStore: lambda node: AvailabilityStore(node.ports.database),
    AvailabilityDistribution: lambda node: AvailabilityDistribution(node.ports.keystore),
    AvailabilityRecovery: lambda node: AvailabilityRecovery(),
    CandidateChecking: lambda node: CandidateChecking(),
    ApprovalVoting: lambda node: ApprovalVoting(
        node.ports.keystore,
        node.ports.database,
        node.parameters,
        node.chain,
        node.chain.finalized.number,
    ),
    ApprovalDistribution: lambda node: ApprovalDistribution(
        node.watched, int(node.parameters.slot_duration_ms), node.chain.finalized.number
    ),
    ChainSelection: lambda node: ChainSelection(
        node.chain,
        node.viability,
        node.voting_limit,
        Consequences(node.reconsider_forks, node.grandpa.rule_moved),
    ),
    BitfieldSigning: lambda node: BitfieldSigning(
        node.ports.keystore, node.parameters.slot_duration_s
    ),
    BitfieldDistribution: lambda node: BitfieldDistribution(node.watched, node.watched.look),
    CollationDistribution: _collation_distribution,  # type: ignore[type-abstract]
    CollationGeneration: _collation_generation,
    Provisioner: lambda node: Provisioner(partial(sanitize, node.runtime.modules.parachains)),
    DisputeCoordinator: lambda node: DisputeCoordinator(
        node.ports.database,
        node.ports.keystore,
        node.watched,
        RemoteDisputing(node.ports.keystore, node.chain.genesis_hash, node.submit),
    ),
    DisputeDistribution: lambda node: DisputeDistribution(node.ports.keystore),
    MisbehaviorArbitration: lambda node: MisbehaviorArbitration(
        node.ports.database, node.ports.keystore
    ),
}
"""In the order in which signals reach them. The same on every node, but for the two sides of
collation: what a role does not need stays idle without its keys."""


def make_subsystems(node: Node) -> list[Subsystem]:
    """Those that this node has."""
    made = (make(node) for make in SUBSYSTEMS.values())
    return [subsystem for subsystem in made if subsystem is not None]


def declared_graph() -> list[tuple[str, str, str]]:
    """(sender, message, receiver) for all that subsystems may say, on nodes of any role."""
    return MessageGraph(tuple(SUBSYSTEMS)).edges()
