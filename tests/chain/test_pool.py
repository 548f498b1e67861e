"""The pool by itself, over blocks of the small state machine. A transaction is ``t``, its signer,
its nonce and its text; it is valid on states whose record of the signer is not beyond the nonce."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.chain.chain import Chain
from parahost.chain.pool import PlaceTaken, PoolFull, TooLarge, TransactionPool
from parahost.chain.pool.pool import MAX_TRANSACTION_BYTES, MAX_TRANSACTIONS, transaction_hash
from parahost.primitives.header import Extrinsic, Header
from parahost.runtime.errors import InvalidTransaction, StaleTransaction
from parahost.runtime.storage import State
from parahost.runtime.transactions import ValidTransaction
from tests.chain.world import Forge, open_chain


def transaction(signer: bytes, nonce: int, text: bytes = b"") -> Extrinsic:
    """Including it writes the nonce under the signer."""
    return Extrinsic(signer + nonce.to_bytes(2, "big") + text)


def validate(state: State, header: Header, extrinsic: Extrinsic) -> ValidTransaction:
    signer, nonce = extrinsic[:1], int.from_bytes(extrinsic[1:3], "big")
    if not signer.isupper():
        raise InvalidTransaction("no signer")
    last = state.get_raw(signer)
    due = 0 if last is None else int.from_bytes(last[:2], "big") + 1
    if nonce < due:
        raise StaleTransaction("used")
    requires = () if nonce == due else (signer + (nonce - 1).to_bytes(2, "big"),)
    return ValidTransaction((extrinsic[:3],), requires, 8)


def pool_on(chain: Chain) -> TransactionPool:
    return TransactionPool(chain, validate)


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


def test_what_a_block_includes_leaves_and_what_waits_for_it_becomes_ready() -> None:
    forge, chain = Forge(), open_chain()
    pool = pool_on(chain)
    zero, rival, one = transaction(b"A", 0), transaction(b"A", 0, b"x"), transaction(b"A", 1)
    pool.submit(zero)
    pool.submit(one)
    with pytest.raises(PlaceTaken) as taken:
        pool.submit(rival)
    assert taken.value.other == transaction_hash(zero)
    chain.import_block(forge.block(forge.genesis, rival))
    assert pool.ready() == [one]
    assert transaction_hash(zero) not in pool
    with pytest.raises(StaleTransaction):
        pool.submit(zero)
    with pytest.raises(InvalidTransaction, match="before"):
        pool.submit(zero)


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


def test_transactions_expire() -> None:
    forge, chain = Forge(), open_chain()
    pool = pool_on(chain)
    pool.submit(transaction(b"A", 5))
    pool.submit(transaction(b"B", 0))
    for block in forge.line(forge.genesis, 8):
        assert len(pool) == 2
        chain.import_block(block)
    assert len(pool) == 0


def test_a_full_pool_lets_the_waiting_go_before_the_ready() -> None:
    pool = pool_on(open_chain())
    pool.submit(transaction(b"B", 9))
    for nonce in range(MAX_TRANSACTIONS - 1):
        pool.submit(transaction(b"A", nonce))
    pool.submit(transaction(b"C", 0))
    assert len(pool) == MAX_TRANSACTIONS
    assert transaction(b"C", 0) in pool.ready()
    assert transaction_hash(transaction(b"B", 9)) not in pool
    with pytest.raises(PoolFull):
        pool.submit(transaction(b"D", 0))
    with pytest.raises(TooLarge):
        pool.submit(Extrinsic(b"A" * (MAX_TRANSACTION_BYTES + 1)))
    pool.remove(transaction_hash(transaction(b"C", 0)))
    pool.submit(transaction(b"D", 0))
