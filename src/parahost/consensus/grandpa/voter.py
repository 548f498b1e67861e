"""The driver of the GRANDPA machine in a node: tasks, alarms, network, disk and keys.

What comes in is handed to the machine at once, and its effects are done in their order; then one
task lets it advance until nothing is due. Only what carries many signatures takes its time: they
are verified a few at a time, and one message after the other, while the rest of the node goes on.
Nothing here waits for a peer: notifications are queued by the network or their receiver is
dropped, so no peer can hold up a round. A node without a key of the set does the same but signs
nothing, and follows finality as a voter does.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import trio

from parahost.consensus.grandpa.alarms import Alarms
from parahost.consensus.grandpa.authorities import AuthorityState
from parahost.consensus.grandpa.ballots import Ballots
from parahost.consensus.grandpa.blocks import BlockEvent, BlockRef, GrandpaChain, finalized_of
from parahost.consensus.grandpa.commits import first_unsigned
from parahost.consensus.grandpa.effects import (
    AuthorityPeers,
    ChainMoved,
    ChangeReputation,
    Effect,
    FinalizeBlock,
    Input,
    Justified,
    OwnVote,
    PeerProof,
    ProofVerified,
    ReportEquivocation,
    RuleMoved,
    SaveAuthorities,
    SaveCommit,
    SaveRound,
    SeekBlock,
    Send,
    SignVote,
    TellContradiction,
    TellUnplacedVote,
    VerifyProof,
    Wake,
)
from parahost.consensus.grandpa.justification import verify_justification
from parahost.consensus.grandpa.machine import GrandpaMachine
from parahost.consensus.grandpa.messages import PROTOCOL, payload_of
from parahost.consensus.grandpa.recovery import recover
from parahost.consensus.grandpa.store import GrandpaStore
from parahost.consensus.grandpa.target import VotingRule, vote_for_best
from parahost.consensus.grandpa.votes import RoundVotes, Stage
from parahost.consensus.turns import in_turns
from parahost.ports import (
    Clock,
    Database,
    KeyStore,
    KeyType,
    Network,
    NotificationProtocol,
    Random,
    Verifier,
)
from parahost.primitives.basic import BlockNumber, Hash, PeerId
from parahost.primitives.consensus import GrandpaAuthorities, GrandpaEquivocationProof
from parahost.primitives.limits import MAX_GRANDPA_MESSAGE_BYTES

log = logging.getLogger(__name__)

OnUnplacedVote = Callable[[KeyType, bytes, Callable[[], bytes], bytes], None]
"""Role, key, what is signed, signature."""
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
    :param on_unplaced_vote: told each vote that is said to be of our key and is not verified, for
        we are not so far yet.
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
        on_unplaced_vote: OnUnplacedVote,
        voting_rule: VotingRule = vote_for_best,
    ) -> None:
        self._chain = chain
        self._network = network
        self._verifier = verifier
        self._clock = clock
        self._on_equivocation = on_equivocation
        self._on_unplaced_vote = on_unplaced_vote
        self._store = GrandpaStore(database)
        self._ballots = Ballots(self._store, keystore)
        self._machine = GrandpaMachine(
            chain,
            recover(self._store, chain, genesis_authorities),
            verifier=verifier,
            random=random,
            own_keys=self._ballots.keys_held,
            commit_of_set=self._store.commit,
            gossip_s=gossip_s,
            rule=voting_rule,
            now=clock.now(),
        )
        self._many_signatures = trio.Lock()
        """Whose signatures are verified now: of one message or justification at a time."""
        self._alarms = Alarms(clock)
        self.seek: Seek = _seek_nowhere
        """Called for a block that a peer names in its messages and that is not known here. Without
        it, a vote for a block of a fork that nobody announces any more holds its round for ever."""
        self._unsubscribe = chain.subscribe(self._on_chain)
        protocol = NotificationProtocol(PROTOCOL, MAX_GRANDPA_MESSAGE_BYTES)
        network.on_notification(protocol, self._take)

    @property
    def authorities(self) -> AuthorityState:
        """The set that votes now, and the changes that are announced."""
        return self._machine.authorities

    @property
    def round(self) -> int:
        """The number of the round that runs, counted from 1 in each set."""
        return self._machine.round

    def votes_cast(self, stage: Stage) -> int:
        """How often this node has voted at that stage of a round since it started."""
        return self._ballots.cast_of[stage]

    @property
    def counted(self) -> Sequence[RoundVotes]:
        """The votes of the round that runs, and those of the one before, if it had any. To be read
        at once: they go on."""
        return self._machine.counted

    def authorities_are(self, peers: Sequence[PeerId]) -> None:
        """Be told which peers are authorities, by verified records; where all are connected, fewer
        copies of a vote are enough."""
        self._take(AuthorityPeers(frozenset(peers)))

    def rule_moved(self) -> None:
        """Be told that the voting rule may allow other blocks now."""
        self._take(RuleMoved())

    async def run(self) -> None:
        """Vote, until cancelled."""
        try:
            async with trio.open_nursery() as alarms:
                while True:
                    while effects := self._machine.advance(self._clock.now()):
                        self._do(effects)
                    self._alarms.set(alarms, self._machine.next_due(self._clock.now()))
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
            self._take(ChainMoved())
            if target.number <= finalized_of(self._chain).number:
                return
            state = self.authorities
            proof = await in_turns(
                verify_justification(
                    justification, state.set_id, state.authorities, self._verifier, target
                )
            )
            self._take(Justified(state.set_id, proof, justification))

    async def _verify(self, proof: PeerProof) -> None:
        message = proof.message
        async with self._many_signatures:
            votes = self._machine.unverified(proof)
            unsigned = await in_turns(
                first_unsigned(votes, message.round, message.set_id, self._verifier)
            )
            self._take(ProofVerified(proof, good=unsigned is None))

    def _on_chain(self, event: BlockEvent) -> None:
        self._take(event)

    def _take(self, event: Input) -> Awaitable[None] | None:
        """Hand an input to the machine. Gives what the network awaits before it reads on."""
        return self._do(self._machine.handle(event, self._clock.now()))

    def _do(self, effects: Sequence[Effect]) -> Awaitable[None] | None:
        """Do what the machine says. An answer is handed in, and what follows from it is done,
        before the next effect."""
        until: Awaitable[None] | None = None
        for effect in effects:
            match effect:
                case Send(peers, payload):
                    self._network.notify(peers, PROTOCOL, payload)
                case Wake():
                    self._alarms.ring()
                case ChangeReputation(peer, change, reason):
                    self._network.report(peer, change, reason)
                case SeekBlock(peer, block):
                    self.seek(peer, block.hash, block.number)
                case VerifyProof(proof):
                    until = self._verify(proof)
                case SignVote(key, set_id, round_number, message):
                    vote = self._ballots.cast(key, set_id, round_number, message)
                    if vote is not None:
                        self._take(OwnVote(set_id, round_number, vote))
                case FinalizeBlock(block, justification):
                    self._chain.finalize(block.hash, justification)
                    self._take(ChainMoved())
                case SaveAuthorities(state):
                    self._store.save_authorities(state)
                case SaveRound(completed):
                    self._store.save_completed(completed)
                case SaveCommit(commit):
                    self._store.save_commit(commit)
                case ReportEquivocation(equivocation):
                    self._on_equivocation(equivocation)
                case TellUnplacedVote(set_id, round_number, vote):
                    signed = partial(payload_of, vote.message, round_number, set_id)
                    self._on_unplaced_vote(KeyType.GRANDPA, vote.id, signed, vote.signature)
                case TellContradiction():
                    _tell(effect)
        return until


def _tell(contradiction: TellContradiction) -> None:
    log.critical(
        "GRANDPA: set %d round %d finalised %s, which contradicts %s: more than a third of the "
        "voters are faulty; not followed",
        contradiction.set_id,
        contradiction.round,
        contradiction.block,
        contradiction.contradicts,
    )
