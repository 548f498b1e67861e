"""SCALE, the host's native tongue: a typed codec on dataclasses, built once per type.

``encode(value)`` or ``encode(value, type)``; ``decode(type, data)``. The table of types is in
:mod:`parahost.primitives.scale.codec`.
"""

from parahost.primitives.scale.bitvec import BitVec
from parahost.primitives.scale.codec import (
    Compact,
    FixedLen,
    MaxLen,
    codec_of,
    decode,
    decode_compact,
    decode_prefix,
    encode,
    encode_compact,
    variant,
)
from parahost.primitives.scale.errors import ScaleDecodeError, ScaleEncodeError, ScaleTypeError
from parahost.primitives.scale.once import decode_once

__all__ = [
    "BitVec",
    "Compact",
    "FixedLen",
    "MaxLen",
    "ScaleDecodeError",
    "ScaleEncodeError",
    "ScaleTypeError",
    "codec_of",
    "decode",
    "decode_compact",
    "decode_once",
    "decode_prefix",
    "encode",
    "encode_compact",
    "variant",
]
