"""The pool by itself, over blocks of the small state machine. A transaction is its signer (a
letter), its nonce, its tip, and a text; it is valid on states whose record of the signer is not
beyond the nonce. Its fee is 10 and the tip."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from unittest.mock import patch

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from parahost.chain.chain import Chain
from parahost.chain.pool import (
    PlaceTaken,
    PoolFull,
    PoolRefused,
    TooExpensive,
    TooLarge,
    TooLate,
    TooManyOfSigner,
    TransactionPool,
    past,
)
from parahost.chain.pool import pool as limits
from parahost.chain.pool.errors import Banned
from parahost.chain.pool.lane import Lane
from parahost.chain.pool.pool import (
    FUTURE_BLOCKS,
    MAX_BYTES,
    MAX_FUTURE,
    MAX_FUTURE_OF_SIGNER,
    MAX_OF_SIGNER,
    MAX_TRANSACTIONS,
    SLICE,
    transaction_hash,
)
from parahost.chain.pool.reports import MAX_POOLED_REPORT_BYTES, MAX_POOLED_REPORTS
from parahost.primitives.basic import H256, U32, BlockNumber
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.limits import MAX_TRANSACTION_BYTES
from parahost.runtime.errors import (
    BadSignature,
    CannotPay,
    EarlyReport,
    InvalidTransaction,
    KnownDeed,
    LateReport,
    StaleTransaction,
    UnprovenReport,
)
from parahost.runtime.origin import AccountId
from parahost.runtime.storage import State
from parahost.runtime.transactions import AccountStanding, TransactionClaim, ValidTransaction
from tests.chain.world import Forge, open_chain

FEE = 10


def transaction(signer: bytes, nonce: int, tip: int = 0, text: bytes = b"") -> Extrinsic:
    """Including it writes the nonce under the signer."""
    return Extrinsic(signer + nonce.to_bytes(2, "big") + tip.to_bytes(4, "big") + text)


REFUSED_DEEDS: dict[int, type[UnprovenReport]] = {
    252: UnprovenReport,
    253: KnownDeed,
    254: EarlyReport,
    255: LateReport,
}


def report(deed: int, text: bytes = b"") -> Extrinsic:
    """A report of a deed; including it writes the deed under ``?``."""
    return Extrinsic(b"?" + bytes((deed,)) + text)


@dataclass
class SmallJudge:
    """The small state machine's rules. Signers are letters, or two bytes after ``#``."""

    funds: dict[bytes, int] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    longevity: int = 1000
    born: BlockNumber | None = None

    def preview_transaction(self, extrinsic: Extrinsic) -> TransactionClaim | None:
        self.asked["preview"] += 1
        if extrinsic[:1] == b"?":
            return None
        if not extrinsic[:1].isalpha():
            raise InvalidTransaction("no signer")
        nonce, tip = int.from_bytes(extrinsic[1:3], "big"), int.from_bytes(extrinsic[3:7], "big")
        return TransactionClaim(signer(extrinsic[:1]), nonce, tip, FEE + tip, self.born is not None)

    def standing(self, state: State, signer: AccountId) -> AccountStanding:
        last = state.get_raw(signer[:1])
        due = 0 if last is None else int.from_bytes(last[:2], "big") + 1
        return AccountStanding(due, self.funds.get(signer[:1], 10**9))

    def validate_transaction(
        self, state: State, header: Header, extrinsic: Extrinsic
    ) -> ValidTransaction:
        self.asked["validate"] += 1
        if extrinsic[:1] == b"?":
            if (state.get_raw(b"?") or b"")[:1] == extrinsic[1:2]:
                raise KnownDeed("known")
            if (refusal := REFUSED_DEEDS.get(extrinsic[1])) is not None:
                raise refusal("refused")
            return ValidTransaction(256, deed=H256(extrinsic[1:2] * 32))
        if extrinsic.endswith(b"forged"):
            raise BadSignature("forged")
        return ValidTransaction(self.longevity, self.born)


def signer(letter: bytes) -> AccountId:
    return AccountId(H256(letter * 32))


LETTERS = [bytes((code,)) for code in (*range(65, 91), *range(97, 123))]


