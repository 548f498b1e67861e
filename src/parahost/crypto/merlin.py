"""Merlin transcripts: Fiat-Shamir over STROBE-128, computed with cSHAKE128 (D30).

STROBE keeps a Keccak state and permutes it after each block of 166 bytes, or earlier where an
operation demands a fresh block. cSHAKE128 with the customisation string ``STROBEv1.0.2`` starts
from the same state and permutes after each 168 bytes, and the two agree when each block is written
out as STROBE leaves it:

    data (up to 166 bytes) | begin | 0x04 | zeros | 0x80        (0x04 and 0x80 may share a byte)

where ``begin`` is the position at which the block's last operation began. The last two marks are
just cSHAKE's own padding, so that the hash of everything up to ``begin`` is STROBE's next output.
A plain byte-by-byte STROBE stands in ``tests/crypto/plain_strobe.py`` and is compared with this.
"""

from __future__ import annotations

from parahost.crypto.strobe_sponge import squeeze
from parahost.primitives.transcript import Transcript

_MERLIN = b"Merlin v1.0"
_BLOCK = 166
"""Bytes of data in a block; cSHAKE128's own block has two more."""

# The operations of STROBE that Merlin uses, by their flag bytes.
_AD = 0x02
_META_AD = 0x12
_PRF = 0x07

# How an operation begins, by where the one before it began.
_META_AD_AFTER = tuple(bytes((begin, _META_AD)) for begin in range(_BLOCK + 1))
_AD_AFTER = tuple(bytes((begin, _AD)) for begin in range(_BLOCK + 1))


class MerlinTranscript:
    """A running transcript: messages go in, challenges come out, each depends on all before it."""

    __slots__ = ("_begin", "_closed", "_marked", "_open")

    def __init__(self, label: bytes) -> None:
        self._closed = bytearray()
        """Finished blocks, 168 bytes each."""
        self._open = bytearray()
        """The data of the unfinished block: fewer than 166 bytes."""
        self._marked = 0
        """The length of the finished blocks up to and with the last one's ``begin``."""
        self._begin = 0
        """Where the last operation began in the unfinished block, counted from 1; 0 if before."""
        self._operate(_META_AD, _MERLIN)
        self.append(b"dom-sep", label)

    @classmethod
    def of(cls, transcript: Transcript) -> MerlinTranscript:
        """Run a transcript that was written down as plain data."""
        running = cls(transcript.label)
        for label, message in transcript.items:
            running.append(label, message)
        return running

    def append(self, label: bytes, message: bytes) -> None:
        """``append_message`` of Merlin."""
        length, pending = len(message), self._open
        first = len(pending) + 1
        second = first + 2 + len(label) + 4
        if second + 2 + length <= _BLOCK:  # no block ends in here: both operations at once
            named = label + length.to_bytes(4, "little")
            pending += _META_AD_AFTER[self._begin] + named + _AD_AFTER[first] + message
            self._begin = second
            return
        self._operate(_META_AD, label + length.to_bytes(4, "little"))
        self._operate(_AD, message)

    def challenge(self, label: bytes, length: int) -> bytes:
        """``challenge_bytes`` of Merlin; what comes out also goes into the transcript."""
        self._operate(_META_AD, label + length.to_bytes(4, "little"))
        self._operate(_PRF, b"")
        if self._open:
            self._close_block(self._open)
            self._open = bytearray()
        output = b""
        while len(output) < length:
            squeezed = squeeze(self._closed[: self._marked], min(length - len(output), _BLOCK))
            self._absorb(squeezed)
            output += squeezed
        return output

    def copy(self) -> MerlinTranscript:
        """A second transcript that goes on from the same point."""
        other = object.__new__(MerlinTranscript)
        other._closed = self._closed[:]
        other._open = self._open[:]
        other._marked = self._marked
        other._begin = self._begin
        return other

    def _operate(self, flags: int, data: bytes) -> None:
        previous, self._begin = self._begin, len(self._open) + 1
        self._absorb(bytes((previous, flags)) + data)

    def _absorb(self, data: bytes) -> None:
        pending = self._open
        pending += data
        if len(pending) >= _BLOCK:
            whole = len(pending) - len(pending) % _BLOCK
            for start in range(0, whole, _BLOCK):
                self._close_block(pending[start : start + _BLOCK])
            self._open = pending[whole:]

    def _close_block(self, data: bytearray) -> None:
        self._closed += data
        self._closed.append(self._begin)
        self._marked = len(self._closed)
        if len(data) == _BLOCK:
            self._closed.append(0x84)
        else:
            self._closed.append(0x04)
            self._closed += bytes(_BLOCK - 1 - len(data))
            self._closed.append(0x80)
        self._begin = 0
