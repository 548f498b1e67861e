"""What a node tells of itself when somebody looks: how its chain, its pool, its peers and its
validator stand. Nothing of it is kept for that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from parahost.consensus.grandpa.votes import Stage
from parahost.metrics.metric import Counter, Gauge, Metric, Reading
from parahost.ports import KeyType, ObservedRole
from parahost.runtime import api

if TYPE_CHECKING:
    from parahost.node.node import Node

NODE_ROLES = Gauge("substrate_node_roles", "1 for a full node, 4 for a validator.")
HEIGHT = Gauge(
    "substrate_block_height",
    "The best block, the last final one, and the highest that a peer says it has.",
    ("status",),
)
LEAVES = Gauge("substrate_number_leaves", "Blocks without children: forks.")
SYNCING = Gauge(
    "substrate_sub_libp2p_is_major_syncing", "Whether the node is far behind, and catches up."
)
READY = Gauge("substrate_ready_transactions_number", "Transactions that may be in the next block.")
POOL = Gauge("parahost_pool_transactions", "All transactions that wait.")
PEERS = Gauge("substrate_sub_libp2p_peers_count", "Peers that are connected.")
ROUND = Gauge(
    "substrate_finality_grandpa_round", "The last completed round of GRANDPA, in the present set."
)
PREVOTES = Counter(
    "substrate_finality_grandpa_prevotes_total", "Prevotes of GRANDPA that this node has cast."
)
PRECOMMITS = Counter(
    "substrate_finality_grandpa_precommits_total", "Precommits that this node has cast."
)
SESSION = Gauge("parahost_session_index", "The session of the best block's children.")
IS_VALIDATOR = Gauge(
    "polkadot_node_is_active_validator",
    "Whether a key of this node is among the session's validators.",
)
VALIDATOR_STAKE = Gauge(
    "parahost_validator_stake", "What this validator has at stake, in parts of a token."
)
OPEN_DISPUTES = Gauge(
    "parahost_chain_disputes_open", "Disputes on the best chain that are not concluded."
)

NODE_METRICS: Final[tuple[Metric, ...]] = (
    NODE_ROLES,
    HEIGHT,
    LEAVES,
    SYNCING,
    READY,
    POOL,
    PEERS,
    ROUND,
    PREVOTES,
    PRECOMMITS,
    SESSION,
    IS_VALIDATOR,
    VALIDATOR_STAKE,
    OPEN_DISPUTES,
)


def readings(node: Node) -> Iterator[Reading]:
    """All of these, of one node."""
    yield NODE_ROLES.of(4 if node.role.observed is ObservedRole.AUTHORITY else 1)
    yield from _chain(node)
    yield READY.of(node.pool.ready_count)
    yield POOL.of(len(node.pool))
    yield PEERS.of(len(node.ports.network.connected()))
    yield ROUND.of(node.grandpa.round - 1)
    yield PREVOTES.of(node.grandpa.votes_cast(Stage.PREVOTE))
    yield PRECOMMITS.of(node.grandpa.votes_cast(Stage.PRECOMMIT))
    yield from _validator(node)


def _chain(node: Node) -> Iterator[Reading]:
    best = node.chain.best.number
    told = (peer.status.best_number for peer in node.sync.peers if peer.status is not None)
    yield HEIGHT.of(best, "best")
    yield HEIGHT.of(node.chain.finalized.number, "finalized")
    yield HEIGHT.of(max(told, default=best), "sync_target")
    yield LEAVES.of(len(node.chain.leaves()))
    yield SYNCING.of(node.sync.catching_up)


def _validator(node: Node) -> Iterator[Reading]:
    """What the best block's state says of this validator, and of all."""
    state = node.chain.state(node.chain.best_hash)
    held = node.ports.keystore.public_keys(KeyType.PARACHAIN)
    session = api.session_index_for_child(state)
    own = [one for one in api.session_validators(state) if one.keys.para_validator in held]
    yield SESSION.of(session)
    yield IS_VALIDATOR.of(bool(own))
    yield VALIDATOR_STAKE.of(sum(api.stake(state, one.account) for one in own))
    disputes = api.disputes(state)
    yield OPEN_DISPUTES.of(sum(dispute.outcome is None for _, dispute in disputes))
