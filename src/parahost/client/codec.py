"""Values of the types that metadata tells of, as plain Python: written and read by types' numbers.

=================  ================================================================
numbers            ``int``; written from text, too
bytes              ``bytes``; written from ``0x`` and hex or, where any length will do, from text
accounts           SS58 text; written from 32 bytes or their hex, too
structs            a ``dict`` by names of fields; the value alone if it has one without name
tuples, vectors    ``list``; ``None`` for a tuple of nothing
variants           the name, or ``{name: content}``
``Option``         ``None`` or the value
bits               a list of ``bool``
=================  ================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from parahost.client.metadata import RuntimeMetadata
from parahost.client.reading import ValueReader
from parahost.client.writing import ValueWriter
from parahost.primitives.ss58 import ss58_encode
from parahost.runtime.metadata.portable import TypeId


class MetadataCodec:
    """Writes and reads values of a chain's types. ``prefix`` is that of the chain's addresses."""

    def __init__(self, metadata: RuntimeMetadata, prefix: int) -> None:
        self.metadata = metadata
        self.prefix = prefix
        self._reader = ValueReader(metadata, prefix)
        self._writer = ValueWriter(metadata, prefix)

    def decode(self, type_id: TypeId, data: bytes) -> Any:
        """A value that takes all of ``data``.

        :raises ScaleDecodeError: when the bytes are no value of the type, or more than one.
        """
        return self._reader.decode(type_id, data)

    def decode_prefix(self, type_id: TypeId, data: bytes, offset: int) -> tuple[Any, int]:
        """A value that begins at ``offset``, and where it ends.

        :raises ScaleDecodeError: when the bytes there are no value of the type.
        """
        return self._reader.decode_prefix(type_id, data, offset)

    def encode(self, type_id: TypeId, value: Any) -> bytes:
        """The SCALE form of a value.

        :raises BadValue: when it does not fit.
        """
        return self._writer.encode(type_id, value)

    def encode_call(self, pallet: str, name: str, arguments: Sequence[Any]) -> bytes:
        """The SCALE form of a call with its arguments in order.

        :raises UnknownName: when there is no such call.
        :raises BadValue: when an argument does not fit, or there are too many or too few.
        """
        return self._writer.encode_call(pallet, name, arguments)

    def address(self, account: bytes) -> str:
        """An account's address on this chain."""
        return ss58_encode(account, self.prefix)