def pool_on(chain: Chain, judge: SmallJudge | None = None) -> TransactionPool:
    return TransactionPool(chain, judge or SmallJudge())


def check(pool: TransactionPool) -> None:
    """What the pool counts is what it holds, and within its limits."""
    lanes = list(pool._lanes.values())
    held = [one for lane in lanes for one in lane]
    assert {one.hash for one in held} == set(pool._waiting)
    assert sum(len(one.extrinsic) for one in held) == pool._bytes <= MAX_BYTES
    assert sum(lane.future_count for lane in lanes) == pool._future <= MAX_FUTURE
    assert len(held) <= MAX_TRANSACTIONS
    for lane in lanes:
        assert 0 < len(lane) <= MAX_OF_SIGNER
        assert lane.fees == sum(one.offer.fee for one in lane) <= lane.standing.funds


@given(st.permutations([(signer, nonce) for signer in (b"A", b"B") for nonce in range(4)]))
def test_each_signers_transactions_are_ready_by_nonce(order: list[tuple[bytes, int]]) -> None:
    pool = pool_on(open_chain())
    for count, (signer, nonce) in enumerate(order, 1):
        pool.submit(transaction(signer, nonce))
        seen = order[:count]
        ready = pool.ready()
        for name in (b"A", b"B"):
            nonces = {given_nonce for signer, given_nonce in seen if signer == name}
            due = next(n for n in range(5) if n not in nonces)
            mine = [one for one in ready if one[:1] == name]
            assert mine == [transaction(name, n) for n in range(due)]
    check(pool)


def test_who_pays_more_is_earlier_and_each_signer_by_nonce() -> None:
    pool = pool_on(open_chain())
    order = [(b"A", 0, 0), (b"A", 1, 900), (b"B", 0, 5), (b"C", 0, 0), (b"B", 1, 0)]
    for signer, nonce, tip in order:
        pool.submit(transaction(signer, nonce, tip))
    names = [(one[:1], one[2]) for one in pool.ready()]
    assert names == [(b"B", 0), (b"A", 0), (b"A", 1), (b"C", 0), (b"B", 1)]


def test_what_a_block_includes_leaves_and_what_waits_for_it_becomes_ready() -> None:
    forge, chain = Forge(), open_chain()
    pool = pool_on(chain)
    zero, one, three = (transaction(b"A", nonce) for nonce in (0, 1, 3))
    for extrinsic in (zero, one, three):
        pool.submit(extrinsic)
    chain.import_block(forge.block(forge.genesis, zero))
    assert pool.ready() == [one]
    assert transaction_hash(zero) not in pool
    assert transaction_hash(three) in pool
    check(pool)


def test_what_comes_a_little_late_is_nobodys_fault_and_later_it_is() -> None:
    """Also another transaction with the same nonce: who passed it on could not know."""
    forge, chain = Forge(), open_chain()
    judge = SmallJudge()
    pool = pool_on(chain, judge)
    zero, rival = transaction(b"A", 0), transaction(b"A", 0, text=b"rival")
    block = forge.block(forge.genesis, zero)
    chain.import_block(block)
    parent = block.header.hash()
    for block in forge.line(parent, 2):
        for late in (zero, rival):
            with pytest.raises(TooLate):
                pool.submit(late)
        chain.import_block(block)
        parent = block.header.hash()
    chain.import_block(forge.line(parent, 1)[0])
    for stale in (zero, rival):
        with pytest.raises(StaleTransaction):
            pool.submit(stale)
    assert judge.asked["validate"] == 0, "the signature is not looked at"


def test_a_transaction_is_replaced_by_one_that_pays_a_tenth_more() -> None:
    pool = pool_on(open_chain())
    cheap = transaction(b"A", 0, 90)  # its fee is 100
    pool.submit(cheap)
    with pytest.raises(PlaceTaken) as taken:
        pool.submit(transaction(b"A", 0, 100))
    assert (taken.value.other, taken.value.least_tip) == (transaction_hash(cheap), 101)
    dear = transaction(b"A", 0, 101)
    assert pool.usurper_of(transaction_hash(cheap)) is None
    pool.submit(dear)
    assert pool.usurper_of(transaction_hash(cheap)) == transaction_hash(dear)
    assert pool.ready() == [dear]
    check(pool)


