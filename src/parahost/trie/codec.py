"""The encoded form of the state trie's nodes, both ways.

The form (Polkadot specification, "Merkle proof: node codec"): a header byte with the kind in its
upper bits and the partial key's length in its lower ones, continued in further bytes when it is
long; the partial, packed, with a zero nibble in front when its length is odd; for a branch, 16
bits that say which children there are; the value; each child. A child whose own form is shorter
than 32 bytes stands there itself, else its hash. A value stands there itself, or its hash does, as
the kind says. The hash is blake2-256 in a state.
"""

from __future__ import annotations

from parahost.primitives.scale import ScaleDecodeError, decode_compact, encode_compact
from parahost.primitives.values import dataclass
from parahost.trie.errors import NodeDecodeError

HASH_LENGTH = 32
NO_CHILDREN: tuple[None, ...] = (None,) * 16
EMPTY_NODE = b"\x00"
"""The form of a trie without keys."""

_LEAF = 0b01_000000
_BRANCH = 0b10_000000
_BRANCH_WITH_VALUE = 0b11_000000
_LEAF_HASHED = 0b001_00000
_BRANCH_HASHED = 0b0001_0000
_PARTIAL_BITS = {
    _LEAF: 6,
    _BRANCH: 6,
    _BRANCH_WITH_VALUE: 6,
    _LEAF_HASHED: 5,
    _BRANCH_HASHED: 4,
}


@dataclass(frozen=True, slots=True)
class HashedValue:
    """A value that stands elsewhere: what is known of it is its hash."""

    hash: bytes


@dataclass(frozen=True, slots=True)
class NodeForm:
    """A node as its form alone tells it.

    ``partial`` is the key's part between the parent's branching and the node's own, nibbles as
    hexadecimal digits. ``children`` has 16 places, or none for a leaf; a child is a hash of 32
    bytes, or its own shorter form.
    """

    partial: str
    value: bytes | HashedValue | None
    children: tuple[bytes | None, ...]

    def encode(self) -> bytes:
        """The form's bytes; :func:`decode_node` reads them."""
        partial, value, children = self.partial, self.value, self.children
        out = _encode_header(self._kind(), len(partial))
        out += bytes.fromhex("0" + partial if len(partial) % 2 else partial)
        if children:
            bitmap = sum(1 << index for index, child in enumerate(children) if child is not None)
            out += bitmap.to_bytes(2, "little")
        if isinstance(value, HashedValue):
            out += value.hash
        elif value is not None:
            _append_prefixed(out, value)
        for child in children:
            if child is not None:
                _append_prefixed(out, child)
        return bytes(out)

    def _kind(self) -> int:
        if isinstance(self.value, HashedValue):
            return _BRANCH_HASHED if self.children else _LEAF_HASHED
        if self.children:
            return _BRANCH if self.value is None else _BRANCH_WITH_VALUE
        return _LEAF


def decode_node(data: bytes) -> NodeForm | None:
    """The node whose form is all of ``data``; ``None`` for the empty trie.

    Each node has exactly one form: lengths in the shortest form, padding zero, nothing over.

    :raises NodeDecodeError: when there is no such node.
    """
    if data == EMPTY_NODE:
        return None
    form, offset = read_node(data)
    for index, child in enumerate(form.children):
        if child is not None and not 0 < len(child) <= HASH_LENGTH:
            raise NodeDecodeError(offset, f"child {index:x} has {len(child)} bytes")
    if offset != len(data):
        raise NodeDecodeError(offset, f"{len(data) - offset} bytes left over")
    return form


def read_node(data: bytes) -> tuple[NodeForm, int]:
    """The node with whose form ``data`` begins, its children of any length, and the form's end.

    :raises NodeDecodeError: when there is none.
    """
    kind, length, offset = _decode_header(data)
    packed, offset = _take(data, offset, (length + 1) // 2, "partial key")
    partial = packed.hex()
    if length % 2:
        if partial[0] != "0":
            raise NodeDecodeError(offset - len(packed), "the padding nibble is not zero")
        partial = partial[1:]
    is_branch = kind not in (_LEAF, _LEAF_HASHED)
    bitmap = 0
    if is_branch:
        taken, offset = _take(data, offset, 2, "children bitmap")
        bitmap = int.from_bytes(taken, "little")
        if bitmap == 0:
            raise NodeDecodeError(offset - 2, "a branch without children")
    value: bytes | HashedValue | None = None
    if kind in (_LEAF_HASHED, _BRANCH_HASHED):
        taken, offset = _take(data, offset, HASH_LENGTH, "value hash")
        value = HashedValue(taken)
    elif kind != _BRANCH:
        value, offset = _take_prefixed(data, offset, "value")
    children: list[bytes | None] = list(NO_CHILDREN) if is_branch else []
    for index in range(len(children)):
        if bitmap >> index & 1:
            children[index], offset = _take_prefixed(data, offset, f"child {index:x}")
    return NodeForm(partial, value, tuple(children)), offset


def _append_prefixed(out: bytearray, data: bytes) -> None:
    encode_compact(out, len(data))
    out += data


def _encode_header(kind: int, partial_length: int) -> bytearray:
    most = (1 << _PARTIAL_BITS[kind]) - 1
    if partial_length < most:
        return bytearray((kind | partial_length,))
    full_bytes, rest = divmod(partial_length - most, 255)
    return bytearray((kind | most, *(255,) * full_bytes, rest))


def _decode_header(data: bytes) -> tuple[int, int, int]:
    """The kind of node, the partial's length in nibbles, and the offset behind the header."""
    if not data:
        raise NodeDecodeError(0, "no bytes at all")
    for kind, bits in _PARTIAL_BITS.items():
        most = (1 << bits) - 1
        if data[0] & ~most == kind:
            break
    else:
        raise NodeDecodeError(0, f"no kind of node has the header 0x{data[0]:02x}")
    length = data[0] & most
    if length < most:
        return kind, length, 1
    offset = 1
    while offset < len(data):
        length += data[offset]
        offset += 1
        if data[offset - 1] != 255:
            return kind, length, offset
    raise NodeDecodeError(offset, "the header does not end")


def _take(data: bytes, offset: int, length: int, what: str) -> tuple[bytes, int]:
    end = offset + length
    if end > len(data):
        raise NodeDecodeError(offset, f"{what}: {length} bytes wanted, {len(data) - offset} left")
    return data[offset:end], end


def _take_prefixed(data: bytes, offset: int, what: str) -> tuple[bytes, int]:
    if offset == len(data):
        raise NodeDecodeError(offset, f"{what}: nothing left")
    try:
        length, start = decode_compact(data, offset)
    except ScaleDecodeError as error:
        raise NodeDecodeError(error.offset, f"{what}: {error.reason}") from error
    return _take(data, start, length, what)
