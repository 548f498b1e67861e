"""What is accepted from peers, and who is sent what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.consensus.fanout import RELAY_FANOUT
from parahost.consensus.grandpa.catch_up import MAX_BELOW_FINAL, catch_up_of, round_of
from parahost.consensus.grandpa.effects import Effect, Send
from parahost.consensus.grandpa.gossip import GrandpaGossip
from parahost.consensus.grandpa.messages import (
    CatchUp,
    CatchUpRequest,
    CommitMessage,
    GossipMessage,
    NeighbourMessage,
    SignedMessage,
    VoteMessage,
    compact,
    expand,
    payload_of,
)
from parahost.consensus.grandpa.rounds import PriorRound, Rounds
from parahost.consensus.grandpa.validity import (
    GrandpaVerdict,
    PeerRecord,
    VoterView,
    judge_catch_up,
    judge_catch_up_request,
    judge_commit,
    judge_neighbour,
    judge_vote,
    usable_part,
)
from parahost.consensus.grandpa.voters import VoterSet
from parahost.consensus.grandpa.votes import RoundState, RoundVotes, commit_of
from parahost.crypto import ed25519
from parahost.ports.network import ObservedRole
from parahost.primitives.basic import (
    H256,
    H512,
    U8,
    U32,
    U64,
    BlockNumber,
    GrandpaId,
    GrandpaSignature,
    PeerId,
)
from parahost.primitives.consensus import Precommit, Prevote
from parahost.primitives.header import Header
from parahost.primitives.scale import decode, encode
from tests.consensus.grandpa.world import GENESIS, SeededRandom, SharedVerifier, Tree, chain_of, ref

KEYS = [ed25519.Keypair.from_uri(f"//voter{index}") for index in range(5)]
MANY = 100
"""Voters, for a mesh that is not full."""
VOTERS = VoterSet((GrandpaId(H256(key.public)), 1) for key in KEYS[:4])
VERIFIER = SharedVerifier()
SET = 2
MAIN = chain_of(GENESIS, 4, 1)
PAUSE = 5.0


@pytest.fixture
def tree() -> Tree:
    tree = Tree()
    for header in MAIN:
        tree.add(header)
    return tree


@pytest.fixture
def rounds(tree: Tree) -> Rounds:
    prior = PriorRound(0, RoundState.settled(ref(GENESIS)))
    return Rounds(SET, VOTERS, prior, tree, local=None, gossip_s=1.0)


def signed(
    kind: type[Prevote] | type[Precommit], block: Header, index: int, round_number: int = 1
) -> SignedMessage:
    message = kind(block.hash(), block.number)
    signature = ed25519.sign(KEYS[index], payload_of(message, round_number, SET))
    return SignedMessage(
        message, GrandpaSignature(H512(signature)), GrandpaId(H256(KEYS[index].public))
    )


def vote(index: int, round_number: int = 1, set_id: int = SET) -> VoteMessage:
    return VoteMessage(
        U64(round_number), U64(set_id), signed(Prevote, MAIN[0], index, round_number)
    )


def fill(rounds: Rounds) -> None:
    """Complete round 1 for the second block."""
    for kind in (Prevote, Precommit):
        for index in range(3):
            rounds.add(1, signed(kind, MAIN[1], index))
    votes = rounds.current.votes
    rounds.start_after(PriorRound(1, votes.state, votes))


def neighbour(set_id: int, round_number: int, finalized: int) -> NeighbourMessage:
    return NeighbourMessage(U8(1), U64(round_number), U64(set_id), BlockNumber(U32(finalized)))


def test_the_wire_forms() -> None:
    """As the specification lays them out; the neighbour packet is version 1."""
    packet = encode(neighbour(3, 2, 1), GossipMessage)
    expected = b"\x02\x01" + (2).to_bytes(8, "little") + (3).to_bytes(8, "little")
    assert packet == expected + (1).to_bytes(4, "little")
    message = vote(0)
    form = encode(message, GossipMessage)
    assert form[:18] == b"\0" + (1).to_bytes(8, "little") + SET.to_bytes(8, "little") + b"\0"
    assert form[18:] == (
        MAIN[0].hash() + (1).to_bytes(4, "little") + message.vote.signature + KEYS[0].public
    )
    assert decode(GossipMessage, form) == message


def test_votes(rounds: Rounds) -> None:
    assert judge_vote(vote(0), rounds, VERIFIER) is GrandpaVerdict.ACCEPT
    assert judge_vote(vote(0, set_id=SET + 1), rounds, VERIFIER) is GrandpaVerdict.OTHER_SET
    assert judge_vote(vote(0, round_number=2), rounds, VERIFIER) is GrandpaVerdict.OTHER_ROUND
    assert judge_vote(vote(0, round_number=0), rounds, VERIFIER) is GrandpaVerdict.OTHER_ROUND
    assert judge_vote(vote(4), rounds, VERIFIER) is GrandpaVerdict.NO_VOTER
    forged = replace(vote(0), vote=replace(vote(0).vote, id=vote(1).vote.id))
    assert judge_vote(forged, rounds, VERIFIER) is GrandpaVerdict.BAD_SIGNATURE
    fill(rounds)
    assert judge_vote(vote(3), rounds, VERIFIER) is GrandpaVerdict.ACCEPT


def test_votes_for_unknown_blocks_wait_for_them() -> None:
    tree = Tree()
    prior = PriorRound(0, RoundState.settled(ref(GENESIS)))
    rounds = Rounds(SET, VOTERS, prior, tree, local=None, gossip_s=1.0)
    for index in range(3):
        assert rounds.add(1, signed(Prevote, MAIN[1], index)) == (True, None)
        assert rounds.add(1, signed(Prevote, MAIN[1], index)) == (False, None)
    assert rounds.add(1, signed(Prevote, MAIN[2], 0)) == (True, None)
    assert rounds.add(1, signed(Prevote, MAIN[3], 0)) == (False, None)  # two are enough to wait
    assert rounds.blocks_imported() == []
    assert rounds.current.state.prevote_ghost is None
    for header in MAIN:
        tree.add(header)
    (proof,) = rounds.blocks_imported()
    assert proof.offender == signed(Prevote, MAIN[1], 0).id
    assert rounds.current.state.prevote_ghost == ref(MAIN[1])
    assert rounds.blocks_imported() == []


def test_commits(tree: Tree, rounds: Rounds) -> None:
    for kind in (Prevote, Precommit):
        for index in range(3):
            rounds.add(1, signed(kind, MAIN[1], index))
    commit = rounds.current.votes.commit(ref(MAIN[1]))
    good = CommitMessage(U64(1), U64(SET), compact(commit))
    assert expand(good.commit) == commit
    assert judge_commit(good, 1, rounds) is GrandpaVerdict.ACCEPT
    assert judge_commit(good, 2, rounds) is GrandpaVerdict.OLD_COMMIT
    assert judge_commit(replace(good, set_id=U64(9)), 1, rounds) is GrandpaVerdict.OTHER_SET
    fewer = replace(
        good.commit,
        precommits=good.commit.precommits[:2],
        signatures=good.commit.signatures[:2],
    )
    assert judge_commit(replace(good, commit=fewer), 1, rounds) is GrandpaVerdict.NO_PROOF
    uneven = replace(good.commit, precommits=good.commit.precommits[:2])
    assert judge_commit(replace(good, commit=uneven), 1, rounds) is GrandpaVerdict.MALFORMED
    assert usable_part(commit, SET, VOTERS, tree) == commit
    assert usable_part(commit, SET, VOTERS, Tree()) is GrandpaVerdict.WAIT
    elsewhere = replace(commit, target_hash=MAIN[2].hash(), target_number=MAIN[2].number)
    assert usable_part(elsewhere, SET, VOTERS, tree) is GrandpaVerdict.NO_PROOF


def test_a_commit_may_name_blocks_that_nobody_has(tree: Tree) -> None:
    unknown = chain_of(MAIN[3], 1, 9)[0]
    votes = [signed(Precommit, MAIN[1], index) for index in range(3)]
    rounds = Rounds(
        SET, VOTERS, PriorRound(0, RoundState.settled(ref(GENESIS))), tree, local=None, gossip_s=1
    )
    for one in votes:
        rounds.add(1, one)
    commit = rounds.current.votes.commit(ref(MAIN[1]))
    odd = signed(Precommit, unknown, 3)
    extra = replace(
        commit.precommits[0],
        precommit=replace(
            commit.precommits[0].precommit,
            target_hash=unknown.hash(),
            target_number=unknown.number,
        ),
        signature=odd.signature,
        id=odd.id,
    )
    more = replace(commit, precommits=(*commit.precommits, extra))
    assert usable_part(more, SET, VOTERS, tree) == commit


def test_a_catch_up_with_a_base_far_below_what_is_final() -> None:
    """The votes are genuine; the base is what its sender makes of it."""
    tree = Tree()
    blocks = chain_of(GENESIS, MAX_BELOW_FINAL + 3)
    for header in blocks:
        tree.add(header)
    final, top = blocks[-2], blocks[-1]
    tree.finalize(final.hash(), None)
    prior = PriorRound(0, RoundState.settled(ref(final)))
    rounds = Rounds(SET, VOTERS, prior, tree, local=None, gossip_s=1)
    votes = RoundVotes(1, VOTERS, ref(final), tree)
    for kind in (Prevote, Precommit):
        for index in range(3):
            votes.add(signed(kind, top, index))
    good = catch_up_of(SET, votes)
    assert round_of(good, rounds, tree) is not None
    for below, taken in ((blocks[0], False), (blocks[1], True)):
        lower = replace(good, base_hash=below.hash(), base_number=below.number)
        assert (round_of(lower, rounds, tree) is not None) is taken


def test_an_equivocators_votes_are_one_vote_for_every_block(tree: Tree) -> None:
    """Its sender is not to blame for what we do not know: one of the two may be for a block of a
    fork that finality has left here."""
    pruned = chain_of(GENESIS, 2, 9)[1]
    for one, other in ((pruned, GENESIS), (pruned, MAIN[3]), (MAIN[0], GENESIS)):
        votes = [signed(Precommit, MAIN[1], index) for index in range(2)]
        votes += [signed(Precommit, block, 2) for block in (one, other)]
        commit = commit_of(ref(MAIN[1]), votes)
        assert usable_part(commit, SET, VOTERS, tree) == commit
        message = CommitMessage(U64(1), U64(SET), compact(commit))
        prior = PriorRound(0, RoundState.settled(ref(GENESIS)))
        rounds = Rounds(SET, VOTERS, prior, tree, local=None, gossip_s=1)
        assert judge_commit(message, 0, rounds) is GrandpaVerdict.ACCEPT


def test_a_commit_with_padding(rounds: Rounds) -> None:
    votes = [signed(Precommit, MAIN[1], index) for index in range(3)]
    third = [signed(Precommit, block, 2) for block in (MAIN[0], MAIN[2])]
    for padded in ([*votes, votes[0]], [*votes, *third]):
        commit = compact(commit_of(ref(MAIN[1]), padded))
        message = CommitMessage(U64(1), U64(SET), commit)
        assert judge_commit(message, 0, rounds) is GrandpaVerdict.PADDED


def test_catching_up(tree: Tree, rounds: Rounds) -> None:
    record = PeerRecord()
    request = CatchUpRequest(U64(1), U64(SET))
    nothing = judge_catch_up_request(request, record, rounds, 0.0, PAUSE)
    assert nothing is GrandpaVerdict.NOTHING_TO_GIVE
    fill(rounds)
    assert judge_catch_up_request(request, record, rounds, 0.0, PAUSE) is GrandpaVerdict.ACCEPT
    record.asked_us_at = 0.0
    assert judge_catch_up_request(request, record, rounds, 4.9, PAUSE) is GrandpaVerdict.TOO_SOON
    assert rounds.prior.votes is not None
    answer = catch_up_of(SET, rounds.prior.votes)
    assert decode(GossipMessage, encode(answer, GossipMessage)) == answer

    late = Rounds(
        SET, VOTERS, PriorRound(0, RoundState.settled(ref(GENESIS))), tree, local=None, gossip_s=1
    )
    assert judge_catch_up(answer, late, asked=False) is GrandpaVerdict.NOT_ASKED
    assert judge_catch_up(answer, late, asked=True) is GrandpaVerdict.ACCEPT
    assert judge_catch_up(answer, rounds, asked=True) is GrandpaVerdict.OTHER_ROUND
    prior = round_of(answer, late, tree)
    assert prior is not None and prior.state == rounds.prior.state
    too_little = replace(answer, precommits=answer.precommits[:2])
    assert judge_catch_up(too_little, late, asked=True) is GrandpaVerdict.NO_PROOF
    assert round_of(too_little, late, tree) is None
    assert round_of(answer, late, Tree()) is None
    nowhere = replace(answer, base_hash=chain_of(GENESIS, 1, 8)[0].hash())
    assert round_of(nowhere, late, tree) is None


def test_views() -> None:
    record = PeerRecord()
    first = neighbour(1, 5, 10)
    assert (
        judge_neighbour(replace(first, version=U8(2)), record, 0.0, PAUSE)
        is GrandpaVerdict.MALFORMED
    )
    assert judge_neighbour(first, record, 0.0, PAUSE) is GrandpaVerdict.ACCEPT
    record.view, record.viewed_at = VoterView(U64(1), U64(5), BlockNumber(U32(10))), 0.0
    assert judge_neighbour(first, record, 4.9, PAUSE) is GrandpaVerdict.TOO_SOON
    assert judge_neighbour(first, record, 5.0, PAUSE) is GrandpaVerdict.ACCEPT
    for further in (neighbour(1, 6, 10), neighbour(1, 5, 11), neighbour(2, 1, 10)):
        assert judge_neighbour(further, record, 0.1, PAUSE) is GrandpaVerdict.ACCEPT
    for back in (neighbour(1, 4, 10), neighbour(0, 9, 10), neighbour(1, 6, 9)):
        assert judge_neighbour(back, record, 0.1, PAUSE) is GrandpaVerdict.BACKWARDS


class Sends:
    """A gossip at round 5 of set 1 with peers that say where they are, and what they are sent."""

    def __init__(self, peers: dict[str, tuple[int, int, int]]) -> None:
        self.sent: list[tuple[str, bytes]] = []
        self.commits: dict[int, CommitMessage] = {}
        self.gossip = GrandpaGossip(
            self._emit,
            self.commits.get,
            VoterView(U64(1), U64(5), BlockNumber(U32(10))),
            SeededRandom("gossip"),
            pause_s=PAUSE,
        )
        for name, view in peers.items():
            self.gossip.connected(PeerId(name), ObservedRole.AUTHORITY)
            self.gossip.heard(PeerId(name), neighbour(*view), 0.0)
        self.gossip.authorities_are(list(self.gossip.peers))
        self.sent.clear()

    def _emit(self, effect: Effect) -> None:
        assert isinstance(effect, Send)
        self.sent += [(peer, effect.payload) for peer in effect.peers]

    def receivers(self) -> list[str]:
        names = [peer for peer, _ in self.sent]
        self.sent.clear()
        return names


def test_votes_go_to_those_who_take_them_once() -> None:
    views = {"same": (1, 5, 10), "next": (1, 6, 10), "far": (1, 7, 10), "old": (1, 4, 10)}
    world = Sends(views | {"set": (2, 5, 10)})
    world.gossip.connected(PeerId("silent"), ObservedRole.AUTHORITY)
    world.sent.clear()
    world.gossip.add_vote(1, 5, b"vote", None, MANY)
    assert world.receivers() == ["same", "next"]
    world.gossip.add_vote(1, 5, b"vote", None, MANY)
    assert world.receivers() == []
    assert world.gossip.has(b"vote", PeerId("old"))
    world.gossip.heard(PeerId("old"), neighbour(1, 5, 10), 1.0)
    assert world.receivers() == []  # it had it to begin with
    world.gossip.heard(PeerId("silent"), neighbour(1, 5, 10), 1.0)
    assert world.receivers() == ["silent"]
    world.gossip.heard(PeerId("silent"), neighbour(1, 5, 10), 2.0)
    assert world.receivers() == []
    world.gossip.heard(PeerId("silent"), neighbour(1, 5, 10), 1.0 + PAUSE)
    assert world.receivers() == ["silent"]


def test_a_collator_is_told_what_is_final_and_nothing_of_rounds(tree: Tree, rounds: Rounds) -> None:
    commit = CommitMessage(U64(5), U64(1), compact(rounds.current.votes.commit(ref(MAIN[3]))))
    world, collator = Sends({"p": (1, 5, 4)}), PeerId("collator")
    world.gossip.connected(collator, ObservedRole.COLLATOR)
    assert world.receivers() == []
    world.gossip.add_vote(1, 5, b"ours", None, MANY)
    assert world.receivers() == ["p"]
    world.gossip.add_vote(1, 5, b"theirs", PeerId("p"), MANY)
    world.gossip.heard(collator, neighbour(1, 5, 3), 1.0)
    assert world.receivers() == []
    world.gossip.pass_on_commit(commit)
    assert world.receivers() == ["collator"]
    world.commits[1] = commit
    world.gossip.heard(collator, neighbour(1, 5, 3), 1.0 + PAUSE)
    assert world.receivers() == ["collator"], "it says the same again: it has lost the commit"
    world.gossip.move(VoterView(U64(1), U64(6), BlockNumber(U32(11))))
    assert world.receivers() == ["p"]
    world.gossip.disconnected(collator)
    world.gossip.announce()
    assert world.receivers() == ["p"]


def test_votes_of_others_are_passed_on_to_a_few() -> None:
    world = Sends({f"p{index}": (1, 5, 10) for index in range(20)})
    world.gossip.add_vote(1, 5, b"ours", None, MANY)
    assert len(world.receivers()) == 20
    world.gossip.add_vote(1, 5, b"theirs", PeerId("p7"), MANY)
    receivers = world.receivers()
    assert len(set(receivers)) == RELAY_FANOUT and "p7" not in receivers


def test_where_all_voters_are_connected_few_pass_a_vote_on() -> None:
    """With 21 voters each in isqrt(21) = 4 does, to one peer that lacks the vote."""
    world = Sends({f"p{index}": (1, 5, 10) for index in range(20)})
    told: list[list[str]] = []
    for number in range(2000):
        world.gossip.add_vote(1, 5, b"vote %d" % number, PeerId("p7"), 21)
        told.append(world.receivers())
    assert {len(receivers) for receivers in told} == {0, 1}
    assert 400 < sum(map(len, told)) < 600
    assert {peer for receivers in told for peer in receivers} == {
        f"p{index}" for index in range(20) if index != 7
    }
    world.gossip.disconnected(PeerId("p3"))  # one is missing: it may need us to reach it
    world.gossip.add_vote(1, 5, b"the mesh has a hole", PeerId("p7"), 21)
    receivers = world.receivers()
    assert len(set(receivers)) == RELAY_FANOUT and not {"p3", "p7"} & set(receivers)
    world.gossip.connected(
        PeerId("stranger"), ObservedRole.AUTHORITY
    )  # in its stead, but it does not count
    world.receivers()
    world.gossip.add_vote(1, 5, b"still", PeerId("p7"), 21)
    assert len(set(world.receivers())) == RELAY_FANOUT
    world.gossip.connected(PeerId("p3"), ObservedRole.AUTHORITY)
    world.receivers()
    world.gossip.add_vote(1, 5, b"full again", PeerId("p7"), 21)
    assert len(world.receivers()) <= 1


def test_strangers_thin_out_no_votes() -> None:
    """A thousand peers, of whom no record says that they are authorities."""
    world = Sends({f"p{index}": (1, 5, 10) for index in range(1000)})
    world.gossip.authorities_are([PeerId(f"p{index}") for index in range(19)])
    world.gossip.add_vote(1, 5, b"a hole", PeerId("p7"), 21)
    assert len(set(world.receivers())) == RELAY_FANOUT
    world.gossip.authorities_are([PeerId(f"p{index}") for index in range(20)])
    world.gossip.add_vote(1, 5, b"full", PeerId("p7"), 21)
    assert len(world.receivers()) <= 1


def test_what_is_over_is_forgotten() -> None:
    world = Sends({"p": (1, 5, 10)})
    world.gossip.add_vote(1, 5, b"vote", None, MANY)
    world.gossip.move(VoterView(U64(1), U64(6), BlockNumber(U32(10))))
    assert world.gossip.has(b"vote", PeerId("p"))
    world.gossip.move(VoterView(U64(1), U64(7), BlockNumber(U32(10))))
    assert not world.gossip.has(b"vote", PeerId("p"))
    world.gossip.heard(PeerId("p"), neighbour(1, 9, 10), 1.0)
    assert not any(world.gossip.peers[PeerId("p")].sent.values())


def test_commits_go_to_those_who_lack_them(tree: Tree, rounds: Rounds) -> None:
    commit = CommitMessage(U64(5), U64(1), compact(rounds.current.votes.commit(ref(MAIN[3]))))
    world = Sends({"has": (1, 5, 4), "lacks": (1, 5, 3), "left": (2, 1, 4), "source": (1, 5, 0)})
    world.commits[1] = commit
    world.gossip.pass_on_commit(commit, PeerId("source"))
    assert world.receivers() == ["lacks"]
    world.gossip.pass_on_commit(commit)
    assert world.receivers() == []
    world.gossip.hold(commit, until=2.0 * PAUSE)
    world.gossip.heard(PeerId("lacks"), neighbour(1, 5, 3), PAUSE)
    assert world.receivers() == []
    world.gossip.others_were_first(commit)
    assert world.gossip.held is None
    world.gossip.heard(PeerId("lacks"), neighbour(1, 5, 3), 2 * PAUSE)
    assert world.receivers() == ["lacks"]
    world.gossip.move(VoterView(U64(2), U64(1), BlockNumber(U32(10))))
    world.sent.clear()
    world.gossip.heard(PeerId("lacks"), neighbour(1, 5, 3), 3 * PAUSE)
    assert world.receivers() == ["lacks"]  # the commit that ended its set


def test_our_own_commit_waits_for_its_moment(rounds: Rounds) -> None:
    commit = CommitMessage(U64(5), U64(1), compact(rounds.current.votes.commit(ref(MAIN[3]))))
    lower = CommitMessage(U64(4), U64(1), compact(rounds.current.votes.commit(ref(MAIN[2]))))
    world = Sends({"lacks": (1, 5, 3)})
    world.gossip.hold(commit, until=2.0)
    world.gossip.others_were_first(lower)
    world.gossip.release(1.9)
    assert (world.gossip.held, world.gossip.held_until) == (commit, 2.0)
    assert world.receivers() == []
    world.gossip.release(2.0)
    assert (world.gossip.held, world.gossip.held_until) == (None, None)
    assert world.receivers() == ["lacks"]


def test_lengths_do_not_allocate() -> None:
    for kind in (1, 4):
        with pytest.raises(ValueError):
            decode(GossipMessage, bytes([kind]) + bytes(16) + bytes(36) + b"\xfe\xff\xff\xff")


def test_a_catch_up_with_padding(rounds: Rounds) -> None:
    fill(rounds)
    assert rounds.prior.votes is not None
    answer: CatchUp = catch_up_of(SET, rounds.prior.votes)
    later = replace(answer, round=U64(2))
    for padded in (
        replace(later, prevotes=answer.prevotes * 2),
        replace(later, precommits=(*answer.precommits, answer.precommits[0])),
    ):
        assert judge_catch_up(padded, rounds, asked=True) is GrandpaVerdict.PADDED


def test_a_voter_that_has_said_all_is_not_verified_again(rounds: Rounds) -> None:
    """Two votes are all that counts; who sends a third may be honest, and gets nothing done."""

    class Unasked(SharedVerifier):
        def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
            raise AssertionError("verified")

    for block in MAIN[:2]:
        rounds.add(1, signed(Prevote, block, 0))
    third = VoteMessage(U64(1), U64(SET), signed(Prevote, MAIN[2], 0))
    assert judge_vote(third, rounds, Unasked()) is GrandpaVerdict.SUPERFLUOUS
    assert judge_vote(vote(0), rounds, Unasked()) is GrandpaVerdict.ACCEPT  # counted before
    other_stage = VoteMessage(U64(1), U64(SET), signed(Precommit, MAIN[2], 0))
    assert judge_vote(other_stage, rounds, VERIFIER) is GrandpaVerdict.ACCEPT