def test_what_the_operator_bans_comes_back_after_some_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(past, "BANNED_BLOCKS", 2)
    forge, chain = Forge(), open_chain()
    pool = pool_on(chain)
    one = transaction(b"A", 0)
    name = transaction_hash(one)
    assert not pool.ban(name)
    pool.submit(one)
    assert pool.ban(name)
    assert name not in pool
    blocks = forge.line(forge.genesis, 2)
    chain.import_block(blocks[0])
    with pytest.raises(Banned) as banned:
        pool.submit(one)
    assert (banned.value.transaction, banned.value.until) == (name, 2)
    chain.import_block(blocks[1])
    pool.submit(one)
    check(pool)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "REMEMBERED", 2)
    memory = past.Past()
    names = [transaction_hash(transaction(b"A", nonce)) for nonce in range(3)]
    for name in names:
        memory.was_usurped(name, by=name)
        memory.ban(name, 0)
        memory.was_invalid(name)
    assert [memory.usurper_of(name) for name in names] == [None, *names[1:]]
    memory.check(names[0], 0)
    with pytest.raises(InvalidTransaction):
        memory.check(names[2], 0)


def test_what_a_fork_leaves_behind_comes_back() -> None:
    forge, chain = Forge(), open_chain()
    pool = pool_on(chain)
    zero, one = transaction(b"A", 0), transaction(b"A", 1)
    pool.submit(zero)
    base = forge.block(forge.genesis)
    chain.import_block(base)
    with_it = forge.block(base.header.hash(), zero, primary=False)
    chain.import_block(with_it)
    assert len(pool) == 0
    pool.submit(one)
    assert pool.ready() == [one]
    chain.import_block(forge.block(base.header.hash(), b"zz", primary=True))
    assert pool.ready() == [zero, one]
    check(pool)


def test_what_a_fork_that_is_left_had_comes_back() -> None:
    """No block comes: the best one is another all the same."""
    forge, chain = Forge(), open_chain()
    pool = pool_on(chain)
    zero = transaction(b"A", 0)
    pool.submit(zero)
    base = forge.block(forge.genesis)
    chain.import_block(base)
    chain.import_block(forge.block(base.header.hash(), zero))
    assert pool.ready() == []
    chain.first_unviable = lambda state, above: BlockNumber(U32(2))
    chain.reconsider()
    assert pool.ready() == [zero]
    check(pool)


def test_what_a_fork_had_that_finality_leaves_comes_back() -> None:
    """Though it was the best one until then, and the chain forgets it at once."""
    forge, chain = Forge(), open_chain()
    pool = pool_on(chain)
    mine, theirs = transaction(b"A", 0), transaction(b"B", 0)
    pool.submit(mine)
    pool.submit(transaction(b"A", 1))
    base = forge.block(forge.genesis)
    final = forge.block(base.header.hash(), b"zz", theirs, primary=False)
    first = forge.block(base.header.hash(), mine, primary=True)
    second = forge.block(first.header.hash(), theirs, transaction(b"A", 1))
    for block in (base, final, first, second):
        chain.import_block(block)
    assert chain.best_hash == second.header.hash() and pool.ready() == []
    chain.finalize(final.header.hash(), None)
    assert chain.best_hash == final.header.hash() and chain.body(first.header.hash()) is None
    assert pool.ready() == [mine, transaction(b"A", 1)]
    check(pool)


async def test_many_that_come_back_let_others_have_their_turns() -> None:
    forge, chain = Forge(), open_chain()
    judge = SmallJudge()
    pool = pool_on(chain, judge)
    base = forge.block(forge.genesis)
    chain.import_block(base)
    many = [transaction(letter, nonce) for letter in LETTERS[:10] for nonce in range(20)]
    chain.import_block(forge.block(base.header.hash(), *many, primary=False))
    chain.import_block(forge.block(base.header.hash(), b"0z", primary=True))
    assert len(pool) == SLICE
    turns = 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pool.run)
        while len(pool) < 200:
            before = judge.asked["preview"]
            await trio.lowlevel.checkpoint()
            assert judge.asked["preview"] - before <= 2 * SLICE  # two turns in a row, maybe
            turns += 1
        nursery.cancel_scope.cancel()
    assert turns >= 200 // SLICE // 2
    assert sorted(pool.ready()) == sorted(many)
    check(pool)


