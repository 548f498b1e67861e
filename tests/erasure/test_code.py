import json
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost import erasure
from parahost.erasure import code, plain
from parahost.erasure.hashing import hash_all, node_hash
from parahost.primitives.basic import H256
from parahost.primitives.candidates import PoV
from parahost.primitives.scale import encode

CASES = json.loads((Path(__file__).parents[1] / "vectors/erasure_rfc139.json").read_text())["cases"]


leopard: Any = vars(code)["leopard"]
"""The wheel, or where there is none, what stands for it."""


@pytest.fixture(params=["in use", "plain"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either form of the code."""
    if request.param == "plain":
        monkeypatch.setattr(code, "leopard", plain)


def case_name(case: dict[str, str]) -> str:
    return f"{case['name']}-{case['n_chunks']}"


@pytest.mark.guide("A92")
@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_polkadots_own_vectors(case: dict[str, Any]) -> None:
    data, n = bytes.fromhex(case["data_hex"]), case["n_chunks"]
    assert erasure.threshold(n) == case["k"]
    assert erasure.chunk_length(len(data), n) == case["chunk_len"]
    chunks = erasure.encode(data, n)
    assert [chunk.hex() for chunk in chunks] == case["chunks"]
    root, proofs = erasure.root_and_proofs(chunks)
    assert root.hex() == case["erasure_root"]
    assert root == erasure.erasure_root(chunks)
    scale = [encode(proof, tuple[H256, ...]).hex() for proof in proofs]
    assert scale == case["proofs_scale"]


sizes = st.integers(1, 30) | st.sampled_from([63, 64, 65, 100, 128, 334, 1000, 1023, 1024])


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=3000), sizes, st.randoms(use_true_random=False))
def test_any_third_brings_the_data_back(data: bytes, n: int, chance: random.Random) -> None:
    chunks = erasure.encode(data, n)
    k = erasure.threshold(n)
    assert k == (n - 1) // 3 + 1
    assert len(chunks) == n
    assert {len(chunk) for chunk in chunks} == {erasure.chunk_length(len(data), n)}
    kept = chance.sample(range(n), chance.randint(k, n))
    by_index = {index: chunks[index] for index in kept}
    in_places = [by_index.get(index) for index in range(n)]
    padded = erasure.reconstruct(by_index, n)
    assert padded == erasure.reconstruct(in_places, n)
    assert padded == data.ljust(len(padded), b"\x00")
    assert erasure.recover(by_index, n, erasure.erasure_root(chunks)) == padded
    assert erasure.strip_padding(padded, len(data), n) == data
    too_few = dict(list(by_index.items())[: k - 1])
    with pytest.raises(erasure.NotEnoughChunks) as refused:
        erasure.reconstruct(too_few, n)
    assert (refused.value.received, refused.value.needed) == (k - 1, k)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 300), st.integers(1, 3), st.randoms(use_true_random=False))
def test_the_plain_form_gives_the_wheels_bytes(n: int, blocks: int, chance: random.Random) -> None:
    wheel = pytest.importorskip("reed_solomon_leopard")
    k = erasure.threshold(n)
    originals = [chance.randbytes(64 * blocks) for _ in range(k)]
    recovery = plain.encode(originals, n - k)
    assert recovery == list(wheel.encode(originals, n - k))
    all_chunks = originals + recovery
    kept = sorted(chance.sample(range(n), k))
    of_originals = {index: all_chunks[index] for index in kept if index < k}
    of_recovery = {index - k: all_chunks[index] for index in kept if index >= k}
    lacking = {index: originals[index] for index in range(k) if index not in of_originals}
    assert plain.decode(k, n - k, of_originals, of_recovery) == lacking


@pytest.mark.parametrize("n", [1000, 1023, 1024, 3073, erasure.MAX_CHUNKS])
def test_the_plain_form_gives_the_wheels_bytes_to_many_validators(n: int) -> None:
    wheel = pytest.importorskip("reed_solomon_leopard")
    chance, k = random.Random(n), erasure.threshold(n)
    originals = [chance.randbytes(64) for _ in range(k)]
    recovery = plain.encode(originals, n - k)
    assert recovery == list(wheel.encode(originals, n - k))
    of_recovery = {index: recovery[index] for index in chance.sample(range(n - k), k)}
    assert plain.decode(k, n - k, {}, of_recovery) == dict(enumerate(originals))


@pytest.mark.parametrize("n", [2, 3, 4, 7, 100, 256, 257, 1000])
@pytest.mark.parametrize("pieces", [1, 2, 5])
def test_pieces_are_the_whole(n: int, pieces: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held against what the wheel makes of whole chunks, whose length is no multiple of a piece's
    where there are several."""
    width, chance = 128, random.Random(n)
    length = pieces * width - 64 if pieces > 1 else width
    k = erasure.threshold(n)
    data = chance.randbytes(k * length - 5)
    originals = [
        data[at : at + length].ljust(length, b"\x00") for at in range(0, len(data), length)
    ]
    whole = originals + list(leopard.encode(originals, n - k))
    asked: list[int] = []

    def watched(given: list[bytes], count: int) -> list[bytes]:
        asked.append(max(map(len, given)))
        return list(leopard.encode(given, count))

    monkeypatch.setattr(code, "_PIECE_BYTES", n * width)
    monkeypatch.setattr(code, "leopard", SimpleNamespace(encode=watched, decode=leopard.decode))
    assert code._encoded(data, n) == whole
    assert len(asked) == pieces and max(asked) <= width
    kept = chance.sample(range(n), k)
    assert erasure.reconstruct({index: whole[index] for index in kept}, n) == b"".join(originals)


@pytest.mark.guide("A90")
@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=1, max_size=500), sizes, st.randoms(use_true_random=False))
def test_a_proof_is_for_one_chunk_at_one_place(data: bytes, n: int, chance: random.Random) -> None:
    chunks = [chunk[:-1] + bytes((i % 256,)) for i, chunk in enumerate(erasure.encode(data, n))]
    root, proofs = erasure.root_and_proofs(chunks)
    index = chance.randrange(n)
    chunk, proof = chunks[index], proofs[index]
    assert erasure.verify_chunk(root, index, chunk, proof, n)
    assert not erasure.verify_chunk(root, index, chunk + b"\x00", proof, n)
    assert not erasure.verify_chunk(node_hash(root), index, chunk, proof, n)
    assert not erasure.verify_chunk(root, index, chunk, (*proof, bytes(32)), n)
    for elsewhere in (-1, n, index + (1 << len(proof)), index ^ 1 if n > 1 else 1):
        assert not erasure.verify_chunk(root, elsewhere, chunk, proof, n)
    if proof:
        assert not erasure.verify_chunk(root, index, chunk, proof[:-1], n)
        level = chance.randrange(len(proof))
        bent = (*proof[:level], node_hash(proof[level]), *proof[level + 1 :])
        assert not erasure.verify_chunk(root, index, chunk, bent, n)


