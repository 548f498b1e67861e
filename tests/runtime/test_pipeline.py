"""Candidates through whole blocks, over session changes, as nodes see them by the APIs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from parahost.primitives.basic import U32, ParaId, ValidationCode
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.runtime_api import (
    CandidateBackedEvent,
    CandidateIncludedEvent,
    CandidateTimedOutEvent,
    OccupiedCore,
)
from parahost.primitives.scale import BitVec
from parahost.runtime import api
from parahost.runtime.parachains import sanitize as sanitizing
from parahost.runtime.parachains.inclusion_errors import InvalidBitfield
from parahost.runtime.parachains.inherent_weight import inclusion_weight
from parahost.runtime.parachains.sanitize import sanitize
from parahost.runtime.parathreads import Claim
from parahost.runtime.weights import Weight
from tests.runtime.pipeline import COLLATOR, inherent_data
from tests.runtime.world import EPOCH_SLOTS, GENESIS, Chain, para


def counted(chain: Chain) -> Counter[type]:
    return Counter(type(event) for event in api.candidate_events(chain.state))


@pytest.mark.guide("A43", "A47", "A52", "A116")
def test_candidates_are_backed_and_included_block_after_block() -> None:
    """Two parachains and a parathread: from the third block on, each block includes what the
    last one backed. The session's end drops what is pending (A40), and all begins anew."""
    chain = Chain()
    chain.step()
    included: Counter[int] = Counter()
    for number in range(2, 3 * EPOCH_SLOTS + 1):
        claim = chain.signed(COLLATOR, Claim(ParaId(U32(200))))
        ends_session = number % EPOCH_SLOTS == 1
        chain.step(claim, data=inherent_data(chain))
        cores = api.availability_cores(chain.state)
        pending = [core for core in cores if isinstance(core, OccupiedCore)]
        events = api.candidate_events(chain.state)
        backed = [event for event in events if isinstance(event, CandidateBackedEvent)]
        assert len(backed) >= 2
        assert len(pending) == (0 if ends_session else len(backed))
        for event in events:
            if isinstance(event, CandidateIncludedEvent):
                para = event.receipt.descriptor.para_id
                included[para] += 1
                assert chain.runtime.modules.parachains.paras.heads.get(chain.state, para)
    assert included[100] == included[101] >= 10
    assert included[200] >= 3
    kept = api.included_candidates(chain.state)
    assert len(kept) == included.total()
    assert {candidate.session for candidate in kept} == {0, 1, 2}
    outputs = {candidate.included_in: candidate.relay_vrf_story for candidate in kept}
    assert len(set(outputs.values())) == len(outputs), "each block has a story of its own"


@pytest.mark.guide("A36")
def test_what_does_not_become_available_times_out() -> None:
    chain = Chain(
        replace(
            Chain().genesis,
            epoch_length=20,
            configuration=replace(
                Chain().genesis.configuration,
                chain_availability_period=U32(3),  # type: ignore[arg-type]
            ),
        )
    )
    chain.step()
    chain.step(data=inherent_data(chain))
    assert counted(chain)[CandidateBackedEvent] == 2
    for _ in range(9):
        chain.step()
        if counted(chain)[CandidateTimedOutEvent]:
            break
    assert counted(chain)[CandidateTimedOutEvent] == 2
    chain.step(data=inherent_data(chain))
    assert counted(chain)[CandidateBackedEvent] == 2


@pytest.mark.guide("A50", "A103")
def test_the_author_filters_what_would_invalidate_its_block() -> None:
    chain = Chain()
    chain.step()
    chain.step(data=inherent_data(chain))
    good = inherent_data(chain)
    forged = replace(good.bitfields[0], bitfield=BitVec.with_ones(3, []))
    bad = replace(good, bitfields=(forged, *good.bitfields[1:]))
    root = chain.builder().finish()[1].root
    builder = chain.builder(with_inherents=False)
    builder.apply(chain.timestamp(chain.slot + 1))
    with pytest.raises(InvalidBitfield):
        builder.apply(chain.parachains(bad))
    builder.apply(chain.parachains())
    assert builder.finish()[1].root == root, "the refused inherent has left nothing"

    acceptable = sanitize(chain.runtime.modules.parachains, chain.state, bad).inherent
    assert acceptable.bitfields == good.bitfields[1:]
    chain.step(data=acceptable)
    assert counted(chain)[CandidateIncludedEvent] == 2


@pytest.mark.guide("A103")
def test_new_code_of_many_paras_comes_in_several_blocks() -> None:
    """Four paras announce 5 MiB each on one relay parent: three fit into a block. The fourth comes
    with a later one, and no block is without candidates."""
    paras = tuple(para(number) for number in (100, 101, 102, 103))
    configuration = replace(GENESIS.configuration, parathread_cores=U32(0))
    chain = Chain(replace(GENESIS, paras=paras, configuration=configuration, epoch_length=50))
    chain.step()
    code = ValidationCode(b"\0asm".ljust(5 * 1024 * 1024))
    host = chain.runtime.modules.parachains
    sanitized = sanitize(host, chain.state, inherent_data(chain, new_code=code))
    kept = sanitized.inherent
    assert backed_paras(kept) == [100, 101, 102]
    assert [each.reason for each in sanitized.dropped] == ["the block has no room left for it"]
    chain.step(data=kept)
    kept = sanitize(host, chain.state, inherent_data(chain, new_code=code)).inherent
    assert backed_paras(kept) == [103]  # those before it have announced code already
    chain.step(data=kept)
    chain.step(data=sanitize(host, chain.state, inherent_data(chain)).inherent)
    assert sorted(host.paras.future_code.keys(chain.state)) == [100, 101, 102, 103]


@pytest.mark.guide("A103")
def test_candidates_stay_within_the_weight_of_the_inherent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where both just fit, both stay; with a picosecond less, the one on the first core."""
    chain = Chain()
    chain.step()
    data = inherent_data(chain)
    assert backed_paras(data) == [100, 101]
    host = chain.runtime.modules.parachains
    room = inclusion_weight(data)
    monkeypatch.setattr(sanitizing, "MAX_INCLUSION_WEIGHT", room)
    assert backed_paras(sanitize(host, chain.state, data).inherent) == [100, 101]
    monkeypatch.setattr(sanitizing, "MAX_INCLUSION_WEIGHT", Weight(room.ref_time - 1))
    assert backed_paras(sanitize(host, chain.state, data).inherent) == [100]


def backed_paras(data: ParachainsInherentData) -> list[int]:
    return [backed.candidate.descriptor.para_id for backed in data.backed_candidates]
