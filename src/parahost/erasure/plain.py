"""The Leopard code in numpy: the plain form of what the wheel ``reed-solomon-leopard`` does, for
Pythons that have no such wheel. Same bytes, some 40 times the time.

Reed-Solomon over GF(2^16) by an additive FFT (S.-J. Lin, T. Y. Al-Naffouri, Y. S. Han, W.-H. Chung,
"Novel Polynomial Basis with Fast Fourier Transform and Its Application to Reed-Solomon Erasure
Codes", 2016), in the basis and with the arrangement of C. Taylor's Leopard, which Polkadot's
reed-solomon-simd keeps.

A row is a chunk as elements of the field. Of each 64 bytes of a chunk the first 32 are the low
bytes of 32 elements, the others the high ones. Multiplication is by logarithms; ``_NO_LOG`` is
that of zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.uint16]
Logs = NDArray[np.int64]

_BITS = 16
_ORDER = 1 << _BITS
_MODULUS = _ORDER - 1
"""The order of the multiplicative group; logarithms are modulo it."""
_POLYNOMIAL = 0x1002D
_CANTOR_BASIS = (
    *(0x0001, 0xACCA, 0x3C0E, 0x163E, 0xC582, 0xED2E, 0x914C, 0x4012),
    *(0x6C98, 0x10D8, 0x6A72, 0xB900, 0xFDB8, 0xFB34, 0xFF38, 0x991E),
)
_NO_LOG = 2 * _ORDER
_HALF_BLOCK = 32


class _Tables(NamedTuple):
    log: Logs
    exp: Rows
    """Of any sum of two logarithms; zero where one of them is ``_NO_LOG``."""
    skew: Logs
    """Logarithms of the twiddle factors: each at the place in the transform where it is used."""
    log_walsh: Logs
    """The Walsh transform of the logarithms."""


def encode(originals: Sequence[bytes], recovery_count: int) -> list[bytes]:
    """The recovery chunks of these originals, at least as many. All are of one length, a multiple
    of 64 bytes."""
    size = _group(len(originals))
    rows = _rows(dict(enumerate(originals)), size)
    if recovery_count <= size:
        _inverse_transform(rows, size)
        _transform(rows, 0)
        return _bytes_of(rows[:recovery_count])
    _inverse_transform(rows, 0)
    recovery: list[bytes] = []
    for start in range(0, recovery_count, size):
        part = rows.copy()
        _transform(part, start + size)
        recovery += _bytes_of(part[: recovery_count - start])
    return recovery


def decode(
    original_count: int,
    recovery_count: int,
    originals: Mapping[int, bytes],
    recovery: Mapping[int, bytes],
) -> dict[int, bytes]:
    """The originals that lack, from those that are there and as many recovery chunks."""
    size = _group(original_count)
    recovery_is_first = recovery_count <= size
    first_original, first_recovery = (size, 0) if recovery_is_first else (0, size)
    known = {first_original + index: chunk for index, chunk in originals.items()}
    known |= {first_recovery + index: chunk for index, chunk in recovery.items()}
    end = size + (original_count if recovery_is_first else recovery_count)

    erased = np.ones(_ORDER, np.int64)
    erased[list(known)] = 0
    # Those behind the originals are zero.
    filling = slice(end, None) if recovery_is_first else slice(original_count, size)
    erased[filling] = 0
    locator = _evaluated_locator(erased)

    rows = _rows(known, 1 << (end - 1).bit_length())
    _scale(rows, locator)
    _inverse_transform(rows, 0)
    _derive(rows)
    _transform(rows, 0)
    lacking = [index for index in range(original_count) if index not in originals]
    places = [first_original + index for index in lacking]
    found = rows[places]
    _scale(found, _MODULUS - locator[places])
    return dict(zip(lacking, _bytes_of(found), strict=True))


def _group(original_count: int) -> int:
    """How many rows are transformed together. If the recovery chunks fit into one such group, they
    stand before the originals, else behind them; the codes differ (reed-solomon-simd: high and low
    rate)."""
    return 1 << (original_count - 1).bit_length()


def _rows(chunks: Mapping[int, bytes], count: int) -> Rows:
    """So many rows with these chunks at their places, zeros elsewhere."""
    length = len(next(iter(chunks.values())))
    blocks = np.zeros((count, length // (2 * _HALF_BLOCK), 2, _HALF_BLOCK), np.uint8)
    for place, chunk in chunks.items():
        blocks[place] = np.frombuffer(chunk, np.uint8).reshape(blocks.shape[1:])
    rows: Rows = blocks[:, :, 1].astype(np.uint16) << np.uint16(8)
    rows |= blocks[:, :, 0]
    return rows.reshape(count, length // 2)


def _bytes_of(rows: Rows) -> list[bytes]:
    elements = rows.reshape(len(rows), rows.shape[1] // _HALF_BLOCK, _HALF_BLOCK)
    blocks = np.stack((elements & 0xFF, elements >> 8), axis=2).astype(np.uint8)
    return [block.tobytes() for block in blocks]


def _inverse_transform(rows: Rows, offset: int) -> None:
    """From values at the points ``offset`` and following to coefficients, in place."""
    distance = 1
    while distance < len(rows):
        upper, lower, factors = _butterflies(rows, distance, offset)
        lower ^= upper
        upper ^= _product(lower, factors)
        distance *= 2


def _transform(rows: Rows, offset: int) -> None:
    """From coefficients to values at the points ``offset`` and following, in place."""
    distance = len(rows) // 2
    while distance:
        upper, lower, factors = _butterflies(rows, distance, offset)
        upper ^= _product(lower, factors)
        lower ^= upper
        distance //= 2


def _butterflies(rows: Rows, distance: int, offset: int) -> tuple[Rows, Rows, Logs]:
    """One layer: rows that are so far apart, and the logarithms of their factors."""
    pairs = rows.reshape(-1, 2, distance, rows.shape[1])
    places = np.arange(len(pairs)) * 2 * distance + distance + offset - 1
    return pairs[:, 0], pairs[:, 1], _tables().skew[places][:, None, None]


def _derive(rows: Rows) -> None:
    """The formal derivative of the polynomial with these coefficients, in place."""
    for index in range(1, len(rows)):
        width = index & -index
        rows[index - width : index] ^= rows[index : index + width]


def _scale(rows: Rows, logs: Logs) -> None:
    rows[:] = _product(rows, logs[: len(rows), None])


def _product(elements: Rows, logs: Logs) -> Any:
    tables = _tables()
    return tables.exp[tables.log[elements] + logs]


def _evaluated_locator(erased: Logs) -> Logs:
    """Logarithms of the values, at each point, of the polynomial that vanishes at the erased
    ones."""
    spectrum = _walsh(erased) * _tables().log_walsh % _MODULUS
    return _walsh(spectrum)


def _walsh(values: Logs) -> Logs:
    """The Walsh transform modulo the group's order."""
    for bit in range(_BITS):
        one, other = values.reshape(-1, 2, 1 << bit).swapaxes(0, 1)
        values = np.stack((one + other, one - other), axis=1) % _MODULUS
    return values.reshape(-1)


