"""Counting the votes on availability (A42, A43, D8): what bitfields add to which cores.

Two forms of one rule: :func:`tally_plainly` is to be read, :func:`tally` is fast for 1,000
validators times 200 cores. Tests hold them equal.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from parahost.primitives.basic import CoreIndex, ValidatorIndex
from parahost.primitives.scale import BitVec


@dataclass(frozen=True, slots=True)
class Tally:
    """``counted``: the positions, among those given, of the bitfields that count. ``votes``: for
    each pending core the validators, one bit each, who say that they hold its chunk."""

    counted: tuple[int, ...]
    votes: dict[CoreIndex, BitVec]


def tally_plainly(
    bitfields: Sequence[tuple[ValidatorIndex, BitVec]],
    pending: Collection[CoreIndex],
    validators: int,
) -> Tally:
    """Count bitfields of one length, each of another of so many validators. One that has a bit
    for a core outside ``pending`` is disregarded."""
    counted = []
    voters: dict[CoreIndex, list[ValidatorIndex]] = {core: [] for core in pending}
    for position, (validator, bitfield) in enumerate(bitfields):
        cores = bitfield.ones()
        if any(core not in voters for core in cores):
            continue
        counted.append(position)
        for core in cores:
            voters[CoreIndex(core)].append(validator)  # type: ignore[arg-type]
    votes = {core: BitVec.with_ones(validators, voters[core]) for core in sorted(voters)}
    return Tally(tuple(counted), votes)


def tally(
    bitfields: Sequence[tuple[ValidatorIndex, BitVec]],
    pending: Collection[CoreIndex],
    validators: int,
) -> Tally:
    """The same as :func:`tally_plainly`, on one matrix of bits: a row for each bitfield, a column
    for each core."""
    cores = sorted(pending)
    if not bitfields:
        return Tally((), {core: BitVec.zeros(validators) for core in cores})
    length = len(bitfields[0][1])
    packed = np.frombuffer(b"".join(bits.data for _, bits in bitfields), dtype=np.uint8)
    rows = packed.reshape(len(bitfields), -1)
    matrix = np.unpackbits(rows, axis=1, count=length, bitorder="little")

    columns = np.array(cores, dtype=np.intp)
    is_free = np.ones(length, dtype=bool)
    is_free[columns] = False
    counted = np.flatnonzero(~matrix[:, is_free].any(axis=1))

    voters = np.array([validator for validator, _ in bitfields])
    by_core = np.zeros((len(cores), validators), dtype=np.uint8)
    by_core[:, voters[counted]] = matrix[np.ix_(counted, columns)].T
    votes = np.packbits(by_core, axis=1, bitorder="little")
    return Tally(
        tuple(counted.tolist()),
        {core: BitVec(votes[row].tobytes(), validators) for row, core in enumerate(cores)},
    )
