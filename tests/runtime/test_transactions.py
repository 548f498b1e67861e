"""What the pool and the block take from accounts: nonces, eras, signatures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from parahost.crypto import ecdsa, ed25519
from parahost.primitives.basic import H256, H512, U32, BlockNumber, Hash, ParaId
from parahost.primitives.header import Extrinsic
from parahost.runtime import api
from parahost.runtime.balances import EXISTENTIAL_DEPOSIT, UNIT
from parahost.runtime.errors import (
    BadSignature,
    BornElsewhere,
    CannotPay,
    EarlyReport,
    EraForgotten,
    ForTheAuthorOnly,
    FutureTransaction,
    InvalidTransaction,
    KnownDeed,
    LateReport,
    MalformedExtrinsic,
    StaleTransaction,
    UnknownAddress,
    UnprovenReport,
    UnsignedNotAllowed,
)
from parahost.runtime.extrinsic import (
    MortalEra,
    decode_extrinsic,
    inherent,
    signed,
)
from parahost.runtime.origin import AccountId
from parahost.runtime.parathreads import Claim
from parahost.runtime.signers import EcdsaSignature, Ed25519Signature, Sr25519Signature
from parahost.runtime.storage import Overlay
from parahost.runtime.system import BLOCK_HASH_COUNT
from parahost.runtime.timestamp import SetTimestamp
from parahost.runtime.transaction_validity import InvalidReason, UnknownReason
from tests.runtime.world import GENESIS, Chain, account

CLAIM = Claim(ParaId(U32(200)))


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    chain.step()
    return chain


def refused_everywhere(chain: Chain, extrinsic: Extrinsic) -> InvalidTransaction:
    """By the pool and by the block, for the same reason; the block stays as it was."""
    with pytest.raises(InvalidTransaction) as by_pool:
        chain.runtime.validate_transaction(chain.state, chain.header, extrinsic)
    builder, untouched = chain.builder(), chain.builder()
    with pytest.raises(InvalidTransaction) as by_block:
        builder.apply(extrinsic)
    assert builder.finish()[1].root == untouched.finish()[1].root
    assert type(by_pool.value) is type(by_block.value)
    return by_pool.value


def test_nonces_count_up(chain: Chain) -> None:
    first, second = (chain.signed("Alice", CLAIM, nonce=nonce) for nonce in (0, 1))
    for extrinsic in (first, second):
        chain.runtime.validate_transaction(chain.state, chain.header, extrinsic)
    assert chain.runtime.standing(chain.state, account("Alice")).nonce == 0
    chain.step(first, second)
    assert chain.runtime.standing(chain.state, account("Alice")).nonce == 2
    assert isinstance(refused_everywhere(chain, first), StaleTransaction)


def test_a_later_nonce_waits_in_the_pool_but_not_in_a_block(chain: Chain) -> None:
    with pytest.raises(FutureTransaction) as refusal:
        chain.builder().apply(chain.signed("Alice", CLAIM, nonce=1))
    assert refusal.value.retriable


def test_each_account_has_its_own_nonce(chain: Chain) -> None:
    chain.step(chain.signed("Alice", CLAIM, nonce=0), chain.signed("Bob", CLAIM, nonce=0))


def test_signature_covers_everything(chain: Chain) -> None:
    good = decode_extrinsic(chain.signed("Alice", CLAIM))
    assert good.signature is not None
    extra = good.signature.extra
    forged = [
        replace(good, call=Claim(ParaId(U32(201)))),
        replace(good, signature=replace(good.signature, signer=account("Bob"))),
        replace(
            good, signature=replace(good.signature, signature=Sr25519Signature(H512(bytes(64))))
        ),
        replace(good, signature=replace(good.signature, extra=replace(extra, tip=1))),
        replace(good, signature=replace(good.signature, extra=replace(extra, era=MortalEra(4, 0)))),
    ]
    for extrinsic in forged:
        assert isinstance(refused_everywhere(chain, extrinsic.encode()), BadSignature)
    later = replace(good, signature=replace(good.signature, extra=replace(extra, nonce=1)))
    with pytest.raises(BadSignature):
        chain.runtime.validate_transaction(chain.state, chain.header, later.encode())
    chain.runtime.validate_transaction(chain.state, chain.header, good.encode())


@pytest.mark.parametrize("scheme", [Ed25519Signature, EcdsaSignature])
def test_an_account_signs_with_the_scheme_of_its_key(scheme: Any) -> None:
    by_ed25519, by_ecdsa = ed25519.Keypair.from_uri("//Alice"), ecdsa.Keypair.from_uri("//Alice")
    accounts = {
        Ed25519Signature: by_ed25519.public,
        EcdsaSignature: ecdsa.account_of(by_ecdsa.public),
    }
    signs = {
        Ed25519Signature: lambda payload: ed25519.sign(by_ed25519, payload),
        EcdsaSignature: lambda payload: ecdsa.sign(by_ecdsa, payload),
    }
    signer = AccountId(H256(accounts[scheme]))
    endowed = (*GENESIS.balances, (signer, 1000 * UNIT))
    chain = Chain(replace(GENESIS, balances=endowed))
    good = signed(
        CLAIM, signer, signs[scheme], nonce=0, genesis_hash=chain.genesis_hash, scheme=scheme
    )
    chain.runtime.validate_transaction(chain.state, chain.header, good)
    made = decode_extrinsic(good)
    assert made.signature is not None
    for other in (Sr25519Signature(H512(bytes(64))), Ed25519Signature(H512(bytes(64)))):
        forged = replace(made, signature=replace(made.signature, signature=other)).encode()
        assert isinstance(refused_everywhere(chain, forged), BadSignature)
    chain.step(good)
    assert chain.runtime.modules.system.nonce(chain.state, signer) == 1


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MalformedExtrinsic, InvalidReason.CALL),
        (CannotPay, InvalidReason.PAYMENT),
        (FutureTransaction, InvalidReason.FUTURE),
        (StaleTransaction, InvalidReason.STALE),
        (BadSignature, InvalidReason.BAD_PROOF),
        (EraForgotten, InvalidReason.ANCIENT_BIRTH_BLOCK),
        (ForTheAuthorOnly, InvalidReason.MANDATORY_VALIDATION),
        (UnprovenReport, InvalidReason.BAD_PROOF),
        (KnownDeed, InvalidReason.STALE),
        (EarlyReport, InvalidReason.FUTURE),
        (LateReport, InvalidReason.STALE),
        (UnknownAddress, UnknownReason.CANNOT_LOOKUP),
        (UnsignedNotAllowed, UnknownReason.NO_UNSIGNED_VALIDATOR),
    ],
)
def test_each_refusal_has_substrates_reason(
    error: type[InvalidTransaction], reason: InvalidReason | UnknownReason
) -> None:
    assert error.reason is reason
    assert reason.sentence


def test_signature_is_for_this_chain(chain: Chain) -> None:
    chain.genesis_hash = Hash(H256(b"\x11" * 32))
    assert isinstance(refused_everywhere(chain, chain.signed("Alice", CLAIM)), BadSignature)


def test_a_long_era_lasts_as_long_as_blocks_are_known(chain: Chain) -> None:
    """A signature that covers a block's hash is good for 2,400 blocks after it."""
    extrinsic = chain.signed("Alice", CLAIM, era=MortalEra(65536, 0))
    valid = chain.runtime.validate_transaction(chain.state, chain.header, extrinsic)
    assert valid.longevity == 2400