def test_a_signature_over_a_block_that_is_left_behind_is_worth_nothing() -> None:
    forge, chain = Forge(), open_chain()
    judge = SmallJudge()
    pool = pool_on(chain, judge)
    base = forge.block(forge.genesis)
    chain.import_block(base)
    chain.import_block(forge.block(base.header.hash(), b"0y", primary=False))
    judge.born = BlockNumber(U32(1))
    pool.submit(transaction(b"A", 0))
    judge.born = BlockNumber(U32(2))
    pool.submit(transaction(b"B", 0))
    chain.import_block(forge.block(base.header.hash(), b"0z", primary=True))
    assert pool.ready() == [transaction(b"A", 0)]
    check(pool)


def test_transactions_expire() -> None:
    forge, chain = Forge(), open_chain()
    pool = pool_on(chain, SmallJudge(longevity=8))
    pool.submit(transaction(b"A", 5))
    pool.submit(transaction(b"B", 0))
    for block in forge.line(forge.genesis, 8):
        assert len(pool) == 2
        chain.import_block(block)
    assert len(pool) == 0
    check(pool)


def test_what_waits_for_another_waits_only_so_long() -> None:
    forge, chain = Forge(), open_chain()
    pool = pool_on(chain)
    for waiting in (transaction(b"A", 1), transaction(b"B", 1)):
        pool.submit(waiting)
    pool.submit(transaction(b"B", 0))
    for block in forge.line(forge.genesis, FUTURE_BLOCKS):
        assert len(pool) == 3
        chain.import_block(block)
    assert pool.ready() == [transaction(b"B", 0), transaction(b"B", 1)]
    check(pool)


def fill(pool: TransactionPool, tip: int = 0) -> None:
    """With ready ones of many signers, up to the limit of their number."""
    places = [(letter, nonce) for nonce in range(MAX_OF_SIGNER) for letter in LETTERS[:40]]
    for letter, nonce in places[: MAX_TRANSACTIONS - len(pool)]:
        pool.submit(transaction(letter, nonce, tip))
    assert len(pool) == MAX_TRANSACTIONS


def test_a_full_pool_lets_the_waiting_go_before_the_ready() -> None:
    judge = SmallJudge()
    pool = pool_on(open_chain(), judge)
    waiting = transaction(b"A", 1000, tip=1000)
    pool.submit(waiting)
    with patch.object(limits, "MAX_TRANSACTIONS", 50):
        for letter in LETTERS[:49]:
            pool.submit(transaction(letter, 0))
        pool.submit(transaction(LETTERS[50], 0))
        assert transaction_hash(waiting) not in pool
        asked = judge.asked["validate"]
        with pytest.raises(PoolFull):
            pool.submit(transaction(LETTERS[51], 0))
        assert judge.asked["validate"] - asked <= 1
        assert len(pool) == 50
        pool.remove(transaction_hash(transaction(LETTERS[50], 0)))
        pool.submit(transaction(LETTERS[51], 0))
    check(pool)


def test_a_tip_counts_by_the_byte() -> None:
    pool = pool_on(open_chain())
    long = transaction(b"A", 0, tip=100, text=bytes(1000))
    with patch.object(limits, "MAX_TRANSACTIONS", 2):
        pool.submit(long)
        pool.submit(transaction(b"B", 0, tip=5))
        pool.submit(transaction(b"C", 0, tip=3))
    assert pool.ready() == [transaction(b"B", 0, tip=5), transaction(b"C", 0, tip=3)]
    check(pool)


