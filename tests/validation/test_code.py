import hashlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from parahost.primitives.compression import COMPRESSED_PREFIX, BadCompression, maybe_decompress
from parahost.validation import code as code_module
from parahost.validation.code import MAX_WASM_SIZE, code_hash, wasm_of
from parahost.validation.errors import FunctionFailed

WASM = b"\0asm\x01\0\0\0"


def compressed(data: bytes) -> bytes:
    return COMPRESSED_PREFIX + zstandard.compress(data)


def test_raw_and_compressed_code_are_the_same_wasm() -> None:
    assert wasm_of(WASM) == WASM
    assert wasm_of(compressed(WASM)) == WASM


SKIPPABLE = bytes.fromhex("502a4d1804000000") + b"pzst"
"""A frame that holds four bytes of no concern, as pzstd writes them."""


@pytest.mark.parametrize(
    "frames",
    [
        zstandard.compress(WASM[:5]) + zstandard.compress(WASM[5:]),
        zstandard.compress(b"") + zstandard.compress(WASM),
        SKIPPABLE + zstandard.compress(WASM),
        zstandard.compress(WASM) + SKIPPABLE,
        SKIPPABLE.join(zstandard.compress(bytes([byte])) for byte in WASM),
    ],
    ids=["two", "empty first", "skippable first", "skippable last", "one for each byte"],
)
def test_code_may_come_in_several_frames(frames: bytes) -> None:
    assert wasm_of(COMPRESSED_PREFIX + frames) == WASM


def test_the_limit_is_for_the_sum_of_the_frames() -> None:
    frames = zstandard.compress(WASM + bytes(42)) + zstandard.compress(bytes(50))
    assert len(maybe_decompress(COMPRESSED_PREFIX + frames, 100)) == 100
    with pytest.raises(BadCompression, match="expand beyond the limit of 99 bytes"):
        maybe_decompress(COMPRESSED_PREFIX + frames, 99)


def test_the_hash_is_of_the_bytes_as_registered() -> None:
    code = compressed(WASM)
    assert code_hash(code) == hashlib.blake2b(code, digest_size=32).digest()
    assert code_hash(code) != code_hash(WASM)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (b"", "not Wasm: it begins with nothing"),
        (b"(module)", "not Wasm"),
        (compressed(b"no wasm"), "not Wasm"),
        (COMPRESSED_PREFIX, "cut off"),
        (COMPRESSED_PREFIX + b"garbage", "not a zstd frame"),
        (compressed(WASM)[:-3], "cut off"),
        (compressed(WASM) + b"\0", "not a zstd frame"),
        (compressed(WASM) + b"no frame", "not a zstd frame"),
        (compressed(WASM) + zstandard.compress(b"more")[:-1], "cut off"),
        (WASM + bytes(MAX_WASM_SIZE), "exceeds the limit"),
    ],
)
def test_what_is_wrong_with_code_is_said(code: bytes, reason: str) -> None:
    with pytest.raises(FunctionFailed, match=reason):
        wasm_of(code)


def test_a_bomb_is_stopped_soon_after_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    real = zstandard.ZstdDecompressor

    class Counting:
        def __init__(self, max_window_size: int) -> None:
            self._inner = real(max_window_size=max_window_size).decompressobj()

        def decompressobj(self) -> "Counting":
            return self

        def decompress(self, data: bytes) -> bytes:
            nonlocal seen
            piece = self._inner.decompress(data)
            seen += len(piece)
            return piece

        @property
        def eof(self) -> bool:
            return self._inner.eof

        @property
        def unused_data(self) -> bytes:
            return self._inner.unused_data

    monkeypatch.setattr(zstandard, "ZstdDecompressor", Counting)
    bomb = compressed(bytes(8 * MAX_WASM_SIZE))
    assert len(bomb) < 50_000
    with pytest.raises(FunctionFailed, match="expand beyond the limit"):
        wasm_of(bomb)
    assert seen < MAX_WASM_SIZE + 16 * 1024 * 1024


@given(st.binary(max_size=600))
def test_garbage_behind_the_prefix_only_fails(garbage: bytes) -> None:
    with pytest.raises(FunctionFailed):
        wasm_of(COMPRESSED_PREFIX + garbage)


@given(st.integers(0, 2000), st.integers(0, 600))
def test_any_size_survives_compression_and_feeding(size: int, noise: int) -> None:
    data = WASM + code_module.code_hash(bytes([noise % 256])) * (noise // 32) + bytes(size)
    assert wasm_of(compressed(data)) == data
