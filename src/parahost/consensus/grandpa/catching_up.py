"""Asking for the votes of rounds that we have missed, and giving them to others.

Where a peer says that it is, nobody proves: it makes us ask, and nothing else. Several are asked
at a time, those first that were asked in vain least often. Who does not answer, pays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from parahost.consensus.fanout import sample
from parahost.consensus.grandpa.catch_up import catch_up_of
from parahost.consensus.grandpa.effects import ChangeReputation, Emit, Send
from parahost.consensus.grandpa.messages import (
    CatchUpRequest,
    GossipMessage,
    NeighbourMessage,
)
from parahost.consensus.grandpa.rounds import Rounds
from parahost.consensus.grandpa.validity import GrandpaVerdict, PeerRecord, judge_catch_up_request
from parahost.ports import Random
from parahost.primitives.basic import U64, PeerId
from parahost.primitives.scale import encode

STALLED_AFTER = 10
"""In T: how long a round may run before we say again where we are and ask for what we lack."""
REPEAT_AFTER = 5
"""In T: how soon a peer may repeat itself."""
ASKED_AT_ONCE = 3
COST_NO_ANSWER = -20
MAX_REMEMBERED = 1024
"""Peers of which we know that they did not help; it outlasts their connections."""


class Asking:
    """Who was asked, and who has not helped."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._until: dict[PeerId, float] = {}
        self._in_vain: dict[PeerId, int] = {}

    def ask(self, peers: Iterable[PeerId], until: float) -> list[PeerId]:
        """Choose among peers; the chosen ones owe an answer until then."""
        free = [peer for peer in peers if peer not in self._until]
        shuffled = sample(self._random, free, len(free))
        chosen = sorted(shuffled, key=lambda peer: self._in_vain.get(peer, 0))[:ASKED_AT_ONCE]
        for peer in chosen:
            self._until[peer] = until
            self._in_vain[peer] = self._in_vain.pop(peer, 0) + 1
        while len(self._in_vain) > MAX_REMEMBERED:
            del self._in_vain[next(iter(self._in_vain))]
        return chosen

    def answered(self, peer: PeerId) -> bool:
        """A peer answers; whether it owed that."""
        return self._until.pop(peer, None) is not None

    def helped(self, peer: PeerId) -> None:
        """Its answer got us on."""
        self._in_vain.pop(peer, None)

    def overdue(self, now: float) -> list[PeerId]:
        """Those who owed an answer until now; they owe none any more."""
        late = [peer for peer, until in self._until.items() if until <= now]
        for peer in late:
            del self._until[peer]
        return late


class RoundCatchUp:
    """Both sides of it.

    :param emit: takes what is to be sent and reported.
    :param peers: what is known of the connected peers; read only.
    :param gossip_s: T, in seconds.
    """

    def __init__(
        self,
        emit: Emit,
        random: Random,
        peers: Mapping[PeerId, PeerRecord],
        gossip_s: float,
    ) -> None:
        self._emit = emit
        self._peers = peers
        self._window_s = STALLED_AFTER * gossip_s
        self._pause_s = REPEAT_AFTER * gossip_s
        self._asking = Asking(random)
        self._asked_at = float("-inf")
        self._peer_ahead = False
        """Whether a peer has said, since we looked last, that it has left our round far behind."""

    def heard(self, message: NeighbourMessage, rounds: Rounds) -> bool:
        """A peer says where it is; whether that is a reason to :meth:`ask`."""
        ahead = message.set_id == rounds.set_id and message.round > rounds.current.number + 1
        self._peer_ahead = self._peer_ahead or ahead
        return ahead

    def ask(self, rounds: Rounds, now: float, *, stalled: bool) -> None:
        """Ask peers that say that they have left our round behind for the votes to follow, if our
        own is ``stalled`` or one of them is far ahead."""
        for peer in self._asking.overdue(now):
            self._emit(
                ChangeReputation(peer, COST_NO_ANSWER, "grandpa: no answer to a catch-up request")
            )
        if now < self._asked_at + self._window_s or not (stalled or self._peer_ahead):
            return
        self._peer_ahead = False
        here = rounds.current.number
        beyond = here + (0 if stalled else 1)
        ahead = [
            peer
            for peer, record in self._peers.items()
            if record.view is not None
            and record.view.set_id == rounds.set_id
            and record.view.round > beyond
        ]
        asked = self._asking.ask(ahead, now + self._window_s)
        if asked:
            self._asked_at = now
            request = CatchUpRequest(U64(here), U64(rounds.set_id))
            self._emit(Send(asked, encode(request, GossipMessage)))

    def answered(self, peer: PeerId) -> bool:
        """A peer answers, or is gone; whether it owed us an answer."""
        return self._asking.answered(peer)

    def helped(self, peer: PeerId) -> None:
        """Its answer got us on."""
        self._asking.helped(peer)

    def answer(
        self, peer: PeerId, message: CatchUpRequest, rounds: Rounds, now: float
    ) -> GrandpaVerdict:
        """Give a peer the votes that completed the last round."""
        record = self._peers[peer]
        verdict = judge_catch_up_request(message, record, rounds, now, self._pause_s)
        votes = rounds.prior.votes
        if verdict is GrandpaVerdict.ACCEPT and votes is not None:
            record.asked_us_at = now
            answer = encode(catch_up_of(rounds.set_id, votes), GossipMessage)
            self._emit(Send([peer], answer))
        return verdict
