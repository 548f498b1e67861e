"""How much root, proofs and checks add to the Reed-Solomon wheel's own work (D28): 5 MiB for
1,000 validators.

Run: ``python -m bench.bench_erasure``. Hashing all chunks is measured by itself as well, for it is
most of what is added. And how long the plain form takes, where there is no wheel.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from hashlib import blake2b
from statistics import median

import reed_solomon_leopard as leopard

from bench.figures import figure, in_turns, median_ratio
from parahost import erasure
from parahost.erasure import plain

DATA_BYTES = 5 << 20
VALIDATORS = 1000
ROUNDS = 25
PLAIN_ROUNDS = 3

BARE_ENCODE = "the wheel alone: encode"
HASHES = "BLAKE2b of all chunks, one thread, nothing else"
ENCODE = "encode, root and proofs"
BARE_DECODE = "the wheel alone: decode from a random third"
PLAIN_ENCODE = "the plain form alone: encode"
PLAIN_DECODE = "the plain form alone: decode from a random third"
RECOVER = "recover and check the root"


def main() -> None:
    chance = random.Random(0)
    data = chance.randbytes(DATA_BYTES)
    k = erasure.threshold(VALIDATORS)
    chunks = erasure.encode(data, VALIDATORS)
    root = erasure.erasure_root(chunks)
    present = {i: chunks[i] for i in chance.sample(range(VALIDATORS), k)}
    originals = {i: chunk for i, chunk in present.items() if i < k}
    recovery = {i - k: chunk for i, chunk in present.items() if i >= k}

    work: dict[str, Callable[[], object]] = {
        BARE_ENCODE: lambda: leopard.encode(chunks[:k], VALIDATORS - k),
        HASHES: lambda: [blake2b(chunk).digest() for chunk in chunks],
        ENCODE: lambda: erasure.root_and_proofs(erasure.encode(data, VALIDATORS)),
        BARE_DECODE: lambda: leopard.decode(k, VALIDATORS - k, originals, recovery),
        RECOVER: lambda: erasure.recover(present, VALIDATORS, root),
    }
    taken = in_turns(work, ROUNDS)
    for name, times in taken.items():
        figure(name, median(times) * 1e3, "ms")
        figure("  the fastest", min(times) * 1e3, "ms")
    for name, base, target in ((ENCODE, BARE_ENCODE, "2 x"), (RECOVER, BARE_DECODE, "3 x")):
        figure(f"{name}, by the wheel alone", median_ratio(taken, name, base), "x", target)
        figure("  the fastest by the fastest", min(taken[name]) / min(taken[base]), "x", target)
    plain_work: dict[str, Callable[[], object]] = {
        BARE_ENCODE: work[BARE_ENCODE],
        PLAIN_ENCODE: lambda: plain.encode(chunks[:k], VALIDATORS - k),
        BARE_DECODE: work[BARE_DECODE],
        PLAIN_DECODE: lambda: plain.decode(k, VALIDATORS - k, originals, recovery),
    }
    taken = in_turns(plain_work, PLAIN_ROUNDS)
    for name, base in ((PLAIN_ENCODE, BARE_ENCODE), (PLAIN_DECODE, BARE_DECODE)):
        figure(name, median(taken[name]) * 1e3, "ms")
        figure(f"{name}, by the wheel", median_ratio(taken, name, base), "x")


if __name__ == "__main__":
    main()