def test_mortal_transactions_die(chain: Chain) -> None:
    era = MortalEra(8, 1)
    extrinsic = chain.signed("Alice", CLAIM, era=era)
    valid = chain.runtime.validate_transaction(chain.state, chain.header, extrinsic)
    assert (valid.longevity, valid.born) == (7, 1)
    chain.steps(6)
    valid = chain.runtime.validate_transaction(chain.state, chain.header, extrinsic)
    assert valid.longevity == 1
    chain.step()
    assert isinstance(refused_everywhere(chain, extrinsic), StaleTransaction)
    chain.step()
    assert isinstance(refused_everywhere(chain, extrinsic), BadSignature), "of another era now"


@pytest.mark.parametrize("ahead", [1, 2, 3])
def test_who_signs_on_a_block_that_is_not_here_yet_is_no_forger(chain: Chain, ahead: int) -> None:
    """A node that is ahead, or on another fork, passes it on in good faith."""
    chain.steps(4)
    state, header = chain.state, chain.header
    chain.steps(ahead)
    era = MortalEra.around(chain.header.number, 4)
    extrinsic = chain.signed("Alice", CLAIM, era=era)
    with pytest.raises(EraForgotten if ahead == 1 else BornElsewhere) as refusal:
        chain.runtime.validate_transaction(state, header, extrinsic)
    assert refusal.value.retriable and not BadSignature.retriable
    chain.runtime.validate_transaction(chain.state, chain.header, extrinsic)


