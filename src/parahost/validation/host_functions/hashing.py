"""``sp_io::hashing``: each takes a span and gives a pointer to the hash."""

from __future__ import annotations

from collections.abc import Callable

from parahost.validation.host_functions.context import HostContext, HostFunction


def keccak_512(data: bytes) -> bytes:
    from Crypto.Hash import keccak

    return bytes(keccak.new(digest_bits=512, data=data).digest())


def _shared(name: str) -> Callable[[bytes], bytes]:
    """One of :mod:`parahost.crypto.hashing`, imported when it is first called."""

    def digest(data: bytes) -> bytes:
        from parahost.crypto import hashing

        return bytes(getattr(hashing, name)(data))

    return digest


def _of_span(digest: Callable[[bytes], bytes]) -> Callable[[HostContext, int], int]:
    def body(context: HostContext, span: int) -> int:
        return context.give(digest(context.memory.read_span(span)))

    return body


_SHARED = (
    "blake2_128",
    "blake2_256",
    "keccak_256",
    "sha2_256",
    "twox_64",
    "twox_128",
    "twox_256",
)

FUNCTIONS = [
    *(
        HostFunction(f"ext_hashing_{name}_version_1", "l", "i", _of_span(_shared(name)))
        for name in _SHARED
    ),
    HostFunction("ext_hashing_keccak_512_version_1", "l", "i", _of_span(keccak_512)),
]
