"""What executing a relay chain block costs: 10 validators, 2 parachains, both with a candidate in
each block, all validators voting. Verdicts on signatures are remembered: they are not counted.

Run: ``python -m bench.bench_block [--profile]``. The median over the blocks, of the best of three
runs each.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
from dataclasses import replace
from functools import partial
from statistics import median

from tests.runtime import world
from tests.runtime.pipeline import inherent_data
from tests.runtime.world import GENESIS, Chain, validators

from bench.figures import best, figure
from parahost.crypto.remembering import RememberingVerifier
from parahost.crypto.verifier import DirectVerifier
from parahost.primitives.header import Block
from parahost.runtime.executive import Runtime
from parahost.runtime.storage import State

VALIDATORS = tuple(f"Validator{number}" for number in range(10))
BLOCKS = 30


def blocks_with_parents() -> tuple[Runtime, list[tuple[State, Block]]]:
    """A chain's blocks after the second, each with its parent's state."""
    world.NAMES = VALIDATORS
    genesis = replace(
        GENESIS,
        validators=validators(*VALIDATORS),
        paras=GENESIS.paras[:2],
        epoch_length=1000,
    )
    chain = Chain(genesis, Runtime(RememberingVerifier(DirectVerifier())))
    chain.steps(2)
    made = []
    for _ in range(BLOCKS):
        parent = chain.state
        made.append((parent, chain.step(data=inherent_data(chain))))
    return chain.runtime, made[2:]


def main() -> None:
    runtime, made = blocks_with_parents()
    times = [best(partial(runtime.execute_block, parent, block), 3) for parent, block in made]
    figure("execute a block: 10 validators, 2 candidates, no signatures", median(times) * 1e3, "ms")
    if "--profile" in sys.argv:
        profiler = cProfile.Profile()
        profiler.enable()
        for parent, block in made:
            runtime.execute_block(parent, block)
        profiler.disable()
        pstats.Stats(profiler).sort_stats("cumulative").print_stats(45)


if __name__ == "__main__":
    main()
