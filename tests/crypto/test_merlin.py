import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.crypto.merlin import MerlinTranscript
from parahost.primitives.transcript import Transcript
from tests.crypto.plain_strobe import PlainMerlin

VECTORS = Path(__file__).parents[1] / "vectors"

operations = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.binary(max_size=20), st.binary(max_size=400)),
        st.tuples(st.just("challenge"), st.binary(max_size=20), st.integers(1, 400)),
    ),
    max_size=6,
)


def test_known_answer() -> None:
    known = json.loads((VECTORS / "vrf_and_merlin.json").read_text())["merlin_kat"]
    label, message = (text.encode() for text in known["append"])
    transcript = Transcript(known["label"].encode()).append(label, message)
    challenge = MerlinTranscript.of(transcript).challenge(known["challenge_label"].encode(), 32)
    assert challenge.hex() == known["out32"]


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=200), operations)
def test_is_a_plain_strobe(label: bytes, steps: list[tuple[str, bytes, bytes | int]]) -> None:
    fast, plain = MerlinTranscript(label), PlainMerlin(label)
    for name, step_label, argument in steps:
        assert getattr(fast, name)(step_label, argument) == getattr(plain, name)(
            step_label, argument
        )
    assert fast.challenge(b"end", 32) == plain.challenge(b"end", 32)


def test_blocks_that_end_anywhere_in_an_operation() -> None:
    """Each length puts the end of a block at another byte, also between an operation's marks."""
    for length in range(100, 100 + 168):
        fast, plain = MerlinTranscript(b"x"), PlainMerlin(b"x")
        fast.append(b"a", bytes(length))
        plain.append(b"a", bytes(length))
        assert fast.challenge(b"c", 8) == plain.challenge(b"c", 8), length


def test_a_copy_goes_its_own_way() -> None:
    original = MerlinTranscript(b"x")
    original.append(b"a", bytes(300))
    copied = original.copy()
    copied.append(b"b", b"more")
    assert copied.challenge(b"c", 32) != original.copy().challenge(b"c", 32)
    assert original.copy().challenge(b"c", 32) == original.challenge(b"c", 32)