def test_who_encoded_other_data_is_found_out() -> None:
    """Chunks with good proofs, of which different thirds give different data."""
    n = 10
    honest, other = erasure.encode(b"a" * 900, n), erasure.encode(b"b" * 900, n)
    mixed = honest[:5] + other[5:]
    root, proofs = erasure.root_and_proofs(mixed)
    assert all(erasure.verify_chunk(root, i, mixed[i], proofs[i], n) for i in range(n))
    for kept in (range(4), range(6, 10), range(3, 7)):
        with pytest.raises(erasure.WrongRoot) as refused:
            erasure.recover({i: mixed[i] for i in kept}, n, root)
        assert refused.value.expected == root
        assert refused.value.actual != root


def test_impossible_chunks_are_named() -> None:
    chunks = dict(enumerate(erasure.encode(b"data" * 100, 6)))
    length = len(chunks[0])
    for index, chunk in {6: chunks[0], -1: chunks[0], 3: b"", 4: bytes(length + 64)}.items():
        with pytest.raises(erasure.BadChunk) as refused:
            erasure.reconstruct(chunks | {index: chunk}, 6)
        assert refused.value.index == index
    with pytest.raises(erasure.BadChunk, match="multiple of 64"):
        erasure.reconstruct({0: bytes(63), 1: bytes(63)}, 6)
    with pytest.raises(erasure.BadChunk):
        erasure.reconstruct([*chunks.values(), chunks[0]], 6)


@pytest.mark.guide("A92")
def test_a_value_comes_back_only_from_its_own_encoding() -> None:
    value, n = PoV(b"block" * 100), 7
    data = encode(value)

    def recovered(encoded: bytes) -> PoV:
        chunks = erasure.encode(encoded, n)
        kept = {index: chunks[index] for index in (1, 5, 6)}
        return erasure.recover_value(PoV, kept, n, erasure.erasure_root(chunks))

    assert recovered(data) == value
    with pytest.raises(erasure.BadPadding, match="not zero"):
        recovered(data + b"\x01")
    with pytest.raises(erasure.BadPadding, match="length"):
        recovered(data + bytes(64 * 3))


@pytest.mark.parametrize("n", [-1, 0, erasure.MAX_CHUNKS + 1])
def test_numbers_of_validators_that_there_is_no_code_for(n: int) -> None:
    with pytest.raises(ValueError, match="validators"):
        erasure.encode(b"data", n)
    with pytest.raises(ValueError, match="validators"):
        erasure.reconstruct({}, n)


def test_the_limit_is_the_librarys() -> None:
    leopard = pytest.importorskip("reed_solomon_leopard")
    for n in (2, 3, 4, 1023, erasure.MAX_CHUNKS):
        k = erasure.threshold(n)
        assert leopard.supports(k, n - k)
    n = erasure.MAX_CHUNKS + 1
    k = (n - 1) // 3 + 1
    assert not leopard.supports(k, n - k)


def test_nothing_cannot_be_encoded() -> None:
    with pytest.raises(ValueError, match="nothing"):
        erasure.encode(b"", 3)
    with pytest.raises(ValueError, match="no root"):
        erasure.root_and_proofs([])


def test_hashing_many_is_hashing_each() -> None:
    """Across the limits at which threads join in, and for numbers they do not divide."""
    for count, size in ((0, 1), (1, 0), (5, 100), (31, 40_000), (33, 40_000), (101, 20_001)):
        chunks = [random.Random(i).randbytes(size) for i in range(count)]
        assert hash_all(chunks) == [node_hash(chunk) for chunk in chunks]
