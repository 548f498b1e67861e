"""Hashes that are remembered on the value are those of its bytes, and no part of it."""

from __future__ import annotations

import pickle
from dataclasses import replace

from parahost.primitives.basic import H256, U32, BlockNumber, Hash
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Header
from parahost.primitives.scale import encode

HEADER = Header(Hash(H256(bytes(32))), BlockNumber(U32(7)), H256(b"s" * 32), H256(b"x" * 32))


def test_a_header_is_named_by_its_bytes() -> None:
    header = replace(HEADER)
    assert header.hash() == header.hash() == blake2_256(encode(HEADER))


def test_a_changed_copy_has_a_hash_of_its_own() -> None:
    header = replace(HEADER)
    before = header.hash()
    changed = replace(header, number=BlockNumber(U32(8)))
    assert changed.hash() == blake2_256(encode(changed)) != before


def test_having_been_hashed_makes_no_difference() -> None:
    hashed, fresh = replace(HEADER), replace(HEADER)
    hashed.hash()
    assert hashed == fresh and hash(hashed) == hash(fresh)
    assert encode(hashed) == encode(fresh) and repr(hashed) == repr(fresh)
    assert pickle.loads(pickle.dumps(hashed)).hash() == fresh.hash()
