"""The ledger in Python and in Wasm agree on every block."""

from dataclasses import replace

import pytest
import sr25519
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.crypto.hashing import keccak_256
from parahost.parachains.code import example_code
from parahost.parachains.ledger.state import (
    MAX_LEDGER_BALANCE,
    LedgerAccount,
    LedgerHead,
    LedgerState,
    Transfer,
    TransferRefused,
    encode_block_data,
)
from parahost.ports.validation import ExecutionKind, ExecutionOutcome, Failed
from parahost.validation import InProcessHost
from tests.parachains.params import head_of, validation_params

HOST = InProcessHost()
PAIRS = [sr25519.pair_from_seed(bytes([i]) * 32) for i in range(6)]
IDS = [public for public, _ in PAIRS]
CHAIN = keccak_256(b"the tests' ledger")
GENESIS = LedgerState.genesis(CHAIN, {IDS[0]: 1000, IDS[1]: 500, IDS[2]: 0})


def signed(sender: int, receiver: bytes, amount: int, nonce: int) -> Transfer:
    transfer = Transfer(IDS[sender], receiver, amount, nonce)
    return replace(transfer, signature=sr25519.sign(PAIRS[sender], transfer.message(CHAIN)))


def head(state: LedgerState, number: int = 0) -> LedgerHead:
    return LedgerHead(number, bytes(32), state.root, state.chain)


def run(before: LedgerState, block_data: bytes) -> ExecutionOutcome:
    params = validation_params(head(before).encode(), block_data)
    return HOST.run(example_code("ledger"), params, ExecutionKind.BACKING)


def assert_agree(before: LedgerState, transfers: list[Transfer]) -> None:
    """Wasm takes the block and comes to the same head, or both refuse it."""
    outcome = run(before, encode_block_data(before, transfers))
    try:
        after = before.apply_all(transfers)
    except TransferRefused:
        assert isinstance(outcome, Failed)
    else:
        assert head_of(outcome) == head(before).child(after).encode()


def test_an_empty_block_keeps_the_state() -> None:
    assert_agree(GENESIS, [])
    assert_agree(LedgerState(CHAIN), [])


def test_a_transfer_moves_money_and_creates_the_receiver() -> None:
    transfers = [signed(0, IDS[1], 300, 0), signed(0, IDS[4], 7, 1), signed(4, IDS[0], 2, 0)]
    after = GENESIS.apply_all(transfers)
    assert after.account(IDS[0]) == LedgerAccount(IDS[0], 2, 695)
    assert after.account(IDS[1]) == LedgerAccount(IDS[1], 0, 800)
    assert after.account(IDS[4]) == LedgerAccount(IDS[4], 1, 5)
    assert after.account(IDS[5]) is None
    assert_agree(GENESIS, transfers)


def test_a_transfer_to_oneself_costs_a_nonce_and_nothing_else() -> None:
    transfers = [signed(0, IDS[0], 1000, 0)]
    assert GENESIS.apply_all(transfers).account(IDS[0]) == LedgerAccount(IDS[0], 1, 1000)
    assert_agree(GENESIS, transfers)


@pytest.mark.parametrize(
    ("transfer", "why"),
    [
        (signed(0, IDS[1], 1001, 0), "balance"),
        (signed(0, IDS[1], 1, 1), "nonce"),
        (signed(3, IDS[1], 0, 0), "no such account"),
        (replace(signed(0, IDS[1], 1, 0), amount=2), "signature"),
        (replace(signed(0, IDS[1], 1, 0), signature=bytes(64)), "signature"),
    ],
)
def test_a_wrong_transfer_is_refused_by_both(transfer: Transfer, why: str) -> None:
    with pytest.raises(TransferRefused) as refused:
        GENESIS.apply(transfer)
    assert refused.value.why == why
    assert_agree(GENESIS, [transfer])


def test_a_balance_does_not_overflow() -> None:
    rich = LedgerState.genesis(CHAIN, {IDS[0]: 2, IDS[1]: MAX_LEDGER_BALANCE - 1})
    assert_agree(rich, [signed(0, IDS[1], 1, 0)])
    too_much = signed(0, IDS[1], 2, 0)
    with pytest.raises(TransferRefused, match="overflow"):
        rich.apply(too_much)
    assert_agree(rich, [too_much])