@cache
def _tables() -> _Tables:
    log, exp = _logarithms()
    skew = _skew(log, exp)
    return _Tables(log, exp, skew, _walsh(np.where(log == _NO_LOG, 0, log)))


def _logarithms() -> tuple[Logs, Rows]:
    powers, state = np.zeros(_ORDER, np.int64), 1
    for power in range(_MODULUS):
        powers[state] = power
        state <<= 1
        if state >= _ORDER:
            state ^= _POLYNOMIAL
    in_basis = np.zeros(_ORDER, np.int64)
    for bit, element in enumerate(_CANTOR_BASIS):
        in_basis[1 << bit : 2 << bit] = in_basis[: 1 << bit] ^ element
    log = powers[in_basis]
    exp = np.zeros(2 * _NO_LOG + 1, np.uint16)
    exp[log[1:]] = np.arange(1, _ORDER)
    exp[_MODULUS : 2 * _MODULUS + 1] = exp[np.arange(_MODULUS + 1) % _MODULUS]
    log[0] = _NO_LOG
    return log, exp


def _skew(log: Logs, exp: Rows) -> Logs:
    """The twiddle factors, by the subspace polynomials' values, level by level."""

    def product(one: int, log_other: int) -> int:
        return int(exp[log[one] + log_other])

    skew = np.zeros(_MODULUS, np.int64)
    values = [1 << bit for bit in range(1, _BITS)]
    for level in range(_BITS - 1):
        first, step = (1 << level) - 1, 2 << level
        skew[first] = 0
        for bit in range(level, _BITS - 1):
            half = 2 << bit
            skew[first + half : 2 * half : step] = skew[first:half:step] ^ values[bit]
        norm = _MODULUS - int(log[product(values[level], log[values[level] ^ 1])])
        for bit in range(level + 1, _BITS - 1):
            values[bit] = product(values[bit], (int(log[values[bit] ^ 1]) + norm) % _MODULUS)
    return log[skew]