@pytest.mark.parametrize(
    ("current", "is_near"),
    [(67, True), (83, True), (84, False), (114, False), (115, True), (131, True)],
)
def test_an_era_begins_near_a_block_or_not(current: int, is_near: bool) -> None:
    assert MortalEra(64, 3).is_born_within(16, current) is is_near


def test_an_era_that_began_too_long_ago_is_over(chain: Chain) -> None:
    """The hash that the signature would cover is not known any more."""
    extrinsic = chain.signed("Alice", CLAIM, era=MortalEra(4096, 1))
    chain.runtime.validate_transaction(chain.state, chain.header, extrinsic)
    number = BlockNumber(U32(BLOCK_HASH_COUNT + 2))
    store = Overlay(chain.state)
    system = chain.runtime.modules.system
    system.initialize(store, BlockNumber(U32(2)), chain.header.hash(), ())
    system.initialize(store, number, chain.header.hash(), ())
    system.finalize(store)
    header = replace(chain.header, number=number)
    with pytest.raises(StaleTransaction, match="not known any more"):
        chain.runtime.validate_transaction(store.commit(), header, extrinsic)


def test_the_genesis_hash_is_never_forgotten_others_are(chain: Chain) -> None:
    system = chain.runtime.modules.system
    store = Overlay(chain.state)
    for number in (BLOCK_HASH_COUNT + 1, BLOCK_HASH_COUNT + 2):
        system.initialize(store, BlockNumber(U32(number)), Hash(H256(bytes(32))), ())
        system.finalize(store)
    assert system.block_hash(store, BlockNumber(U32(0))) == chain.genesis_hash
    assert system.block_hash(store, BlockNumber(U32(1))) is None


def test_each_block_knows_its_ancestors_and_not_itself(chain: Chain) -> None:
    numbers = [BlockNumber(U32(number)) for number in range(chain.header.number + 1)]
    known = [api.block_hash(chain.state, number) for number in numbers]
    assert known == [chain.genesis_hash, *(each.header.hash() for each in chain.blocks[:-1]), None]


def test_unsigned_calls_and_inherents_are_not_for_the_pool(chain: Chain) -> None:
    assert isinstance(refused_everywhere(chain, inherent(CLAIM)), UnsignedNotAllowed)
    for extrinsic in (inherent(SetTimestamp(1)), chain.signed("Alice", SetTimestamp(1))):
        with pytest.raises(UnsignedNotAllowed):
            chain.runtime.validate_transaction(chain.state, chain.header, extrinsic)


def test_garbage_is_malformed(chain: Chain) -> None:
    assert isinstance(refused_everywhere(chain, Extrinsic(b"\x04\xfe")), MalformedExtrinsic)


def test_the_first_block_may_have_transactions() -> None:
    chain = Chain()
    extrinsic = chain.signed("Alice", CLAIM, era=MortalEra(8, 0))
    chain.runtime.validate_transaction(chain.state, chain.header, extrinsic)
    chain.step(extrinsic)
    assert chain.runtime.modules.system.nonce(chain.state, account("Alice")) == 1


def test_a_transaction_says_what_it_offers_before_anything_is_checked(chain: Chain) -> None:
    extrinsic = chain.signed("Alice", CLAIM, nonce=3, tip=9, era=MortalEra(8, 1))
    unreadable = Extrinsic(extrinsic[:-5] + b"\xff" * 5)
    for one in (extrinsic, unreadable):
        offer = chain.runtime.preview_transaction(one)
        assert offer is not None
        assert (offer.signer, offer.nonce, offer.tip) == (account("Alice"), 3, 9)
        assert offer.fee == 10**9 + 10**6 * len(one) + 9
        assert offer.is_mortal
    assert chain.runtime.preview_transaction(inherent(CLAIM)) is None
    with pytest.raises(MalformedExtrinsic):
        chain.runtime.preview_transaction(Extrinsic(extrinsic[:60]))


def test_an_account_stands_with_what_it_may_spend(chain: Chain) -> None:
    standing = chain.runtime.standing(chain.state, account("Alice"))
    assert (standing.nonce, standing.funds) == (0, 1000 * UNIT - EXISTENTIAL_DEPOSIT)
