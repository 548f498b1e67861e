"""``python -m tests.hostile --genesis HASH --node ADDRESS --seconds 15 ATTACK...``

Carries out attacks of the repertoire at once against nodes that are yours, for so long: a first
line says that they begin, a second one as JSON how each fared. At a low priority: an attacker's
processor is not the chain's.
"""

from __future__ import annotations

import argparse
import json
import os

import trio

from parahost.primitives.addresses import parse_address
from parahost.primitives.basic import H256
from tests.hostile.peer import Tally, Target
from tests.hostile.repertoire import ATTACKS

BEGINS = "the attack begins"
_LOW_PRIORITY = 19


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--genesis", required=True)
    parser.add_argument("--node", action="append", required=True)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("attack", nargs="+", choices=ATTACKS)
    options = parser.parse_args()
    os.nice(_LOW_PRIORITY)
    nodes = tuple(map(parse_address, options.node))
    target = Target(H256(bytes.fromhex(options.genesis.removeprefix("0x"))), nodes)
    print(BEGINS, flush=True)
    tallies = trio.run(attack, target, options.attack, options.seconds)
    print(json.dumps({name: vars(tally) for name, tally in tallies.items()}))


async def attack(target: Target, names: list[str], seconds: float) -> dict[str, Tally]:
    tallies = {name: Tally() for name in names}
    with trio.move_on_after(seconds):
        async with trio.open_nursery() as nursery:
            for name, tally in tallies.items():
                nursery.start_soon(ATTACKS[name], target, tally)
    return tallies


if __name__ == "__main__":
    main()
