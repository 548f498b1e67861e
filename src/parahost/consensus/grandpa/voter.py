"""GRANDPA at work in a node: rounds driven by votes, blocks and time, against the ports.

What comes in is taken at once, and then one task lets the rounds advance until nothing is due. Only
what carries many signatures takes its time: they are verified a few at a time, and one message
after the other, while the rest of the node goes on. Nothing here waits for a peer: notifications
are queued by the network or their receiver is dropped, so no peer can hold up a round. A node
without a key of the set does the same but signs nothing, and follows finality as a voter does.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

import trio

from parahost.consensus.grandpa.alarms import Alarms
from parahost.consensus.grandpa.authorities import AuthorityState
from parahost.consensus.grandpa.ballots import Ballots
from parahost.consensus.grandpa.blocks import (
    BlockRef,
    GrandpaChain,
    ancestor_at,
    best_of,
    descends,
    finalized_of,
)
from parahost.consensus.grandpa.catch_up import round_of
from parahost.consensus.grandpa.catching_up import REPEAT_AFTER, STALLED_AFTER, CatchingUp
from parahost.consensus.grandpa.commits import first_unsigned, target_of
from parahost.consensus.grandpa.gossip import Gossip
from parahost.consensus.grandpa.justification import build_justification, verify_justification
from parahost.consensus.grandpa.messages import (
    PROTOCOL,
    CatchUp,
    CatchUpRequest,
    CommitMessage,
    GossipMessage,
    NeighbourMessage,
    SignedMessage,
    VoteMessage,
    compact,
    expand,
)
from parahost.consensus.grandpa.recovery import begin_set, recover_authorities, recover_round
from parahost.consensus.grandpa.rounds import (
    CastIn,
    Completed,
    FinalIn,
    PriorRound,
    Rounds,
    RoundsEffect,
)
from parahost.consensus.grandpa.store import CompletedRound, GrandpaStore
from parahost.consensus.grandpa.target import VotingRule, VotingTarget, vote_for_best
from parahost.consensus.grandpa.validity import (
    Verdict,
    View,
    catch_up_votes,
    judge_catch_up,
    judge_commit,
    judge_vote,
    usable_part,
)
from parahost.consensus.grandpa.voters import VoterSet
from parahost.consensus.grandpa.votes import votes_of
from parahost.ports import (
    Clock,
    Database,
    KeyStore,
    Network,
    NetworkEvent,
    Notification,
    NotificationProtocol,
    PeerConnected,
    PeerDisconnected,
    Random,
    Verifier,
)
from parahost.primitives.basic import U64, BlockNumber, GrandpaId, Hash, PeerId
from parahost.primitives.consensus import (
    GrandpaAuthorities,
    GrandpaCommit,
    GrandpaEquivocationProof,
)
from parahost.primitives.events import BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.limits import MAX_GRANDPA_MESSAGE_BYTES
from parahost.primitives.scale import ScaleDecodeError, decode_once, encode

log = logging.getLogger(__name__)

IDLE_ANNOUNCE_EVERY = 60
"""In T: how often we say where we are when nothing happens."""
COMMITS_HELD = 4
"""Commits kept until their blocks are imported."""


Seek = Callable[[PeerId, Hash, BlockNumber], None]
"""Asks a peer for a block, by hash and number, that it may have."""


def _seek_nowhere(peer: PeerId, block: Hash, number: BlockNumber) -> None:
    """Blocks come by themselves, or not."""


class GrandpaVoter:
    """One node's finality. Construct before the network runs; then ``run``.

    :param genesis_authorities: the voters of set 0, with weights.
    :param gossip_s: T, the time in seconds in which a message reaches everyone; a round takes 2T
        to 4T and a little.
    :param voting_rule: where this node's votes stop (D27).
    :param on_equivocation: told each proof, once an offender and round.
    """

    def __init__(
        self,
        chain: GrandpaChain,
        *,
        network: Network,
        keystore: KeyStore,
        verifier: Verifier,
        database: Database,
        clock: Clock,
        random: Random,
        genesis_authorities: GrandpaAuthorities,
        gossip_s: float,
        on_equivocation: Callable[[GrandpaEquivocationProof], None],
        voting_rule: VotingRule = vote_for_best,
    ) -> None:
        self._chain = chain
        self._network = network
        self._verifier = verifier
        self._clock = clock
        self._random = random
        self._gossip_s = gossip_s
        self._on_equivocation = on_equivocation
        self._store = GrandpaStore(database)
        self._ballots = Ballots(self._store, keystore)
        self._target = VotingTarget(chain, lambda: self._authorities, voting_rule)
        self._authorities = recover_authorities(self._store, chain, genesis_authorities)
        self._key: GrandpaId | None = None
        self._rounds = self._rounds_after(recover_round(self._store, chain, self._authorities))
        self._gossip = Gossip(
            lambda peers, payload: network.notify(peers, PROTOCOL, payload),
            self._store.commit,
            self._view(),
            random,
            pause_s=REPEAT_AFTER * gossip_s,
        )
        self._catching_up = CatchingUp(network, random, self._gossip.peers, gossip_s)
        self._many_signatures = trio.Lock()
        """Whose signatures are verified now: of one message, commit or justification at a time."""
        self._held: list[CommitMessage] = []
        self._progress_at = clock.now()
        self._announce_at = clock.now()
        self._chain_changed = True
        self._alarms = Alarms(clock)
        self.seek: Seek = _seek_nowhere
        """Called for a block that a peer names in its messages and that is not known here. Without
        it, a vote for a block of a fork that nobody announces any more holds its round for ever."""
        self._unsubscribe = chain.subscribe(self._on_chain)
        protocol = NotificationProtocol(PROTOCOL, MAX_GRANDPA_MESSAGE_BYTES)
        network.on_notification(protocol, self._on_network)

    @property
    def authorities(self) -> AuthorityState:
        """The set that votes now, and the changes that are announced."""
        return self._authorities

    @property
    def round(self) -> int:
        """The number of the round that runs, counted from 1 in each set."""
        return self._rounds.current.number

    def authorities_are(self, peers: Sequence[PeerId]) -> None:
        """Be told which peers are authorities, by verified records; where all are connected, fewer
        copies of a vote are enough."""
        self._gossip.authorities_are(peers)

    async def run(self) -> None:
        """Vote, until cancelled."""
        try:
            async with trio.open_nursery() as alarms:
                while True:
                    self._settle()
                    self._alarms.set(alarms, self._next_due())
                    await self._alarms.rung()
        finally:
            self._unsubscribe()

    async def import_justification(self, block: Hash, justification: bytes) -> None:
        """Make a known block final by a justification that came with it, for instance in a sync;
        its bytes are kept as they are. One that is final already stays so unchecked.

        :raises JustificationError: when it does not prove this for the present set.
        :raises KeyError: when the block is not known.
        """
        header = self._chain.header(block)
        if header is None:
            raise KeyError(f"block {block.hex()} is not known")
        target = BlockRef(block, header.number)
        async with self._many_signatures:
            self._follow_chain()
            if target.number <= finalized_of(self._chain).number:
                return
            state = self._authorities
            proof = await verify_justification(
                justification, state.set_id, state.authorities, self._verifier, target
            )
            if self._authorities.set_id == state.set_id:
                self._finalize(proof.round, proof.commit, justification)
                self._alarms.ring()

    # What comes in

    def _on_chain(self, event: BlockImportEvent | BlockFinalizationEvent) -> None:
        if isinstance(event, BlockImportEvent):
            block = BlockRef(event.hash, event.header.number)
            self._authorities = self._authorities.with_announced(block, event.header)
        self._chain_changed = True
        self._alarms.ring()

    def _on_network(self, event: NetworkEvent) -> Awaitable[None] | None:
        match event:
            case Notification(peer, _, payload):
                if peer in self._gossip.peers:
                    verdict = self._receive(peer, payload)
                    if not isinstance(verdict, Verdict):
                        return self._await_verdict(peer, verdict)
                    self._blame(peer, verdict)
            case PeerConnected(peer):
                self._gossip.connected(peer)
            case PeerDisconnected(peer):
                self._gossip.disconnected(peer)
                self._catching_up.answered(peer)  # who is gone owes nothing
        return None

    async def _await_verdict(self, peer: PeerId, verdict: Awaitable[Verdict]) -> None:
        self._blame(peer, await verdict)

    def _blame(self, peer: PeerId, verdict: Verdict) -> None:
        if verdict.rejects:
            self._network.report(peer, verdict.cost, f"grandpa: {verdict.reason}")

    def _receive(self, peer: PeerId, payload: bytes) -> Verdict | Awaitable[Verdict]:
        if self._gossip.has(payload, peer):
            if self._rounds.votes_wait:  # who repeats a vote may have its block
                again: VoteMessage = decode_once(GossipMessage, payload)
                self._seek_target(peer, again.vote.target)
            return Verdict.ACCEPT
        try:
            message: GossipMessage = decode_once(GossipMessage, payload)
        except ScaleDecodeError:
            return Verdict.MALFORMED
        if isinstance(message, VoteMessage):
            return self._receive_vote(peer, message, payload)
        now = self._clock.now()
        match message:
            case CommitMessage():
                return self._receive_commit(peer, message)
            case NeighbourMessage():
                if self._catching_up.heard(message, self._rounds):
                    self._alarms.ring()
                return self._gossip.heard(peer, message, now)
            case CatchUpRequest():
                return self._catching_up.answer(peer, message, self._rounds, now)
            case CatchUp():
                return self._receive_catch_up(peer, message)

    def _receive_vote(self, peer: PeerId, message: VoteMessage, payload: bytes) -> Verdict:
        verdict = judge_vote(message, self._rounds, self._verifier)
        votes = self._rounds.votes(message.round)
        if verdict is Verdict.ACCEPT and votes is not None:
            before = votes.state
            news, proof = self._rounds.add(message.round, message.vote)
            if proof is not None:
                self._on_equivocation(proof)
            if news:
                self._gossip.add_vote(message.set_id, message.round, payload, peer, self._voters())
                if self._rounds.may_advance(votes, before):
                    self._alarms.ring()
            if self._rounds.votes_wait:
                self._seek_target(peer, message.vote.target)
        return verdict

    def _seek_target(self, peer: PeerId, target: BlockRef) -> None:
        if self._chain.header(target.hash) is None:
            self.seek(peer, target.hash, target.number)

    def _voters(self) -> int:
        return len(self._authorities.authorities)

    async def _receive_commit(self, peer: PeerId, message: CommitMessage) -> Verdict:
        async with self._many_signatures:
            verdict = self._judge_commit(message)
            if verdict is Verdict.ACCEPT:
                commit = expand(message.commit)
                assert commit is not None, "judged before"
                verdict = await self._judge_signatures(message, votes_of(commit))
            if verdict is Verdict.ACCEPT:
                verdict = self._judge_commit(message)  # meanwhile others may have been quicker
            if verdict is not Verdict.ACCEPT:
                return verdict
            verdict = self._take_commit(message, peer)
        if verdict is Verdict.WAIT:
            self.seek(peer, message.commit.target_hash, message.commit.target_number)
        if verdict is Verdict.WAIT and message not in self._held:
            self._held = sorted(
                [*self._held, message], key=lambda held: held.commit.target_number, reverse=True
            )[:COMMITS_HELD]
        return verdict

    def _judge_commit(self, message: CommitMessage) -> Verdict:
        settled: int = finalized_of(self._chain).number
        if self._gossip.held is not None:
            settled = min(settled, self._gossip.held.commit.target_number - 1)
        target = message.commit.target_hash
        if self._chain.header(target) is None and any(
            held.commit.target_hash == target for held in self._held
        ):
            return Verdict.WAIT
        return judge_commit(message, settled, self._rounds)

    async def _judge_signatures(
        self, message: CommitMessage | CatchUp, votes: Sequence[SignedMessage]
    ) -> Verdict:
        new = [vote for vote in votes if not self._rounds.contains(message.round, vote)]
        unsigned = await first_unsigned(new, message.round, message.set_id, self._verifier)
        return Verdict.ACCEPT if unsigned is None else Verdict.BAD_SIGNATURE

    def _take_commit(self, message: CommitMessage, source: PeerId | None) -> Verdict:
        """A commit whose signatures were checked: count its votes, and believe it."""
        commit = expand(message.commit)
        assert commit is not None, "judged before"
        usable = usable_part(commit, message.set_id, self._rounds.voters, self._chain)
        if isinstance(usable, Verdict):
            return usable
        for vote in votes_of(usable):
            _, proof = self._rounds.add(message.round, vote)
            if proof is not None:
                self._on_equivocation(proof)
        self._gossip.others_were_first(message)
        final = self._finalize(message.round, usable)
        self._alarms.ring()
        if final is not None:
            self._gossip.pass_on_commit(final, source)
        return Verdict.ACCEPT

    async def _receive_catch_up(self, peer: PeerId, message: CatchUp) -> Verdict:
        asked = self._catching_up.answered(peer)
        async with self._many_signatures:
            verdict = judge_catch_up(message, self._rounds, asked=asked)
            if verdict is Verdict.ACCEPT:
                verdict = await self._judge_signatures(message, catch_up_votes(message))
            if verdict is Verdict.ACCEPT:
                verdict = judge_catch_up(message, self._rounds, asked=True)
            if verdict is not Verdict.ACCEPT:
                return verdict
            if not self._catch_up(message):
                return Verdict.WAIT
        self._catching_up.helped(peer)
        return verdict

    def _catch_up(self, message: CatchUp) -> bool:
        """Go on after the round that the votes complete, if they do, for the blocks we know."""
        prior = round_of(message, self._rounds, self._chain)
        if prior is None or prior.votes is None:
            return False
        rounds = self._rounds
        self._finalize(prior.number, prior.votes.commit(prior.base))
        if self._rounds is rounds:  # else that was the last round of its set
            rounds.start_after(prior)
            self._completed(prior)
        self._alarms.ring()
        return True

    # What follows from it

    def _settle(self) -> None:
        """Do all that is due."""
        if self._chain_changed:
            self._follow_chain()
        while not self._authorities.paused and (
            effects := self._rounds.advance(self._clock.now(), self._target)
        ):
            rounds = self._rounds
            for effect in effects:
                self._apply(effect)
                if self._rounds is not rounds:
                    break  # a new set: the rest concerns the old one
        now = self._clock.now()
        self._gossip.release(now)
        window = STALLED_AFTER * self._gossip_s
        stalled = self._rounds.current.active and now >= self._progress_at + window
        self._catching_up.ask(self._rounds, now, stalled=stalled)
        self._announce(now)

    def _apply(self, effect: RoundsEffect) -> None:
        match effect:
            case CastIn(round_number, message):
                assert self._key is not None, "only a voter casts"
                set_id = self._rounds.set_id
                vote = self._ballots.cast(self._key, set_id, round_number, message)
                if vote is not None:
                    self._rounds.add(round_number, vote)
                    wire = VoteMessage(U64(round_number), U64(set_id), vote)
                    payload = encode(wire, GossipMessage)
                    self._gossip.add_vote(set_id, round_number, payload, None, self._voters())
            case FinalIn(votes, block):
                commit = self._finalize(votes.number, votes.commit(block))
                if commit is not None and self._key is not None:
                    delay = self._gossip_s * self._random.below(1000) / 1000
                    self._gossip.hold(commit, until=self._clock.now() + delay)
            case Completed(prior):
                self._completed(prior)

    def _completed(self, prior: PriorRound) -> None:
        self._progress_at = self._clock.now()
        base = prior.votes.base if prior.votes is not None else prior.base
        self._store.save_completed(
            CompletedRound(
                U64(self._rounds.set_id),
                U64(prior.number),
                base,
                prior.state,
                tuple(prior.votes or ()),
            )
        )

    def _finalize(
        self, round_number: int, commit: GrandpaCommit, justification: bytes | None = None
    ) -> CommitMessage | None:
        """Make the commit's target final, unless it is; gives the commit as it is sent. A
        justification that came with it is kept as it came, else one is made of it."""
        block, final = target_of(commit), finalized_of(self._chain)
        if block.number <= final.number:
            return None
        limit = self._authorities.limit(block, self._target.descends)
        if not descends(self._chain, block, final) or (limit is not None and block.number > limit):
            log.critical(
                "GRANDPA: set %d round %d finalised %s, which contradicts %s: more than a third "
                "of the voters are faulty; not followed",
                self._rounds.set_id,
                round_number,
                block,
                final if limit is None else f"the change of authorities at #{limit}",
            )
            return None
        message = CommitMessage(U64(round_number), U64(self._rounds.set_id), compact(commit))
        self._store.save_commit(message)
        self._chain.finalize(
            block.hash,
            justification
            or build_justification(round_number, commit, self._rounds.voters, self._chain),
        )
        self._follow_chain()
        return message

    def _follow_chain(self) -> None:
        """Take in what has happened to the chain, by us or by others."""
        self._chain_changed = False
        before = self._authorities
        final = finalized_of(self._chain)
        state = before
        if before.finalized != final:
            state = before.finalize(final, self._target.descends)
        state = state.on_best(
            best_of(self._chain),
            self._target.descends,
            lambda block, number: ancestor_at(self._chain, block, number),
        )
        if state is not before:
            self._authorities = state
            self._store.save_authorities(state)
        if self._authorities.set_id != before.set_id:
            self._held = []
            self._rounds = self._rounds_after(begin_set(self._authorities))
            self._completed(self._rounds.prior)
        for proof in self._rounds.blocks_imported():
            self._on_equivocation(proof)
        held, self._held = self._held, []
        for message in held:
            if message.commit.target_number <= final.number:
                continue
            if self._take_commit(message, None) is Verdict.WAIT:
                self._held.append(message)

    def _rounds_after(self, prior: PriorRound) -> Rounds:
        state = self._authorities
        voters = VoterSet(state.authorities)
        self._key = next((key for key in self._ballots.keys_held() if key in voters), None)
        return Rounds(
            state.set_id,
            voters,
            prior,
            self._chain,
            local=None if self._key is None else voters.index(self._key),
            gossip_s=self._gossip_s,
        )

    # Telling and asking

    def _announce(self, now: float) -> None:
        """Say where we are: at once when that has changed, else from time to time."""
        view = self._view()
        active = self._rounds.current.active
        interval = self._gossip_s * (STALLED_AFTER if active else IDLE_ANNOUNCE_EVERY)
        if view != self._gossip.view:
            self._gossip.move(view)
        elif now >= self._announce_at:
            self._gossip.announce()
        else:
            self._announce_at = min(self._announce_at, now + interval)
            return
        self._announce_at = now + interval

    def _view(self) -> View:
        return View(
            self._authorities.set_id,
            U64(self._rounds.current.number),
            finalized_of(self._chain).number,
        )

    def _next_due(self) -> float:
        deadlines = self._rounds.deadline(self._clock.now()), self._gossip.held_until
        return min([self._announce_at, *(due for due in deadlines if due is not None)])
