"""``system_*``: the node, its chain and its peers."""

from __future__ import annotations

import parahost
from parahost.node.role import Role
from parahost.primitives.addresses import AddressError
from parahost.primitives.basic import PeerId
from parahost.primitives.peer_ids import is_peer_id
from parahost.rpc.errors import MalformedPeer
from parahost.rpc.params import Account
from parahost.rpc.served import CallContext
from parahost.rpc.table import Family
from parahost.rpc.values import Json, hex_of
from parahost.runtime.api import account_nonce

SYSTEM = Family()


@SYSTEM.method("system_name")
def name(context: CallContext) -> Json:
    """What the node's program is called."""
    return "parahost"


@SYSTEM.method("system_version")
def version(context: CallContext) -> Json:
    """The version of the program."""
    return parahost.__version__


@SYSTEM.method("system_chain")
def chain(context: CallContext) -> Json:
    """What the chain is called."""
    return context.served.spec.name


@SYSTEM.method("system_chainType")
def chain_type(context: CallContext) -> Json:
    """Development, Local or Live."""
    return context.served.spec.chain_type


@SYSTEM.method("system_properties")
def properties(context: CallContext) -> Json:
    """What wallets want to know: the addresses' prefix, the token's name and decimals."""
    return dict(context.served.spec.properties)


@SYSTEM.method("system_health")
def health(context: CallContext) -> Json:
    """How many peers there are, and whether the node is catching up."""
    node = context.served.node
    return {
        "peers": len(node.ports.network.connected()),
        "isSyncing": node.sync.catching_up,
        "shouldHavePeers": True,
    }


@SYSTEM.method("system_localPeerId")
def local_peer_id(context: CallContext) -> Json:
    """By what name peers know the node."""
    return context.served.node.ports.network.local_peer


@SYSTEM.method("system_localListenAddresses")
def local_listen_addresses(context: CallContext) -> Json:
    """Where peers reach the node: multiaddresses."""
    return list(context.served.node.ports.steering.listen_addresses)


@SYSTEM.method("system_nodeRoles")
def node_roles(context: CallContext) -> Json:
    """What the node does for the chain."""
    return ["Authority" if context.served.node.role is Role.VALIDATOR else "Full"]


@SYSTEM.method("system_syncState")
def sync_state(context: CallContext) -> Json:
    """The best block's number at the node's start and now, and the highest that peers tell of."""
    served = context.served
    best = served.chain.best.number
    told = (peer.status.best_number for peer in served.node.sync.peers if peer.status is not None)
    return {
        "startingBlock": served.started_at,
        "currentBlock": best,
        "highestBlock": max([best, *told]),
    }


@SYSTEM.method("system_peers", unsafe=True)
def peers(context: CallContext) -> Json:
    """The peers that have told what they have."""
    return [
        {
            "peerId": peer.id,
            "roles": peer.role.name,
            "bestHash": hex_of(peer.status.best_hash),
            "bestNumber": peer.status.best_number,
        }
        for peer in context.served.node.sync.peers
        if peer.status is not None
    ]


@SYSTEM.method("system_reservedPeers")
def reserved_peers(context: CallContext) -> Json:
    """The peers that the operator wants this node to be connected to, whatever comes."""
    return list(context.served.node.ports.steering.reserved)


@SYSTEM.method("system_addReservedPeer", unsafe=True)
def add_reserved_peer(context: CallContext, peer: str) -> Json:
    """Has the node dial a multiaddress, which ends with `/p2p/` and a peer's name, until the peer
    is removed or the node stops; and keep a place for it."""
    try:
        context.served.node.ports.steering.reserve(peer)
    except AddressError as why:
        raise MalformedPeer(str(why)) from None
    return None


@SYSTEM.method("system_removeReservedPeer", unsafe=True)
def remove_reserved_peer(context: CallContext, peer_id: str) -> Json:
    """Takes back that a peer is reserved. It goes on as any other; bootnodes stay."""
    if not is_peer_id(peer_id):
        raise MalformedPeer(f"{peer_id[:64]!r} is no peer's name")
    context.served.node.ports.steering.release(PeerId(peer_id))
    return None


@SYSTEM.method("system_accountNextIndex", "account_nextIndex")
def account_next_index(context: CallContext, account: Account) -> Json:
    """The nonce of an account's next extrinsic, after those of it that are ready in the pool."""
    served = context.served
    nonce = account_nonce(served.state(None), account)
    return nonce + served.node.pool.ready_of(account)
