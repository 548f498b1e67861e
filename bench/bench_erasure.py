"""How much root, proofs and checks add to the Reed-Solomon wheel's own work (D28).

Run ``python bench/bench_erasure.py``. Everything is measured in one run and in turns, so that the
ratios say something on a busy machine too; the median of each is what is printed.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

import reed_solomon_leopard as leopard

from parahost import erasure

DATA_BYTES = 5 << 20
VALIDATORS = 1000
ROUNDS = 15


def main() -> None:
    chance = random.Random(0)
    data = chance.randbytes(DATA_BYTES)
    k = erasure.threshold(VALIDATORS)
    chunks = erasure.encode(data, VALIDATORS)
    root = erasure.erasure_root(chunks)
    present = {i: chunks[i] for i in chance.sample(range(VALIDATORS), k)}
    originals = {i: chunk for i, chunk in present.items() if i < k}
    recovery = {i - k: chunk for i, chunk in present.items() if i >= k}

    bare_encode = "wheel: encode"
    bare_decode = "wheel: decode from a random third"
    work: dict[str, tuple[str, Callable[[], object]]] = {
        bare_encode: (bare_encode, lambda: leopard.encode(chunks[:k], VALIDATORS - k)),
        "encode, root and proofs": (
            bare_encode,
            lambda: erasure.root_and_proofs(erasure.encode(data, VALIDATORS)),
        ),
        bare_decode: (
            bare_decode,
            lambda: leopard.decode(k, VALIDATORS - k, originals, recovery),
        ),
        "recover and check the root": (
            bare_decode,
            lambda: erasure.recover(present, VALIDATORS, root),
        ),
    }
    taken = _measure({name: run for name, (_, run) in work.items()})
    print(f"{DATA_BYTES >> 20} MiB for {VALIDATORS} validators, median of {ROUNDS} rounds")
    for name, (base, _) in work.items():
        print(f"{name:35} {taken[name] * 1e3:7.1f} ms {taken[name] / taken[base]:6.2f} x")


def _measure(work: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each, all of them run in turns."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, run in work.items():
            begin = time.perf_counter()
            run()
            taken[name].append(time.perf_counter() - begin)
    return {name: statistics.median(times) for name, times in taken.items()}


if __name__ == "__main__":
    main()
