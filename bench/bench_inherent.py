"""How much the parachains' inherent costs beside its signatures.

1,000 validators' bitfields over 200 cores, 100 of them pending, and 100 backed candidates of
5 votes. The bare cost is verifying the same signatures and nothing else; both are CPU time,
measured in turns in one run, and the best of each counts. The target is a ratio of at most 1.5.

    python -m bench.bench_inherent
"""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.runtime.parachains.world import World

from parahost.crypto import sr25519
from parahost.runtime.origin import NoOrigin
from parahost.runtime.parachains.inclusion_inherent import Inclusion as InclusionCall

VALIDATORS = 1000
CORES = 200
BACKED = 100
ROUNDS = 5


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


def backed(world: World, numbers: range) -> list:  # type: ignore[type-arg]
    groups = {a.para_id: a.group_idx for a in world.host.scheduler.scheduled(world.child())}
    return [world.back(world.receipt(number), group=groups[number]) for number in numbers]


def seconds(action: Callable[[], object]) -> float:
    start = time.process_time()
    action()
    return time.process_time() - start


def main() -> None:
    world = world_with_pending()
    bitfields = world.all_vote(range(BACKED))
    data = world.data(bitfields, backed(world, range(BACKED, CORES)))

    recorder = Recorder()
    world.verifier.sr25519 = recorder  # type: ignore[assignment]
    inherent, executions, commits, bare = InclusionCall(data), [], [], []
    for _ in range(ROUNDS):
        recorder.checked.clear()
        store = world.child()
        executions.append(
            seconds(lambda s=store: world.host.inclusion_inherent.dispatch(s, NoOrigin(), inherent))  # type: ignore[misc]
        )
        commits.append(seconds(store.commit))
        checked = tuple(recorder.checked)
        bare.append(seconds(lambda c=checked: [sr25519.verify(*one) for one in c]))  # type: ignore[misc]
    print(f"signatures: {len(checked)}, bare verification: {min(bare) * 1000:.0f} ms")
    print(f"inherent: {min(executions) * 1000:.0f} ms, ratio {min(executions) / min(bare):.2f}")
    print(f"state root after it: {min(commits) * 1000:.0f} ms")


if __name__ == "__main__":
    main()
