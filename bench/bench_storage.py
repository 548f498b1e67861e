"""What storage costs: items read and written, and the root after a block.

Run: ``python -m bench.bench_storage``. The best of five runs counts.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.figures import best, figure
from parahost.crypto.hashing import blake2_256
from parahost.primitives.basic import U32, BlockNumber, ValidatorIndex
from parahost.primitives.scale import BitVec
from parahost.runtime.module import Module
from parahost.runtime.pallets import Pallet
from parahost.runtime.storage import Overlay, State, StorageMap, StorageValue

STATE_KEYS = 50_000
CHANGED_KEYS = 60
VALIDATORS = 1_000


class Bench(Module, pallet=Pallet(0, "System")):
    number = StorageValue("Number", BlockNumber, default=BlockNumber(U32(0)))
    bitfields = StorageMap("Bitfields", ValidatorIndex, BitVec)


def measure(what: str, times: int, body: Callable[[], object]) -> None:
    """Run ``body``, which does something ``times`` times."""
    seconds = best(body)
    figure(what, seconds * 1e3, "ms")
    figure("  each", seconds / times * 1e6, "us")


def main() -> None:
    raw: dict[bytes, bytes] = {
        blake2_256(index.to_bytes(4, "little")): bytes(40) for index in range(STATE_KEYS)
    }
    state = State.from_raw(raw)
    assert state.root
    figure(
        f"a state of {STATE_KEYS:,} keys, with its root",
        best(lambda: State.from_raw(raw).root, 1),
        "s",
    )

    validators = [ValidatorIndex(U32(index)) for index in range(VALIDATORS)]
    fields = [BitVec.with_ones(200, (index % 200,)) for index in range(VALIDATORS)]
    bitfields, number = Bench.bitfields, Bench.number

    def write(store: Overlay) -> Overlay:
        for validator, field in zip(validators, fields, strict=True):
            bitfields.put(store, validator, field)
        return store

    def read(store: Overlay | State) -> None:
        for validator in validators:
            bitfields.get(store, validator)

    measure("put 1,000 map entries", VALIDATORS, lambda: write(Overlay(state)))

    def write_in_transaction() -> None:
        store = Overlay(state)
        with store.transaction():
            write(store)

    measure("put 1,000 map entries in a transaction", VALIDATORS, write_in_transaction)
    written = write(Overlay(state))
    measure("get 1,000 map entries from the overlay", VALIDATORS, lambda: read(written))
    child = written.commit()
    assert child.root
    measure("get 1,000 map entries from the state", VALIDATORS, lambda: read(child))
    measure("get 1,000 map entries through an overlay", VALIDATORS, lambda: read(Overlay(child)))
    measure(
        "iterate 1,000 map entries",
        VALIDATORS,
        lambda: sum(1 for _ in bitfields.iterate(Overlay(child))),
    )

    def mutate() -> None:
        store = Overlay(child)
        for _ in range(1_000):
            number.mutate(store, lambda value: BlockNumber(U32(value + 1)))

    measure("mutate a value 1,000 times", 1_000, mutate)
    measure(
        "end of a block: encode, commit and root, 1,000 new entries",
        VALIDATORS,
        lambda: write(Overlay(state)).commit().root,
    )

    changes: dict[bytes, bytes | None] = {
        key: bytes(41) for key in list(raw)[:: STATE_KEYS // CHANGED_KEYS][:CHANGED_KEYS]
    }
    assert len(changes) == CHANGED_KEYS
    measure(
        f"apply {CHANGED_KEYS} changes to {STATE_KEYS} keys and take the root",
        CHANGED_KEYS,
        lambda: state.apply(changes).root,
    )
    measure(f"prove {CHANGED_KEYS} keys", CHANGED_KEYS, lambda: state.prove(changes))


if __name__ == "__main__":
    main()
