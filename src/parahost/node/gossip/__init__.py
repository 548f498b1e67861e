"""The gossip engine: what a message is worth is for a protocol to say, who is told is the same for
all.

A protocol is three small parts:

- a **wire** (:class:`Wire`): how its messages are read and written. It makes a :class:`GossipItem`
  of each: what makes it one and the same, what it introduces, and what it depends on;
- **rules** (:class:`Rules`): what is right at one topic. They are pure: an item in, a
  :class:`Verdict` out. Accept, ignore or reject, with what the sender earns by it;
- a subsystem that has a :class:`Gossip`, opens and closes its topics, publishes what this node
  makes, and is told what others say that is new and right.

A topic is a block of the relay chain. The engine knows for each which peer has what. It

- tells what this node makes to all who work on the topic, and passes on what is news to a few of
  them (``consensus/fanout.py``); to who lacks what an item depends on, that goes first;
- brings up to date who begins to work on a topic, a batch at a time, as the bus has room;
- keeps what comes early, within limits, until its topic is opened;
- asks nobody's rules about copies, about what stands on nothing, or about more than a peer may
  bring, and reports what peers gain and lose.

A peer works on the heads of its view; and where topics have parents, on what is below these leaves
and not final for the peer. So gossip at a leaf (statements, bitfields) gives no parents and closes
a topic when work on it stops, and gossip about blocks until they are final (approvals) gives
parents and calls :meth:`Gossip.close_up_to` with each final number.

docs/CONTRIBUTING.md has a whole protocol as an example.
"""

from parahost.node.gossip.engine import Gossip
from parahost.node.gossip.peers import GossipPeers
from parahost.node.gossip.protocol import MAX_BATCH, GossipItem, Quota, Rules, Wire, in_batches
from parahost.node.gossip.verdict import (
    BENEFIT_NEW,
    COST_BAD_SIGNATURE,
    COST_DUPLICATE,
    COST_FLOOD,
    COST_MALFORMED,
    COST_NO_VALIDATOR,
    COST_NOT_IN_VIEW,
    COST_OUT_OF_ORDER,
    Acceptance,
    Verdict,
)

__all__ = [
    "BENEFIT_NEW",
    "COST_BAD_SIGNATURE",
    "COST_DUPLICATE",
    "COST_FLOOD",
    "COST_MALFORMED",
    "COST_NOT_IN_VIEW",
    "COST_NO_VALIDATOR",
    "COST_OUT_OF_ORDER",
    "MAX_BATCH",
    "Acceptance",
    "Gossip",
    "GossipItem",
    "GossipPeers",
    "Quota",
    "Rules",
    "Verdict",
    "Wire",
    "in_batches",
]
