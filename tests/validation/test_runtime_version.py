"""What a runtime's code tells of itself, read as a parachain reads it that upgrades itself."""

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from parahost.ports.validation import ExecutionKind, Failed, Returned
from parahost.primitives import scale
from parahost.primitives.compression import COMPRESSED_PREFIX
from parahost.validation import InProcessHost
from parahost.validation.runtime_version import embedded_version
from tests.validation.guests import ECHO, IMPORTED_MEMORY, guest, imported

EMPTY_MODULE = b"\0asm\x01\0\0\0"
CORE = bytes.fromhex("df6acb689907609b")
OTHER_API = bytes.fromhex("40fe3ad401f8959a")
SPEC_14 = bytes.fromhex("0e000000")
OLD = b"\x18shell2\x18shell2" + b"\1\0\0\0" + SPEC_14 + bytes(4)
"""Two names and three numbers, the beginning of every ``RuntimeVersion``."""
ASKS = guest(
    f"(call $ext_misc_runtime_version_version_1 {ECHO})",
    before=imported("ext_misc_runtime_version_version_1", "l", "l"),
    memory=IMPORTED_MEMORY,
)
HOST = InProcessHost()


def free(_: int) -> None:
    """Reading costs nothing."""


def section(name: bytes, content: bytes) -> bytes:
    body = bytes([len(name)]) + name + content
    return bytes([0, len(body) & 0x7F | 0x80, len(body) >> 7]) + body


def runtime(version: bytes, *apis: tuple[bytes, int]) -> bytes:
    listed = b"".join(id_ + number.to_bytes(4, "little") for id_, number in apis)
    return EMPTY_MODULE + section(b"runtime_apis", listed) + section(b"runtime_version", version)


def told(code: bytes) -> bytes | None:
    """What the host function answers a guest."""
    outcome = HOST.run(ASKS, code, ExecutionKind.BACKING)
    assert isinstance(outcome, Returned), outcome
    answer: bytes | None = scale.decode(bytes | None, outcome.result)
    return answer


@pytest.mark.parametrize(
    ("core", "fields", "transaction_version", "state_version"),
    [(2, b"", 1, 0), (3, b"\7\0\0\0", 7, 0), (4, b"\7\0\0\0\1", 7, 1), (5, b"\7\0\0\0\1", 7, 1)],
)
@pytest.mark.guide("A102")
def test_a_version_of_any_age_is_told_in_todays_form(
    core: int, fields: bytes, transaction_version: int, state_version: int
) -> None:
    code = runtime(OLD + b"\0" + fields, (OTHER_API, 6), (CORE, core))
    apis = b"\x08" + OTHER_API + b"\6\0\0\0" + CORE + bytes([core, 0, 0, 0])
    expected = OLD + apis + bytes([transaction_version, 0, 0, 0, state_version])
    assert told(code) == expected
    assert told(COMPRESSED_PREFIX + zstandard.compress(code)) == expected


@pytest.mark.parametrize(
    "code",
    [
        b"",
        b"not Wasm",
        EMPTY_MODULE,
        EMPTY_MODULE + section(b"runtime_apis", CORE + b"\4\0\0\0"),
        EMPTY_MODULE + section(b"runtime_version", OLD[:-1]),
        EMPTY_MODULE + section(b"runtime_version", b"\4\xff" + OLD),
        runtime(OLD + b"\0", (CORE, 4)),
        EMPTY_MODULE + section(b"runtime_apis", b"clipped") + section(b"runtime_version", OLD),
        EMPTY_MODULE + b"\0\x7f",
        EMPTY_MODULE + b"\0\xff\xff\xff\xff\xff\1",
        EMPTY_MODULE + b"\0\1\x7f",
    ],
)
def test_code_without_a_readable_version_has_none(code: bytes) -> None:
    assert told(code) is None


def test_without_the_list_of_apis_it_is_the_oldest_form() -> None:
    code = EMPTY_MODULE + section(b"runtime_version", OLD + b"\0" + b"\7" * 5)
    version = embedded_version(code, free)
    assert version is not None
    assert (version.spec_name, version.apis, version.transaction_version) == ("shell2", (), 1)


def test_of_two_sections_the_first_counts() -> None:
    later = OLD.replace(SPEC_14, bytes(4))
    code = runtime(OLD + b"\0\0\0\0\0\1", (CORE, 4)) + section(b"runtime_version", later + b"\0")
    version = embedded_version(code, free)
    assert version is not None and version.spec_version == 14


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(garbage: bytes) -> None:
    embedded_version(EMPTY_MODULE + garbage, free)
    embedded_version(EMPTY_MODULE + section(b"runtime_version", garbage[:120]), free)


@pytest.mark.parametrize(
    "code",
    [
        EMPTY_MODULE + b"\0\1\0" * (1 << 20),
        EMPTY_MODULE + b"\0\x8d\x80\x80\x14" + b"\x0cruntime_apis" + bytes(12 * (40 << 20) // 12),
    ],
    ids=["a million sections", "a million APIs"],
)
def test_what_little_code_expands_to_is_counted(code: bytes) -> None:
    small = COMPRESSED_PREFIX + zstandard.compress(code)
    assert len(small) < 10_000
    outcome = HOST.run(ASKS, small, ExecutionKind.BACKING)
    assert isinstance(outcome, Failed) and "the fuel limit" in outcome.reason
