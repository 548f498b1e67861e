"""Storage items: their keys, which are Substrate's, and what each operation does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.crypto.hashing import blake2_128, twox_64
from parahost.primitives import scale
from parahost.primitives.basic import (
    H256,
    U16,
    U32,
    BlockNumber,
    Hash,
    HeadData,
    ParaId,
    ValidationCode,
)
from parahost.runtime.module import Module
from parahost.runtime.pallets import Pallet
from parahost.runtime.storage import (
    Hasher,
    Overlay,
    Reader,
    State,
    StorageDoubleMap,
    StorageMap,
    StorageValue,
)


@dataclass(frozen=True, slots=True)
class Point:
    x: U16
    y: U16


class Paras(Module, pallet=Pallet(56, "Paras")):
    parachains = StorageValue("Parachains", tuple[ParaId, ...], default=())
    corner = StorageValue("Corner", Point)
    heads = StorageMap("Heads", ParaId, HeadData)
    retries = StorageMap("Retries", H256, U32, hasher=Hasher.BLAKE2_128_CONCAT, default=U32(0))
    by_hash = StorageMap("ByHash", Hash, tuple[Point, ...], hasher=Hasher.IDENTITY)
    past_code = StorageDoubleMap("PastCode", ParaId, BlockNumber, ValidationCode)
    counts = StorageDoubleMap(
        "Counts",
        ParaId,
        H256,
        U32,
        hashers=(Hasher.TWOX_64_CONCAT, Hasher.IDENTITY),
        default=U32(0),
    )


PARAS = Paras()


def para(number: int) -> ParaId:
    return ParaId(U32(number))


def number(height: int) -> BlockNumber:
    return BlockNumber(U32(height))


def head(text: bytes) -> HeadData:
    return HeadData(text)


def empty() -> Overlay:
    return Overlay(State.from_raw({}))


def test_keys_are_those_of_polkadot() -> None:
    # Known from the relay chain: the key under which a parachain's head stands.
    prefix = "cd710b30bd2eab0352ddcc26417aa1941b3c252fcb29d88eff4f3de5de4476c3"
    assert Paras.heads.prefix.hex() == prefix
    assert Paras.heads.storage_key(para(1000)).hex() == prefix + "b6ff6f7d467b87a9e8030000"


def test_map_keys_end_in_the_encoded_key() -> None:
    key = H256(bytes(range(32)))
    assert Paras.retries.storage_key(key) == Paras.retries.prefix + blake2_128(key) + key
    assert Paras.by_hash.storage_key(Hash(key)) == Paras.by_hash.prefix + key
    first, second = scale.encode(para(7), ParaId), scale.encode(number(9), BlockNumber)
    assert Paras.past_code.storage_key((para(7), number(9))) == (
        Paras.past_code.prefix + twox_64(first) + first + twox_64(second) + second
    )


def test_values() -> None:
    store = empty()
    assert PARAS.parachains.get(store) == ()
    assert PARAS.corner.get(store) is None
    PARAS.parachains.put(store, (para(1),))
    assert PARAS.parachains.mutate(store, lambda ids: (*ids, para(2))) == (1, 2)
    assert PARAS.parachains.get(store) == (1, 2)
    assert PARAS.parachains.exists(store)
    assert PARAS.parachains.take(store) == (1, 2)
    assert not PARAS.parachains.exists(store)
    assert PARAS.parachains.get(store) == ()

    PARAS.corner.put(store, Point(U16(1), U16(2)))
    PARAS.corner.mutate(store, lambda point: point and replace(point, y=U16(5)))
    assert PARAS.corner.get(store) == Point(U16(1), U16(5))
    PARAS.corner.mutate(store, lambda point: None)
    assert PARAS.corner.get(store) is None
    PARAS.parachains.put(store, ())
    PARAS.parachains.kill(store)
    assert store.changes() == {}


def test_a_stored_default_is_stored() -> None:
    store = empty()
    PARAS.parachains.put(store, ())
    assert PARAS.parachains.exists(store)
    assert store.changes() == {Paras.parachains.prefix: b"\x00"}


def test_maps() -> None:
    store = empty()
    for index in range(5):
        PARAS.heads.put(store, para(index), head(b"head %d" % index))
    assert PARAS.heads.contains(store, para(3))
    assert PARAS.heads.take(store, para(3)) == b"head 3"
    assert PARAS.heads.get(store, para(3)) is None
    PARAS.heads.mutate(store, para(4), lambda old: None)
    PARAS.heads.remove(store, para(0))
    state = store.commit()
    assert dict(PARAS.heads.iterate(state)) == {1: b"head 1", 2: b"head 2"}
    assert set(PARAS.heads.keys(state)) == {1, 2}
    assert set(PARAS.heads.values(state)) == {b"head 1", b"head 2"}

    key = H256(bytes(32))
    assert PARAS.retries.get(store, key) == 0
    assert PARAS.retries.mutate(store, key, lambda count: U32(count + 1)) == 1
    assert PARAS.retries.get(store, key) == 1
    PARAS.heads.remove_all(store)
    assert list(PARAS.heads.iterate(store)) == []
    assert PARAS.retries.contains(store, key), "only the map itself was emptied"


@given(st.dictionaries(st.integers(0, 2**32 - 1), st.binary(max_size=5)), st.booleans())
def test_iteration_is_in_storage_key_order(entries: dict[int, bytes], committed: bool) -> None:
    store = empty()
    for index, text in entries.items():
        PARAS.heads.put(store, para(index), head(text))
    view = store.commit() if committed else store
    found = list(PARAS.heads.iterate(view))
    assert dict(found) == entries
    raw_keys = [PARAS.heads.storage_key(key) for key, _ in found]
    assert raw_keys == sorted(raw_keys)


def test_entries_may_be_changed_while_iterating() -> None:
    store = empty()
    for index in range(20):
        PARAS.heads.put(store, para(index), head(b"old"))
    for index, _ in PARAS.heads.iterate(store):
        PARAS.heads.remove(store, index)
        PARAS.heads.put(store, para(index + 100), head(b"new"))
    assert dict(PARAS.heads.iterate(store)) == {para(i): b"new" for i in range(100, 120)}


def test_double_maps() -> None:
    store = empty()
    for index in range(3):
        for height in range(4):
            code = ValidationCode(b"%d at %d" % (index, height))
            PARAS.past_code.put(store, (para(index), number(height)), code)
    assert PARAS.past_code.get(store, (para(1), number(2))) == b"1 at 2"
    assert dict(PARAS.past_code.iterate_first(store, para(2))) == {
        height: b"2 at %d" % height for height in range(4)
    }
    PARAS.past_code.remove_first(store, para(2))
    assert {pair[0] for pair, _ in PARAS.past_code.iterate(store)} == {0, 1}
    assert len(list(PARAS.past_code.keys(store))) == 8

    PARAS.counts.put(store, (para(5), H256(bytes(32))), U32(9))
    assert list(PARAS.counts.iterate(store)) == [((5, bytes(32)), 9)]
    assert PARAS.counts.get(store, (para(6), H256(bytes(32)))) == 0


def counting(monkeypatch: pytest.MonkeyPatch, name: str) -> list[Any]:
    """Record the calls of one direction of the codec."""
    calls: list[Any] = []
    real: Callable[..., Any] = getattr(scale, name)

    def counted(*args: Any) -> Any:
        calls.append(args)
        return real(*args)

    monkeypatch.setattr(scale, name, counted)
    return calls


def test_a_value_is_decoded_once_for_all_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = counting(monkeypatch, "decode")
    state = State.from_raw({Paras.corner.prefix: bytes.fromhex("01000200")})
    forks = []
    for index in range(3):
        store = Overlay(state)
        PARAS.heads.put(store, para(index), head(b""))
        forks.append(store.commit())
    views: tuple[Reader, ...] = (*forks, state, Overlay(forks[1]))
    points = [PARAS.corner.get(view) for view in views]
    assert points == [Point(U16(1), U16(2))] * 5
    assert all(point is points[0] for point in points)
    assert len(decoded) == 1


def test_a_value_is_encoded_once_when_the_block_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    store = empty()
    encoded = counting(monkeypatch, "encode")
    for index in range(10):
        PARAS.corner.put(store, Point(U16(index), U16(0)))
    assert encoded == []
    delta = store.changes()
    state = store.commit()
    assert len(encoded) == 1
    assert delta == {Paras.corner.prefix: bytes.fromhex("09000000")}
    assert PARAS.corner.get(state) == Point(U16(9), U16(0))


def test_a_value_of_another_type_is_named_when_the_block_ends() -> None:
    store = empty()
    PARAS.corner.put(store, b"no point")  # type: ignore[arg-type]
    with pytest.raises(scale.ScaleEncodeError) as raised:
        store.commit()
    assert raised.value.__notes__ == ["a value of Paras.Corner"]


def test_damaged_state_is_named_when_it_is_read() -> None:
    state = State.from_raw({Paras.corner.prefix: b"\x01"})
    with pytest.raises(scale.ScaleDecodeError) as raised:
        PARAS.corner.get(state)
    assert raised.value.__notes__ == ["the state under Paras.Corner"]


def test_two_items_of_other_types_can_read_one_place() -> None:
    class Other(Module, pallet=Pallet(56, "Paras")):
        corner = StorageValue("Corner", U32, default=U32(0))

    store = empty()
    PARAS.corner.put(store, Point(U16(1), U16(2)))
    assert Other.corner.get(store) == 0x0002_0001
    assert PARAS.corner.get(store) == Point(U16(1), U16(2))


def test_declarations_are_listed_in_order() -> None:
    assert [str(item) for item in Paras.storage_items] == [
        "Paras.Parachains",
        "Paras.Corner",
        "Paras.Heads",
        "Paras.Retries",
        "Paras.ByHash",
        "Paras.PastCode",
        "Paras.Counts",
    ]
    assert [item.is_optional for item in Paras.storage_items[:4]] == [False, True, True, False]
    assert Paras.counts.keys_and_hashers == (
        (ParaId, Hasher.TWOX_64_CONCAT),
        (H256, Hasher.IDENTITY),
    )
    assert Paras.counts.value_type is U32
    assert Paras.counts.default == 0
    assert Paras.pallet == Pallet(56, "Paras")


def test_mistaken_declarations_are_refused() -> None:
    with pytest.raises(TypeError, match="two storage items of one name"):

        class Twice(Module, pallet=Pallet(0, "System")):
            one = StorageValue("Same", U32)
            two = StorageValue("Same", U16)

    with pytest.raises(TypeError, match="cannot be declared again"):

        class Borrowed(Module, pallet=Pallet(0, "System")):
            heads = Paras.heads
