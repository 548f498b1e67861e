"""How much the parachains' inherent costs beside its signatures.

1,000 validators' bitfields over 200 cores, 100 of them pending, and 100 backed candidates of
5 votes. The bare cost is verifying the same signatures and nothing else; both are CPU time,
measured in turns.

Run: ``python -m bench.bench_inherent``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from tests.runtime.parachains.world import World

from bench.figures import figure, in_turns, median_ratio
from parahost.crypto import sr25519
from parahost.primitives.basic import U32, ParaId
from parahost.primitives.statements import BackedCandidate
from parahost.runtime.origin import NoOrigin
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.storage import Overlay

VALIDATORS = 1000
CORES = 200
BACKED = 100
ROUNDS = 7

BARE = "the same signatures verified, nothing else"
INHERENT = "the inherent: 1,000 bitfields, 100 candidates of 5 votes"
COMMIT = "state root after it"


class Recorder:
    """Real sr25519 checks, noted down while they are made; no verdict is remembered."""

    def __init__(self) -> None:
        self.checked: list[tuple[bytes, bytes, bytes]] = []

    def __call__(self, public: bytes, message: bytes, signature: bytes) -> bool:
        self.checked.append((public, message, signature))
        return sr25519.verify(public, message, signature)


def world_with_pending() -> World:
    """Cores 0 to 99 are occupied, 100 to 199 are free."""
    world = World(validators=VALIDATORS, parachains=range(CORES), parachain_rotation_frequency=0)
    world.add_block(world.data(candidates=backed(world, range(BACKED))))
    return world


def backed(world: World, numbers: range) -> list[BackedCandidate]:
    groups = {a.para_id: a.group_idx for a in world.host.scheduler.scheduled(world.child())}
    return [
        world.back(world.receipt(number), group=groups[ParaId(U32(number))]) for number in numbers
    ]


def main() -> None:
    world = world_with_pending()
    bitfields = world.all_vote(range(BACKED))
    inherent = InclusionCall(world.data(bitfields, backed(world, range(BACKED, CORES))))
    recorder = Recorder()
    world.verifier.sr25519 = recorder  # type: ignore[method-assign]
    stores: list[Overlay] = []

    def execute() -> None:
        stores.append(world.child())
        world.host.inclusion_inherent.dispatch(stores[-1], NoOrigin(), inherent)

    execute()
    checked = tuple(recorder.checked)
    work: dict[str, Callable[[], object]] = {
        BARE: lambda: [sr25519.verify(*one) for one in checked],
        INHERENT: execute,
        COMMIT: lambda: stores.pop().commit(),
    }
    taken = in_turns(work, ROUNDS, time.process_time)
    figure("signatures in it", len(checked), "")
    for name, times in taken.items():
        figure(name, median(times) * 1e3, "ms")
    figure("the inherent by its signatures", median_ratio(taken, INHERENT, BARE), "x", "1.5 x")


if __name__ == "__main__":
    main()
