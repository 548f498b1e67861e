"""Who is told what.

Votes go to the peers whose view says that they run the vote's round or have just left it;
commits to those who have not finalised as much; both once. Who casts a vote sends it to all such
peers; who passes it on, to a few of them. A peer that says twice in a row that it is where it was
is taken to have lost what it was sent: it gets everything again.

A collator gets commits alone, and is not told of rounds either: it needs to know what is final, and
not how that is agreed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from parahost.consensus.fanout import a_few, relay_fanout
from parahost.consensus.grandpa.effects import Emit, Send
from parahost.consensus.grandpa.messages import (
    NEIGHBOUR_VERSION,
    CommitMessage,
    GossipMessage,
    NeighbourMessage,
)
from parahost.consensus.grandpa.validity import (
    GrandpaVerdict,
    PeerRecord,
    VoterView,
    judge_neighbour,
)
from parahost.ports import Random
from parahost.ports.network import ObservedRole
from parahost.primitives.basic import U8, PeerId
from parahost.primitives.scale import encode


class GrandpaGossip:
    """What peers know. Memory: two rounds' votes, and a mark for each of them a peer.

    :param emit: takes what is to be sent.
    :param commit_of_set: the last commit of a set, by its id.
    :param pause_s: how long a peer that says the same again must have waited.
    """

    def __init__(
        self,
        emit: Emit,
        commit_of_set: Callable[[int], CommitMessage | None],
        view: VoterView,
        random: Random,
        *,
        pause_s: float,
    ) -> None:
        self.peers: dict[PeerId, PeerRecord] = {}
        self._in_rounds: list[PeerId] = []
        """Those who are told of votes and rounds, in the order in which they came."""
        self._authorities = frozenset[PeerId]()
        self._authorities_connected = 0
        self.view = view
        self._emit = emit
        self._random = random
        self._commit_of_set = commit_of_set
        self._pause_s = pause_s
        self._votes: dict[tuple[int, int], dict[bytes, None]] = {}
        self.held: CommitMessage | None = None
        """Our own commit, while it waits so that others may be first; nobody is sent it."""
        self.held_until: float | None = None

    def authorities_are(self, peers: Iterable[PeerId]) -> None:
        """Who of all peers, connected or not, is an authority by a record that was verified."""
        self._authorities = frozenset(peers)
        self._authorities_connected = sum(peer in self._authorities for peer in self.peers)

    def connected(self, peer: PeerId, role: ObservedRole) -> None:
        self.peers[peer] = PeerRecord(follows=role is ObservedRole.COLLATOR)
        self._authorities_connected += peer in self._authorities
        if role is not ObservedRole.COLLATOR:
            self._in_rounds.append(peer)
            self._emit(Send([peer], self._neighbour_packet()))

    def disconnected(self, peer: PeerId) -> None:
        record = self.peers.pop(peer, None)
        if record is not None:
            self._authorities_connected -= peer in self._authorities
            if not record.follows:
                self._in_rounds.remove(peer)

    def move(self, view: VoterView) -> None:
        """We are elsewhere now: forget what is over, and tell the peers."""
        self.view = view
        self._votes = {key: votes for key, votes in self._votes.items() if _in_reach(view, key)}
        self.announce()

    def announce(self) -> None:
        """Tell where we are."""
        self._emit(Send(list(self._in_rounds), self._neighbour_packet()))

    def has(self, payload: bytes, source: PeerId) -> bool:
        """Whether the vote message has been taken before; notes that its source has it too."""
        for key, votes in self._votes.items():
            if payload in votes:
                self._mark(source, key, payload)
                return True
        return False

    def add_vote(
        self, set_id: int, round_number: int, payload: bytes, source: PeerId | None, voters: int
    ) -> None:
        """Keep a vote message, ours or one that was news, and pass it on; the set has so many
        ``voters``."""
        key = (set_id, round_number)
        self._votes.setdefault(key, {})[payload] = None
        if source is not None:
            self._mark(source, key, payload)

        def lacks(peer: PeerId) -> bool:
            record = self.peers[peer]
            return (
                record.view is not None
                and _in_reach(record.view, key)
                and payload not in record.sent.get(key, ())
            )

        if source is None:
            ready = [peer for peer in self._in_rounds if lacks(peer)]
        else:
            fanout = relay_fanout(self._random, self._authorities_connected, voters)
            ready = a_few(self._random, self._in_rounds, fanout, lacks) if fanout else []
        for peer in ready:
            self._mark(peer, key, payload)
        if ready:
            self._emit(Send(ready, payload))

    def hold(self, commit: CommitMessage, until: float) -> None:
        """Tell our own commit at that moment, unless others are first."""
        self.held, self.held_until = commit, until

    def others_were_first(self, commit: CommitMessage) -> None:
        """A commit has come: ours is not needed if it is for no higher block."""
        if self.held is not None and commit.commit.target_number >= self.held.commit.target_number:
            self.held = self.held_until = None

    def release(self, now: float) -> None:
        """Tell our own commit if its time has come."""
        if self.held is not None and self.held_until is not None and now >= self.held_until:
            commit, self.held, self.held_until = self.held, None, None
            self.pass_on_commit(commit)

    def pass_on_commit(self, message: CommitMessage, source: PeerId | None = None) -> None:
        """Send a commit to those of its set who have not finalised as much."""
        mark = (message.set_id, message.commit.target_number)
        if source in self.peers:
            self.peers[source].commit_sent = max(self.peers[source].commit_sent, mark)
        wanting = [peer for peer, record in self.peers.items() if _wants_commit(record, mark)]
        for peer in wanting:
            self.peers[peer].commit_sent = mark
        if wanting:
            self._emit(Send(wanting, encode(message, GossipMessage)))

    def heard(self, peer: PeerId, message: NeighbourMessage, now: float) -> GrandpaVerdict:
        """A peer says where it is: it gets what it lacks there."""
        record = self.peers[peer]
        verdict = judge_neighbour(message, record, now, self._pause_s)
        if verdict is not GrandpaVerdict.ACCEPT:
            return verdict
        view = VoterView(message.set_id, message.round, message.finalized_number)
        stuck = view == record.view
        if stuck:
            record.sent.clear()
            record.commit_sent = (-1, -1)
        is_new = stuck or record.view is None
        record.view, record.viewed_at = view, now
        record.sent = {key: sent for key, sent in record.sent.items() if _in_reach(view, key)}
        if not record.follows:
            for round_number in [view.round - 1, view.round] if is_new else [view.round]:
                self._send_votes(peer, record, (view.set_id, round_number))
        if self.held is None:
            self._send_commit(peer, record, view)
        return verdict

    def _send_votes(self, peer: PeerId, record: PeerRecord, key: tuple[int, int]) -> None:
        sent = record.sent.setdefault(key, set())
        for payload in self._votes.get(key, ()):
            if payload not in sent:
                sent.add(payload)
                self._emit(Send([peer], payload))

    def _send_commit(self, peer: PeerId, record: PeerRecord, view: VoterView) -> None:
        behind = view.set_id < self.view.set_id or (
            view.set_id == self.view.set_id and view.finalized_number < self.view.finalized_number
        )
        if not behind or (view.set_id == record.commit_sent[0] and view.set_id < self.view.set_id):
            return  # a past set has one last commit, and the peer was sent it
        message = self._commit_of_set(view.set_id)
        if message is None:
            return
        mark = (message.set_id, message.commit.target_number)
        if _wants_commit(record, mark):
            record.commit_sent = mark
            self._emit(Send([peer], encode(message, GossipMessage)))

    def _mark(self, peer: PeerId, key: tuple[int, int], payload: bytes) -> None:
        record = self.peers.get(peer)
        if record is not None:
            record.sent.setdefault(key, set()).add(payload)

    def _neighbour_packet(self) -> bytes:
        view = self.view
        return encode(
            NeighbourMessage(U8(NEIGHBOUR_VERSION), view.round, view.set_id, view.finalized_number),
            GossipMessage,
        )


def _in_reach(view: VoterView, key: tuple[int, int]) -> bool:
    """Whether a node there takes votes of that set and round."""
    set_id, round_number = key
    return set_id == view.set_id and round_number in (view.round, view.round - 1)


def _wants_commit(record: PeerRecord, mark: tuple[int, int]) -> bool:
    set_id, number = mark
    return (
        record.view is not None
        and record.view.set_id == set_id
        and record.view.finalized_number < number
        and record.commit_sent < mark
    )