def test_a_full_pool_lets_the_end_of_the_cheapest_lane_go_for_who_pays_more() -> None:
    """The end, so that no other one waits for what has gone."""
    pool = pool_on(open_chain())
    with patch.object(limits, "MAX_TRANSACTIONS", 6):
        for name, nonce, tip in [(b"A", 0, 7), (b"A", 1, 1), (b"A", 2, 9), (b"B", 0, 3)]:
            pool.submit(transaction(name, nonce, tip))
        pool.submit(transaction(b"C", 0, 2))
        pool.submit(transaction(b"D", 0, 2))
        with pytest.raises(PoolFull):
            pool.submit(transaction(b"E", 0, 1))
        with pytest.raises(PoolFull):
            pool.submit(transaction(b"A", 3, 100))  # it would wait behind a tip of 1
        pool.submit(transaction(b"E", 0, 3))
        assert transaction_hash(transaction(b"A", 2, 9)) not in pool, "it waits behind a tip of 1"
        pool.submit(transaction(b"F", 0, 3))
        assert transaction_hash(transaction(b"A", 1, 1)) not in pool
        pool.submit(transaction(b"G", 0, 3))
        assert transaction_hash(transaction(b"D", 0, 2)) not in pool, "the younger of two"
        assert {one[:1] for one in pool.ready()} == {b"A", b"B", b"C", b"E", b"F", b"G"}
    check(pool)


def test_who_waits_behind_a_low_tip_is_worth_no_more_than_it() -> None:
    pool = pool_on(open_chain())
    older, younger = transaction(b"A", 0, 2), transaction(b"B", 0, 2)
    with patch.object(limits, "MAX_TRANSACTIONS", 2):
        pool.submit(older)
        pool.submit(younger)
        with pytest.raises(PoolFull):
            pool.submit(transaction(b"A", 1, 100))
        assert pool.ready() == [older, younger]


