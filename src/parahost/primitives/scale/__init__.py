"""SCALE, the host's native tongue: a typed codec on dataclasses, built once per type.

``encode(value)`` or ``encode(value, type)``; ``decode(type, data)``. A type has a shape, which is
plain data (:mod:`~parahost.primitives.scale.shapes`, with the table of types), and a shape has
functions (:mod:`~parahost.primitives.scale.functions`).
"""

from parahost.primitives.scale.bitvec import BitVec
from parahost.primitives.scale.codec import codec_of, decode, decode_prefix, encode
from parahost.primitives.scale.compact import decode_compact, encode_compact
from parahost.primitives.scale.errors import ScaleDecodeError, ScaleEncodeError, ScaleTypeError
from parahost.primitives.scale.once import decode_once, read_once
from parahost.primitives.scale.shapes import Compact, FixedLen, FormOf, MaxLen, shape_of, variant

__all__ = [
    "BitVec",
    "Compact",
    "FixedLen",
    "FormOf",
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
    "read_once",
    "shape_of",
    "variant",
]
