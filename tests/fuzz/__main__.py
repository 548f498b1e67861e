"""``python -m tests.fuzz [--inputs N] [--seed S]``: N inputs in all, spread over the targets. Fails
when one raises what it should not, and prints that input; or when one takes none at all.
"""

from __future__ import annotations

import argparse
import time
from random import Random

from tests.fuzz.target import Target
from tests.fuzz.targets import targets


def try_once(target: Target, data: bytes) -> bool:
    """Whether the target takes the input.

    :raises AssertionError: with the input, when an error escapes.
    """
    try:
        target.run(data)
    except target.expected:
        return False
    except BaseException as error:
        raise AssertionError(f"{target.name}: {error!r} of {data.hex()}") from error
    return True


def attack(target: Target, seed: int, inputs: int) -> tuple[int, float]:
    """How many inputs were taken as right, and the most CPU seconds that one needed.

    :raises AssertionError: with the input, when an error escapes; when no input is taken, for then
        nothing behind the first check was tried.
    """
    random = Random(f"{seed} {target.name}")
    taken, slowest = 0, 0.0
    for _ in range(inputs):
        data = target.draw(random)
        begun = time.thread_time()
        taken += try_once(target, data)
        slowest = max(slowest, time.thread_time() - begun)
    if not taken:
        raise AssertionError(f"{target.name}: of {inputs} inputs, none is taken")
    return taken, slowest


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    all_targets = list(targets())
    each = -(-options.inputs // len(all_targets))
    for target in all_targets:
        taken, slowest = attack(target, options.seed, each)
        print(
            f"{each:8} inputs, {taken:8} taken, {slowest * 1000:7.1f} ms at most  {target.name}",
            flush=True,
        )
    print(f"{each * len(all_targets)} inputs to {len(all_targets)} decoders, nothing escaped")


if __name__ == "__main__":
    main()