def test_room_for_one_more_is_made_without_looking_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pool = pool_on(open_chain())
    fill(pool)
    looks = 0
    rank = Lane.rank

    def counted(lane: Lane) -> tuple[bool, int, int]:
        nonlocal looks
        looks += 1
        return rank(lane)

    monkeypatch.setattr(Lane, "rank", counted)
    for number in range(96):
        pool.submit(transaction(LETTERS[40 + number % 12], number // 12, tip=1000))
    assert 96 <= looks <= 96 * 4
    check(pool)


def test_one_that_is_too_large_for_the_room_it_could_get_displaces_nothing() -> None:
    pool = pool_on(open_chain())
    with patch.object(limits, "MAX_BYTES", 1000):
        small = [transaction(letter, 0, tip) for tip, letter in enumerate(LETTERS[:10], 10)]
        for extrinsic in small:
            pool.submit(extrinsic)
        pool.submit(transaction(b"a", 0, 10**8, bytes(900)))
        with pytest.raises(PoolFull):
            pool.submit(transaction(b"b", 0, 10**7, bytes(900)))
        assert sorted(pool.ready()) == sorted([*small, transaction(b"a", 0, 10**8, bytes(900))])
    check(pool)


def test_a_signer_has_only_so_many_and_so_many_that_wait() -> None:
    pool = pool_on(open_chain())
    for nonce in range(MAX_OF_SIGNER):
        pool.submit(transaction(b"A", nonce))
    with pytest.raises(TooManyOfSigner):
        pool.submit(transaction(b"A", MAX_OF_SIGNER))
    for nonce in range(MAX_FUTURE_OF_SIGNER):
        pool.submit(transaction(b"B", 5 + nonce))
    with pytest.raises(TooManyOfSigner):
        pool.submit(transaction(b"B", 5 + MAX_FUTURE_OF_SIGNER))
    pool.submit(transaction(b"B", 0))
    check(pool)


def test_all_signers_have_only_so_many_that_wait() -> None:
    pool = pool_on(open_chain())
    signers = MAX_FUTURE // MAX_FUTURE_OF_SIGNER
    for letter in LETTERS[:signers]:
        for nonce in range(MAX_FUTURE_OF_SIGNER):
            pool.submit(transaction(letter, 5 + nonce))
    with pytest.raises(PoolFull):
        pool.submit(transaction(LETTERS[signers], 5))
    pool.submit(transaction(LETTERS[signers], 5, tip=1))
    pool.submit(transaction(LETTERS[signers], 0))
    assert len(pool) == MAX_FUTURE + 1
    check(pool)


def test_a_signer_can_pay_for_all_that_waits() -> None:
    """Also for what waits for others; and when less is left, the last ones go."""
    forge, chain = Forge(), open_chain()
    judge = SmallJudge(funds={b"A": 3 * FEE, b"B": FEE - 1})
    pool = pool_on(chain, judge)
    for nonce in (0, 1, 7):
        pool.submit(transaction(b"A", nonce))
    with pytest.raises(TooExpensive) as refused:
        pool.submit(transaction(b"A", 2))
    assert (refused.value.fees, refused.value.funds) == (4 * FEE, 3 * FEE)
    with pytest.raises(CannotPay):
        pool.submit(transaction(b"B", 0))
    assert judge.asked["validate"] == 3, "the signature is looked at last"
    judge.funds[b"A"] = 2 * FEE - 1
    chain.import_block(forge.block(forge.genesis))
    assert pool.ready() == [transaction(b"A", 0)]
    assert len(pool) == 1
    check(pool)


def test_sizes_are_bounded() -> None:
    pool = pool_on(open_chain())
    head = transaction(b"A", 0)
    pool.submit(Extrinsic(head + bytes(MAX_TRANSACTION_BYTES - len(head))))
    with pytest.raises(TooLarge):
        pool.submit(Extrinsic(head + bytes(MAX_TRANSACTION_BYTES - len(head) + 1)))
    with pytest.raises(TooLarge):
        pool.submit(report(1, bytes(MAX_POOLED_REPORT_BYTES)))


def test_reports_are_free_and_few_and_one_of_each_deed() -> None:
    forge, chain = Forge(), open_chain()
    pool = pool_on(chain)
    for deed in range(MAX_POOLED_REPORTS):
        pool.submit(report(deed))
        with pytest.raises((PlaceTaken, PoolFull)):
            pool.submit(report(deed, b"another proof"))
    with pytest.raises(PoolFull):
        pool.submit(report(MAX_POOLED_REPORTS))
    assert pool.ready() == [report(deed) for deed in range(MAX_POOLED_REPORTS)]
    chain.import_block(forge.block(forge.genesis, report(3)))
    assert report(3) not in pool.ready()
    assert len(pool) == MAX_POOLED_REPORTS - 1
    with pytest.raises(TooLate):
        pool.submit(report(3, b"late"))


def test_what_was_found_invalid_is_not_judged_again() -> None:
    judge = SmallJudge()
    pool = pool_on(open_chain(), judge)
    forged = transaction(b"A", 0, text=b"forged")
    with pytest.raises(BadSignature):
        pool.submit(forged)
    with pytest.raises(InvalidTransaction, match="before"):
        pool.submit(forged)
    assert judge.asked == Counter(preview=1, validate=1)


steps = st.lists(
    st.tuples(st.sampled_from(LETTERS[:4]), st.integers(0, 6), st.integers(0, 30), st.booleans()),
    max_size=40,
)


@given(steps)
def test_whatever_comes_and_goes_the_books_are_right(
    steps: list[tuple[bytes, int, int, bool]],
) -> None:
    forge, chain = Forge(), open_chain()
    judge = SmallJudge(funds={b"A": 45})
    pool = pool_on(chain, judge)
    parent = forge.genesis
    with patch.object(limits, "MAX_TRANSACTIONS", 8), patch.object(limits, "MAX_BYTES", 80):
        for letter, nonce, tip, in_block in steps:
            extrinsic = transaction(letter, nonce, tip, bytes(tip // 3))
            if in_block and extrinsic in pool.ready():
                block = forge.block(parent, *pool.ready()[:2])
                chain.import_block(block)
                parent = block.header.hash()
            else:
                before = pool.ready()
                try:
                    pool.submit(extrinsic)
                except (PoolRefused, InvalidTransaction):
                    assert pool.ready() == before
            check(pool)
            assert len(pool) <= 8
            assert pool._bytes <= 80
