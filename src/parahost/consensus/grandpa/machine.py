"""GRANDPA as a machine: what happens or the time goes in, effects come out.

No task, no clock, no network, no disk: an input is dealt with at once, and what follows from it is
given as a list of values, which whoever drives the machine does in their order before it hands in
anything else. So the machine is tested without any of these, replayed, and killed between any two
effects. ``voter.py`` is the driver of a node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from parahost.consensus.grandpa.authorities import AuthorityState
from parahost.consensus.grandpa.blocks import BlockRef, ChainView
from parahost.consensus.grandpa.catching_up import REPEAT_AFTER, STALLED_AFTER, RoundCatchUp
from parahost.consensus.grandpa.effects import (
    AuthorityPeers,
    ChainMoved,
    ChangeReputation,
    Effect,
    Input,
    Justified,
    OwnVote,
    PeerProof,
    ProofVerified,
    RuleMoved,
    SeekBlock,
    SignVote,
    TellUnplacedVote,
    VerifyProof,
    Wake,
)
from parahost.consensus.grandpa.finality import Finality, OwnKeys
from parahost.consensus.grandpa.gossip import GrandpaGossip
from parahost.consensus.grandpa.messages import (
    CatchUp,
    CatchUpRequest,
    CommitMessage,
    GossipMessage,
    NeighbourMessage,
    SignedMessage,
    VoteMessage,
)
from parahost.consensus.grandpa.proofs import Proofs
from parahost.consensus.grandpa.recovery import Recovered
from parahost.consensus.grandpa.rounds import CastIn, Completed, FinalIn, RoundsEffect
from parahost.consensus.grandpa.target import VotingRule
from parahost.consensus.grandpa.validity import (
    GrandpaVerdict,
    judge_vote,
)
from parahost.consensus.grandpa.votes import RoundVotes
from parahost.ports import Notification, PeerConnected, PeerDisconnected, Random, Verifier
from parahost.primitives.basic import U64, PeerId
from parahost.primitives.events import BestBlockEvent, BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.scale import ScaleDecodeError, decode_once, encode

IDLE_ANNOUNCE_EVERY = 60
"""In T: how often we say where we are when nothing happens."""


class GrandpaMachine:
    """One node's part in finality. What it reads besides its inputs: the block chain, the node's
    keys, and commits that it has had saved.

    :param verifier: asked for single votes; many signatures are an effect.
    :param random: whom to tell, and when; chance decides nothing else.
    :param gossip_s: T, in seconds. All times are.
    """

    def __init__(
        self,
        chain: ChainView,
        recovered: Recovered,
        *,
        verifier: Verifier,
        random: Random,
        own_keys: OwnKeys,
        commit_of_set: Callable[[int], CommitMessage | None],
        gossip_s: float,
        rule: VotingRule,
        now: float,
    ) -> None:
        self._chain = chain
        self._verifier = verifier
        self._random = random
        self._gossip_s = gossip_s
        self._out: list[Effect] = []
        emit = self._emit
        self._finality = Finality(
            chain, recovered, own_keys, rule, emit, gossip_s=gossip_s, now=now
        )
        pause_s = REPEAT_AFTER * gossip_s
        self._gossip = GrandpaGossip(
            emit, commit_of_set, self._finality.view, random, pause_s=pause_s
        )
        self._catching_up = RoundCatchUp(emit, random, self._gossip.peers, gossip_s)
        self._proofs = Proofs(chain, self._finality, self._gossip, self._catching_up, emit)
        self._announce_at = now
        self._chain_changed = True

    @property
    def authorities(self) -> AuthorityState:
        """The set that votes now, and the changes that are announced."""
        return self._finality.authorities

    @property
    def round(self) -> int:
        """The number of the round that runs, counted from 1 in each set."""
        return self._finality.rounds.current.number

    @property
    def counted(self) -> Sequence[RoundVotes]:
        """The votes of the round that runs, and those of the one before, if it had any."""
        return self._finality.rounds.counted

    def handle(self, event: Input, now: float) -> Sequence[Effect]:
        """What follows at once from what has happened."""
        match event:
            case Notification(peer, _, payload):
                if peer in self._gossip.peers:
                    self._blame(peer, self._receive(peer, payload, now))
            case PeerConnected(peer, role):
                self._gossip.connected(peer, role)
            case PeerDisconnected(peer):
                self._gossip.disconnected(peer)
                self._catching_up.answered(peer)  # who is gone owes nothing
            case BlockImportEvent():
                self._finality.announced(event)
                self._look_again()
            case BestBlockEvent() | BlockFinalizationEvent() | RuleMoved():
                self._look_again()
            case AuthorityPeers(peers):
                self._gossip.authorities_are(peers)
            case ChainMoved():
                self._follow(now)
            case OwnVote():
                self._take_own(event)
            case ProofVerified(proof, good):
                self._blame(proof.peer, self._proofs.take(proof, good, now))
            case Justified(set_id, justification, data):
                if set_id == self.authorities.set_id:
                    self._finality.finalize(justification.round, justification.commit, data)
                    self._emit(Wake())
        return self._given()

    def advance(self, now: float) -> Sequence[Effect]:
        """What is due now. To be called until it gives nothing: what is due next may depend on the
        answers to these effects."""
        if self._chain_changed:
            self._follow(now)
        while not self._out and (effect := self._finality.due(now)) is not None:
            self._apply(effect, now)
        if not self._out:
            self._tell_and_ask(now)
        return self._given()

    def next_due(self, now: float) -> float:
        """When to :meth:`advance` at the latest."""
        deadlines = self._finality.rounds.deadline(now), self._gossip.held_until
        return min([self._announce_at, *(due for due in deadlines if due is not None)])

    def unverified(self, proof: PeerProof) -> Sequence[SignedMessage]:
        """The votes whose signatures decide about a message of many."""
        return self._proofs.unverified(proof)

    def _emit(self, effect: Effect) -> None:
        self._out.append(effect)

    def _given(self) -> Sequence[Effect]:
        given, self._out = self._out, []
        return given

    # What comes in

    def _look_again(self) -> None:
        self._chain_changed = True
        self._emit(Wake())

    def _blame(self, peer: PeerId, verdict: GrandpaVerdict) -> None:
        if verdict.rejects:
            self._emit(ChangeReputation(peer, verdict.cost, f"grandpa: {verdict.reason}"))

    def _receive(self, peer: PeerId, payload: bytes, now: float) -> GrandpaVerdict:
        if self._gossip.has(payload, peer):
            if self._finality.rounds.votes_wait:  # who repeats a vote may have its block
                again: VoteMessage = decode_once(GossipMessage, payload)
                self._seek(peer, again.vote.target)
            return GrandpaVerdict.ACCEPT
        try:
            message: GossipMessage = decode_once(GossipMessage, payload)
        except ScaleDecodeError:
            return GrandpaVerdict.MALFORMED
        match message:
            case VoteMessage():
                return self._receive_vote(peer, message, payload)
            case NeighbourMessage():
                if self._catching_up.heard(message, self._finality.rounds):
                    self._emit(Wake())
                return self._gossip.heard(peer, message, now)
            case CatchUpRequest():
                return self._catching_up.answer(peer, message, self._finality.rounds, now)
            case CommitMessage():
                self._emit(VerifyProof(PeerProof(peer, message, asked=False)))
            case CatchUp():
                asked = self._catching_up.answered(peer)
                self._emit(VerifyProof(PeerProof(peer, message, asked)))
        return GrandpaVerdict.ACCEPT

    def _receive_vote(self, peer: PeerId, message: VoteMessage, payload: bytes) -> GrandpaVerdict:
        rounds = self._finality.rounds
        verdict = judge_vote(message, rounds, self._verifier)
        votes = rounds.votes(message.round)
        if verdict is GrandpaVerdict.ACCEPT and votes is not None:
            before = votes.state
            if self._finality.count(message.round, message.vote):
                self._gossip.add_vote(message.set_id, message.round, payload, peer, self._voters())
                if rounds.may_advance(votes, before):
                    self._emit(Wake())
            if rounds.votes_wait:
                self._seek(peer, message.vote.target)
        elif verdict in (GrandpaVerdict.OTHER_SET, GrandpaVerdict.OTHER_ROUND):
            self._look_for_our_key(message)
        return verdict

    def _look_for_our_key(self, said: VoteMessage) -> None:
        """Where we have not been yet, only another machine can have voted with a key of ours."""
        view = self._finality.view
        is_to_come = (said.set_id, said.round) > (view.set_id, view.round)
        if is_to_come and self._finality.is_ours(said.vote.id):
            self._emit(TellUnplacedVote(said.set_id, said.round, said.vote))

    def _take_own(self, own: OwnVote) -> None:
        self._finality.rounds.add(own.round, own.vote)
        payload = encode(VoteMessage(U64(own.round), U64(own.set_id), own.vote), GossipMessage)
        self._gossip.add_vote(own.set_id, own.round, payload, None, self._voters())

    def _seek(self, peer: PeerId, block: BlockRef) -> None:
        if self._chain.header(block.hash) is None:
            self._emit(SeekBlock(peer, block))

    def _voters(self) -> int:
        return len(self.authorities.authorities)

    # What follows

    def _follow(self, now: float) -> None:
        """Take in what has happened to the chain."""
        self._chain_changed = False
        if self._finality.follow(now):
            self._proofs.held.clear()
        self._proofs.take_held()

    def _apply(self, effect: RoundsEffect, now: float) -> None:
        match effect:
            case CastIn(round_number, message):
                key = self._finality.key
                assert key is not None, "only a voter casts"
                self._emit(SignVote(key, self.authorities.set_id, round_number, message))
            case FinalIn(votes, block):
                commit = self._finality.finalize(votes.number, votes.commit(block))
                if commit is not None and self._finality.key is not None:
                    delay = self._gossip_s * self._random.below(1000) / 1000
                    self._gossip.hold(commit, until=now + delay)
            case Completed(prior):
                self._finality.completed(prior, now)

    def _tell_and_ask(self, now: float) -> None:
        """Nothing is due in the rounds: keep up with the peers."""
        self._gossip.release(now)
        rounds, window = self._finality.rounds, STALLED_AFTER * self._gossip_s
        stalled = rounds.current.active and now >= self._finality.progress_at + window
        self._catching_up.ask(rounds, now, stalled=stalled)
        self._announce(now)

    def _announce(self, now: float) -> None:
        """Say where we are: at once when that has changed, else from time to time."""
        view = self._finality.view
        active = self._finality.rounds.current.active
        interval = self._gossip_s * (STALLED_AFTER if active else IDLE_ANNOUNCE_EVERY)
        if view != self._gossip.view:
            self._gossip.move(view)
        elif now >= self._announce_at:
            self._gossip.announce()
        else:
            self._announce_at = min(self._announce_at, now + interval)
            return
        self._announce_at = now + interval
