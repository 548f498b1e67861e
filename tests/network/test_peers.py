"""Whom to dial and when, and who is banned: on a clock that the test moves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.network.identity import Identity
from parahost.network.limits import NetworkLimits
from parahost.network.peers import MAX_LEARNED, PeerBook
from parahost.network.reputation import MAX_REMEMBERED_PEERS, ReputationBook
from parahost.primitives.addresses import parse_address
from parahost.primitives.basic import PeerId
from parahost.primitives.peer_ids import peer_id_of
from parahost.token_bucket import TokenBucket

LOCAL, BOOT, FIRST, SECOND = (Identity(bytes((number,)) * 32).peer for number in range(4))
LIMITS = NetworkLimits()


class ManualClock:
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


class HighestRandom:
    def bytes(self, count: int) -> bytes:
        return b"\xff" * count

    def below(self, bound: int) -> int:
        return bound - 1


def book(clock: ManualClock) -> PeerBook:
    return PeerBook(LOCAL, clock, HighestRandom(), LIMITS)


def at(peer: PeerId, port: int = 1):  # type: ignore[no-untyped-def]
    return parse_address(f"/ip4/192.0.2.1/tcp/{port}/p2p/{peer}")


def test_who_is_to_be_tried_again_is_due_at_once() -> None:
    clock = ManualClock()
    peers = book(clock)
    peers.add_permanent(at(FIRST))
    for _ in range(5):
        peers.begin(FIRST)
        peers.ended(FIRST, 0.0)
    assert peers.due([]) == []
    peers.retry(FIRST)
    peers.retry(SECOND)  # nobody knows it
    assert peers.due([]) == [FIRST]
    peers.begin(FIRST)
    peers.ended(FIRST, 0.0)
    clock.time += 1.5 * 2 * LIMITS.redial_min_s
    assert peers.due([]) == [FIRST]  # as after a first failure


def test_a_reserved_peer_is_protected_until_it_is_released() -> None:
    peers = book(ManualClock())
    peers.learn([at(FIRST)])
    for peer in (FIRST, BOOT, LOCAL):
        peers.reserve(at(peer, port=2))
    assert peers.reserved == (FIRST, BOOT)
    peers.add_permanent(at(BOOT, port=3))
    assert peers.is_permanent(FIRST)
    assert peers.due([]) == [FIRST, BOOT]
    for peer in (FIRST, BOOT, SECOND):
        peers.release(peer)
    assert not peers.reserved
    assert not peers.is_protected(FIRST), "it is known as any other"
    assert peers.is_permanent(BOOT), "a bootnode stays one"
    assert set(peers.due([])) == {FIRST, BOOT}


def test_a_bootnode_that_is_reserved_at_its_address_stays_one() -> None:
    peers = book(ManualClock())
    peers.add_permanent(at(BOOT))
    peers.reserve(at(BOOT))
    peers.release(BOOT)
    assert peers.is_permanent(BOOT)


@pytest.mark.guide("A98")
def test_protected_peers_are_dialled_first() -> None:
    peers = book(ManualClock())
    peers.learn([at(FIRST), at(SECOND)])
    peers.add_permanent(at(BOOT))
    assert peers.due([]) == [BOOT, FIRST, SECOND]
    peers.prioritise([SECOND, FIRST])
    assert peers.due([]) == [SECOND, FIRST, BOOT]
    peers.prioritise([SECOND])
    assert peers.due([]) == [SECOND, BOOT, FIRST]
    assert peers.due([BOOT]) == [SECOND, FIRST]
    assert peers.is_protected(SECOND)
    assert not peers.is_protected(FIRST)


@pytest.mark.guide("A98")
def test_failures_are_retried_ever_more_slowly_and_learned_peers_forgotten() -> None:
    clock = ManualClock()
    peers = book(clock)
    peers.add_permanent(at(BOOT))
    peers.learn([at(FIRST)])
    delays = []
    for _ in range(9):
        for peer in peers.due([]):
            peers.begin(peer)
            assert peer not in peers.due([])
            peers.ended(peer, 0.0)
        start = clock.time
        while not peers.due([]):
            clock.time += 0.05
        delays.append(clock.time - start)
    assert delays == sorted(delays)
    assert delays[-1] <= 1.5 * LIMITS.redial_max_s + 0.1
    assert peers.due([]) == [BOOT]


def test_a_lasting_connection_is_redialled_soon() -> None:
    clock = ManualClock()
    peers = book(clock)
    peers.learn([at(FIRST)])
    for _ in range(5):
        peers.begin(FIRST)
        peers.ended(FIRST, 0.0)
    peers.ended(FIRST, 3600.0)
    clock.time += 1.5 * LIMITS.redial_min_s
    assert peers.due([]) == [FIRST]


def test_a_clock_that_is_set_back_delays_no_dialling_and_lengthens_no_ban() -> None:
    clock = ManualClock()
    peers, reputation = book(clock), ReputationBook(clock, LIMITS)
    peers.add_permanent(at(BOOT))
    for _ in range(9):  # the longest pause
        peers.begin(BOOT)
        peers.ended(BOOT, 0.0)
    assert reputation.change(FIRST, -2000)
    assert peers.due([]) == []
    assert reputation.is_banned(FIRST)
    clock.time -= 3600
    assert peers.due([]) == [BOOT]
    assert not reputation.is_banned(FIRST)


def test_addresses_take_turns_and_are_few() -> None:
    peers = book(ManualClock())
    peers.learn([at(FIRST, port) for port in range(1, 10)])
    tried = set()
    for _ in range(4):
        tried.add(peers.begin(FIRST).port)
        peers.ended(FIRST, 0.0)
    assert tried == {6, 7, 8, 9}


def test_what_is_learned_is_bounded_and_sensible() -> None:
    peers = book(ManualClock())
    peers.learn(
        [
            at(LOCAL),
            at(FIRST, 0),
            parse_address(f"/ip4/0.0.0.0/tcp/1/p2p/{FIRST}"),
            parse_address(f"/ip4/224.0.0.1/tcp/1/p2p/{FIRST}"),
            parse_address("/ip4/192.0.2.1/tcp/1"),
        ]
    )
    assert peers.due([]) == []
    for number in range(MAX_LEARNED + 10):
        peers.learn([replace(at(FIRST), peer=PeerId(f"peer {number}"))])
    assert len(peers.due([])) == MAX_LEARNED


@pytest.mark.guide("A98", "A108")
def test_reputation_decays_and_bans_end() -> None:
    clock = ManualClock()
    reputation = ReputationBook(clock, LIMITS)
    assert not reputation.change(FIRST, -900)
    clock.time += LIMITS.reputation_half_life_s
    assert reputation.of(FIRST) == pytest.approx(-450)
    assert not reputation.change(FIRST, -500)
    assert reputation.change(FIRST, -500)
    assert reputation.is_banned(FIRST)
    assert not reputation.is_banned(SECOND)
    clock.time += LIMITS.ban_s
    assert not reputation.is_banned(FIRST)


def test_good_deeds_do_not_buy_crimes() -> None:
    reputation = ReputationBook(ManualClock(), LIMITS)
    for _ in range(100):
        reputation.change(FIRST, 1000)
    assert reputation.change(FIRST, -2001)


def test_reputation_is_kept_for_so_many_and_the_banned_longest() -> None:
    reputation = ReputationBook(ManualClock(), LIMITS)
    reputation.change(FIRST, -2000)
    for number in range(MAX_REMEMBERED_PEERS + 10):
        reputation.change(PeerId(f"peer {number}"), -1)
    assert reputation.is_banned(FIRST)
    assert reputation.of(PeerId("peer 0")) == 0


def test_token_bucket() -> None:
    clock = ManualClock()
    bucket = TokenBucket(clock, rate=10, burst=20)
    assert bucket.take(20) == 0
    assert bucket.take(5) == pytest.approx(0.5)
    clock.time += 1.5
    assert bucket.take(10) == 0
    clock.time -= 3600
    assert bucket.take(1) == pytest.approx(0.1)
    clock.time += 1_000_000
    assert bucket.take(21) == pytest.approx(0.1)


# What anybody may say


TELLER, SECOND_TELLER = (Identity(bytes((number,)) * 32).peer for number in (50, 51))


def strangers(count: int) -> list[PeerId]:
    return [peer_id_of(number.to_bytes(32, "big")) for number in range(1, count + 1)]


def tried(peers: PeerBook, peer: PeerId, times: int) -> set[int]:
    ports = set()
    for _ in range(times):
        ports.add(peers.begin(peer).port)
        peers.ended(peer, 0.0)
    return ports


def test_lies_do_not_replace_what_is_configured() -> None:
    peers = book(ManualClock())
    peers.add_permanent(at(BOOT))
    peers.learn([at(BOOT, port) for port in range(2, 12)], TELLER)
    peers.learn([at(BOOT, port) for port in range(12, 22)])
    assert peers.is_permanent(BOOT)
    assert 1 in tried(peers, BOOT, 5)
    assert peers.begin(BOOT) == at(BOOT), "and what was said and proved wrong is gone"


def test_lies_do_not_replace_where_a_peer_was_reached() -> None:
    peers = book(ManualClock())
    peers.learn([at(FIRST)], TELLER)
    peers.begin(FIRST)
    peers.reached(FIRST)
    peers.ended(FIRST, 3600.0)
    peers.learn([at(FIRST, port) for port in range(2, 12)], TELLER)
    peers.learn([at(FIRST, port) for port in range(12, 22)], FIRST)
    assert peers.begin(FIRST) == at(FIRST)


def test_who_moved_is_reached_where_it_says_it_is_now() -> None:
    peers = book(ManualClock())
    for port in range(1, 5):
        peers.learn([at(FIRST, port)], FIRST)
        peers.begin(FIRST)
        peers.reached(FIRST)
        peers.ended(FIRST, 3600.0)
    assert tried(peers, FIRST, 4) == {1, 2, 3, 4}
    peers.learn([at(FIRST, 9)], FIRST)
    assert tried(peers, FIRST, 4) == {2, 3, 4, 9}


def test_hearsay_goes_no_further() -> None:
    peers = book(ManualClock())
    peers.learn([at(FIRST)], TELLER)
    peers.learn([at(SECOND)], SECOND)
    assert peers.addresses_of([FIRST, SECOND]) == [at(SECOND)]


def test_one_teller_tells_of_so_many_peers_and_no_more() -> None:
    peers = book(ManualClock())
    crowd = strangers(74)
    peers.learn([at(peer) for peer in crowd], TELLER)
    assert peers.due([]) == crowd[:64]
    peers.learn([at(FIRST)], SECOND_TELLER)
    assert FIRST in peers.due([])
    peers.learn([at(crowd[0])], crowd[0])  # it says so itself: the teller was right
    peers.learn([at(crowd[-1])], TELLER)
    assert crowd[-1] in peers.due([])


def test_a_book_full_of_hearsay_has_room_for_a_signed_record() -> None:
    peers = book(ManualClock())
    crowd = strangers(MAX_LEARNED)
    for number, peer in enumerate(crowd):
        peers.learn([at(peer)], PeerId(f"teller {number // 64}"))
    peers.learn([at(FIRST)])
    peers.add_permanent(at(BOOT))
    due = peers.due([])
    assert FIRST in due and BOOT in due and crowd[0] not in due
    assert len(due) <= MAX_LEARNED + 1