def test_a_replayed_transfer_is_refused() -> None:
    transfer = signed(0, IDS[1], 1, 0)
    assert_agree(GENESIS, [transfer, transfer])


def test_the_root_depends_on_the_accounts_and_not_on_their_order() -> None:
    balances = {keccak_256(bytes([i])): i for i in range(50)}
    one = LedgerState.genesis(CHAIN, balances)
    other = LedgerState.genesis(CHAIN, dict(reversed(balances.items())))
    assert one.root == other.root != GENESIS.root


def test_the_witness_is_small_in_a_large_state() -> None:
    crowd = {keccak_256(i.to_bytes(4, "little")): 1 for i in range(2000)}
    state = LedgerState.genesis(CHAIN, {**crowd, IDS[0]: 10})
    transfers = [signed(0, IDS[5], 1, 0), signed(0, keccak_256(bytes(4)), 1, 1)]
    assert len(state.witness({IDS[0], IDS[5]})) < 2 * 25 * 33 + 200
    assert_agree(state, transfers)


def test_forged_witnesses_are_refused() -> None:
    transfer = signed(0, IDS[1], 1, 0)
    honest = encode_block_data(GENESIS, [transfer])
    rich = LedgerState.genesis(CHAIN, {IDS[0]: 10**9, IDS[1]: 500, IDS[2]: 0})
    pruned = b"\0" + GENESIS.root + honest[len(GENESIS.witness([IDS[0], IDS[1]])) :]
    for forged in (
        encode_block_data(rich, [transfer]),
        pruned,  # hides the accounts
        b"\3" * 300 + honest,
        b"\4" + honest[1:],
        honest + b"\0",
        honest[:-1],
        b"",
    ):
        assert isinstance(run(GENESIS, forged), Failed)
    assert not isinstance(run(GENESIS, honest), Failed)


def test_heads_round_trip() -> None:
    assert LedgerHead.decode(head(GENESIS, 5).encode()) == head(GENESIS, 5)
    with pytest.raises(ValueError, match="104 bytes, not 71"):
        LedgerHead.decode(bytes(71))


def test_transfers_and_accounts_round_trip() -> None:
    transfer = signed(0, IDS[1], MAX_LEDGER_BALANCE, 2**64 - 1)
    assert Transfer.decode(transfer.encode()) == transfer
    account = LedgerAccount(IDS[0], 7, MAX_LEDGER_BALANCE)
    assert LedgerAccount.decode(account.encode()) == account
    for each in (Transfer, LedgerAccount):
        with pytest.raises(ValueError, match="bytes, not 3"):
            each.decode(b"abc")


def test_a_transfer_is_good_on_one_ledger_only() -> None:
    transfer = signed(0, IDS[1], 1, 0)
    other = LedgerState.genesis(keccak_256(b"another"), {IDS[0]: 1000})
    with pytest.raises(TransferRefused, match="signature"):
        other.apply(transfer)
    assert_agree(other, [transfer])


who = st.integers(0, len(PAIRS) - 1)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(who, st.integers(0, 100), max_size=6),
    st.lists(st.tuples(who, who, st.integers(0, 60)), max_size=8),
    st.booleans(),
)
def test_python_and_wasm_agree(
    balances: dict[int, int], plan: list[tuple[int, int, int]], sound: bool
) -> None:
    before = LedgerState.genesis(CHAIN, {IDS[i]: amount for i, amount in balances.items()})
    state = before
    transfers: list[Transfer] = []
    for sender, receiver, amount in plan:
        account = state.account(IDS[sender])
        transfer = signed(sender, IDS[receiver], amount, account.nonce if account else 0)
        try:
            state = state.apply(transfer)
        except TransferRefused:
            if sound:
                continue
        transfers.append(transfer)
    assert_agree(before, transfers)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_spoiled_block_never_reaches_another_state(data: st.DataObject) -> None:
    """Bytes changed at random: Wasm fails, or the change was of no consequence."""
    transfers = [signed(0, IDS[1], 300, 0), signed(1, IDS[4], 7, 0)]
    honest = bytearray(encode_block_data(GENESIS, transfers))
    at = data.draw(st.integers(0, len(honest) - 1))
    honest[at] ^= data.draw(st.integers(1, 255))
    assert isinstance(run(GENESIS, bytes(honest)), Failed)
