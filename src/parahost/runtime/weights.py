"""How long executing takes, counted so that every machine counts the same: Substrate's weights.

A call's declaration says its weight::

    @call(0, "claim", weight=micros(130))
    @dataclass(frozen=True, slots=True)
    class Claim(RuntimeCall): ...

or a function of the call, where its arguments matter. A declared weight is what
``python -m bench.bench_weights`` measures, times at least 1.5, rounded up; it covers the call's
signature checks and its share of the block's end (state root, root of the extrinsics).

A block weighs at most :data:`MAX_BLOCK_WEIGHT`. The inherents come first and have a limit of
their own; transactions may take what is left. ``proof_size``, the part of Substrate's weight that
counts a storage proof, is always zero: the relay chain's blocks are executed on full states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from parahost.primitives.scale import Compact


@dataclass(frozen=True, slots=True)
class Weight:
    """``ref_time``: picoseconds on the machine that was measured. ``proof_size``: bytes."""

    ref_time: Annotated[int, Compact(64)] = 0
    proof_size: Annotated[int, Compact(64)] = 0

    def __add__(self, other: Weight) -> Weight:
        return Weight(self.ref_time + other.ref_time, self.proof_size + other.proof_size)

    def __sub__(self, other: Weight) -> Weight:
        return Weight(self.ref_time - other.ref_time, self.proof_size - other.proof_size)

    def __mul__(self, times: int) -> Weight:
        return Weight(self.ref_time * times, self.proof_size * times)

    def is_within(self, limit: Weight) -> bool:
        return self.ref_time <= limit.ref_time and self.proof_size <= limit.proof_size


def nanos(count: int) -> Weight:
    """So many nanoseconds."""
    return Weight(count * 1000)


def micros(count: int) -> Weight:
    return Weight(count * 10**6)


def millis(count: int) -> Weight:
    return Weight(count * 10**9)


MAX_BLOCK_WEIGHT: Final = millis(2000)
"""A third of Polkadot's slot: a block must be executed by each node on its way."""
MAX_INHERENT_WEIGHT: Final = millis(1500)
"""What the inherents may take of it. 1,000 bitfields and 1,000 candidates of 5 votes each fit."""
BLOCK_BASE: Final = millis(100)
"""Beginning and ending a block; with 1,000 validators, also where a session ends."""
TRANSACTION_BASE: Final = micros(360)
"""Admitting any transaction: decoding, signature, nonce, fee, events."""
TRANSACTION_BYTE: Final = nanos(15)
"""Hashing and keeping each of its bytes."""

Weigh = Weight | Callable[[Any], Weight]
"""A weight, or the function that gives it for one call."""


def transaction_weight(call: Weight, length: int) -> Weight:
    """What a transaction of ``length`` bytes takes of a block, with a call of that weight. An
    inherent is weighed by its call alone."""
    return TRANSACTION_BASE + TRANSACTION_BYTE * length + call
