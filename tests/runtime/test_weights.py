"""Weights: every call has one, a block's is bounded, and the inherents' is by itself."""

from __future__ import annotations

from typing import Any

import pytest

from parahost.primitives.basic import U32, HeadData, ParaId, ValidationCode
from parahost.primitives.limits import MAX_TRANSACTION_BYTES
from parahost.runtime.dispatch import DispatchClass, Pays
from parahost.runtime.errors import BlockTooHeavy
from parahost.runtime.module import RuntimeCall, call_weight
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.parachains.inherent_weight import (
    FIXED,
    MAX_INCLUSION_WEIGHT,
    bitfields_weight,
    candidate_weight,
    inclusion_weight,
)
from parahost.runtime.parathreads import Claim
from parahost.runtime.registrar import Register
from parahost.runtime.session import SetKeys, SetValidators
from parahost.runtime.sudo import SudoCall
from parahost.runtime.system import ExtrinsicFailed, ExtrinsicSuccess
from parahost.runtime.timestamp import SetTimestamp
from parahost.runtime.weights import (
    BLOCK_BASE,
    MAX_BLOCK_WEIGHT,
    MAX_INHERENT_WEIGHT,
    Weight,
    micros,
    millis,
    transaction_weight,
)
from tests.runtime.pipeline import inherent_data
from tests.runtime.test_executive import finished, resealed
from tests.runtime.test_governance import EXAMPLES
from tests.runtime.world import Chain, account, session_keys, weigh

CLAIM = Claim(ParaId(U32(200)))


@pytest.fixture
def chain() -> Chain:
    chain = Chain()
    chain.step()
    return chain


def consumed(chain: Chain) -> Any:
    return chain.runtime.modules.system.block_weight.get(chain.state)


def test_every_call_has_a_weight() -> None:
    weights = {cls: call_weight(make()) for cls, make in EXAMPLES.items()}
    assert set(weights) == set(RuntimeCall.__scale_members__)
    assert all(weight.ref_time > 0 for weight in weights.values())


def test_the_block_says_what_it_weighs(chain: Chain) -> None:
    empty = Chain()
    empty.step()
    inherents_alone = consumed(empty)
    assert inherents_alone.normal == Weight()
    assert inherents_alone.mandatory == BLOCK_BASE + FIXED + call_weight(SetTimestamp(1))
    extrinsics = [chain.signed("Alice", CLAIM), chain.signed("Bob", SetKeys(session_keys("Bob")))]
    chain.step(*extrinsics)
    told = [
        event.dispatch_info
        for event in chain.events()
        if isinstance(event, ExtrinsicSuccess | ExtrinsicFailed)
    ]
    assert [info.class_ for info in told] == [DispatchClass.MANDATORY] * 2 + [
        DispatchClass.NORMAL
    ] * 2
    assert [info.pays_fee for info in told] == [Pays.NO] * 2 + [Pays.YES] * 2
    assert consumed(chain).normal == told[2].weight + told[3].weight
    assert consumed(chain).mandatory == BLOCK_BASE + told[0].weight + told[1].weight
    assert all(info.weight.ref_time > 10**8 and info.weight.proof_size == 0 for info in told)


def test_a_transaction_weighs_its_call_its_bytes_and_its_admission() -> None:
    """In picoseconds: 100 microseconds, 1,000 times 15 nanoseconds, 360 microseconds."""
    assert transaction_weight(micros(100), 1000) == Weight(475 * 10**6)


def test_a_full_block_takes_no_more_and_one_with_more_is_invalid(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    weigh(monkeypatch, Claim, millis(600))
    four = [chain.signed("Alice", CLAIM, nonce=nonce) for nonce in range(4)]
    builder = chain.builder()
    for extrinsic in four[:3]:
        builder.apply(extrinsic)
    with pytest.raises(BlockTooHeavy) as refusal:
        builder.apply(four[3])
    assert refusal.value.limit == MAX_BLOCK_WEIGHT.ref_time == 2 * 10**12
    assert refusal.value.weight > 2.4 * 10**12
    block = builder.finish()[0]
    chain.execute(block)
    with pytest.raises(BlockTooHeavy):
        chain.execute(resealed(block, (*block.extrinsics, four[3])))


def test_a_block_may_weigh_exactly_the_limit(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    weigh(monkeypatch, Claim, Weight())
    probe = chain.builder()
    probe.apply(chain.signed("Alice", CLAIM))
    left = (
        MAX_BLOCK_WEIGHT.ref_time
        - chain.runtime.modules.system.block_weight.get(probe._store).total().ref_time
    )
    weigh(monkeypatch, Claim, Weight(left))
    chain.execute(finished(chain, chain.signed("Alice", CLAIM)))
    weigh(monkeypatch, Claim, Weight(left + 1))
    with pytest.raises(BlockTooHeavy):
        finished(chain, chain.signed("Alice", CLAIM))


def test_inherents_have_a_limit_of_their_own(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """So there is room for transactions in every block."""
    weigh(monkeypatch, InclusionCall, MAX_INCLUSION_WEIGHT)
    block = finished(chain, chain.signed("Alice", CLAIM))
    chain.execute(block)
    weigh(monkeypatch, InclusionCall, MAX_INCLUSION_WEIGHT + Weight(1))
    with pytest.raises(BlockTooHeavy):
        chain.builder()
    with pytest.raises(BlockTooHeavy) as refusal:
        chain.execute(block)
    assert refusal.value.limit == (BLOCK_BASE + MAX_INHERENT_WEIGHT).ref_time
    assert BLOCK_BASE.ref_time + MAX_INHERENT_WEIGHT.ref_time < MAX_BLOCK_WEIGHT.ref_time


def test_an_inherent_weighs_the_sum_of_its_parts(chain: Chain) -> None:
    data = inherent_data(chain)
    assert data.backed_candidates
    parts = [candidate_weight(backed) for backed in data.backed_candidates]
    whole = sum(parts, start=FIXED + bitfields_weight(len(data.bitfields)))
    assert inclusion_weight(data) == call_weight(InclusionCall(data)) == whole
    assert all(part.ref_time > micros(700).ref_time for part in parts), "two signatures each"


def test_the_largest_honest_inherent_fits() -> None:
    """1,000 validators and as many cores, each of one validator."""
    candidate = micros(600 + 110)
    heaviest = FIXED + bitfields_weight(1000) + candidate * 1000
    assert heaviest.is_within(MAX_INCLUSION_WEIGHT)
    assert not (heaviest * 2).is_within(MAX_INCLUSION_WEIGHT)


@pytest.mark.parametrize(
    ("small", "large"),
    [
        (
            Register(ParaId(U32(1)), HeadData(b""), ValidationCode(b""), True),
            Register(ParaId(U32(1)), HeadData(b""), ValidationCode(bytes(5 << 20)), True),
        ),
        (SetValidators(()), SetValidators((account("Alice"),) * 1000)),
        (SetValidators(()), SudoCall(SetValidators(()))),
    ],
)
def test_arguments_weigh(small: Any, large: Any) -> None:
    assert call_weight(large).ref_time > call_weight(small).ref_time


def test_the_longest_transaction_fits_into_a_block_whose_inherent_is_full() -> None:
    code = ValidationCode(bytes(5 << 20))
    call = SudoCall(Register(ParaId(U32(1)), HeadData(b""), code, True))
    weight = transaction_weight(call_weight(call), MAX_TRANSACTION_BYTES)
    assert (BLOCK_BASE + MAX_INHERENT_WEIGHT + weight).ref_time <= MAX_BLOCK_WEIGHT.ref_time
