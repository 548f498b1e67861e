"""Bytes that look like a type's form, and what becomes of them when they are damaged."""

from __future__ import annotations

from random import Random

from parahost.primitives.scale import encode_compact
from parahost.primitives.scale import shapes as s

MOST_ITEMS = 3
"""Elements of a collection; now and then, a length far beyond what follows."""


def compact(number: int) -> bytes:
    out = bytearray()
    encode_compact(out, number)
    return bytes(out)


def form_of(random: Random, shape: s.ScaleShape, depth: int = 0) -> bytes:
    """A form of that shape, nearly always a right one."""
    match shape:
        case s.Named(inner=inner):
            return form_of(random, inner, depth)
        case s.Integer(bits=bits):
            return random.choice((bytes(bits // 8), random.randbytes(bits // 8)))
        case s.CompactInteger(bits=bits):
            return compact(random.getrandbits(random.randrange(1, bits + 1)))
        case s.Bool():
            return random.choice((b"\0", b"\1"))
        case s.FixedBytes(length=length):
            return random.randbytes(length)
        case s.Bytes() | s.Text():
            content = bytes(random.choices(b"az/.19\xc3", k=random.randrange(40)))
            return compact(_length(random, len(content))) + content
        case s.Bits():
            bits = random.randrange(40)
            return compact(bits) + random.randbytes((bits + 7) // 8)
        case s.Nothing():
            return b""
        case s.Vec(item=item):
            count = 0 if depth > 6 else random.randrange(MOST_ITEMS + 1)
            items = b"".join(form_of(random, item, depth + 1) for _ in range(count))
            return compact(_length(random, count)) + items
        case s.Array(item=item, length=length):
            return b"".join(form_of(random, item, depth + 1) for _ in range(length))
        case s.Tuple(members=members):
            return b"".join(form_of(random, member, depth + 1) for member in members)
        case s.Option(inner=inner):
            return b"\0" if random.random() < 0.3 else b"\1" + form_of(random, inner, depth + 1)
        case s.Struct(fields=fields):
            return b"".join(form_of(random, field, depth + 1) for _, field in fields)
        case s.Enum(variants=variants):
            tag, struct = random.choice(variants)
            return tag + form_of(random, struct, depth + 1)
        case s.PlainEnum(cls=cls):
            return bytes((random.choice([member.value for member in cls]),))
    raise TypeError(f"no form for the shape {shape!r}")


def damaged(random: Random, form: bytes) -> bytes:
    """The form with a few things wrong: flipped bits, cuts, repeated pieces, lengths."""
    data = bytearray(form)
    for _ in range(random.randrange(4)):
        at = random.randrange(len(data) + 1)
        match random.randrange(6):
            case 0 if data:
                data[at % len(data)] ^= 1 << random.randrange(8)
            case 1:
                del data[at:]
            case 2:
                data[at:at] = random.randbytes(random.randrange(1, 9))
            case 3:
                piece = bytes(data[at : at + random.randrange(1, 40)])
                data[at:at] = piece * random.randrange(1, 20)
            case 4:
                data[at : at + 1] = compact(_length(random, random.randrange(1 << 30)))
            case _:
                del data[at : at + random.randrange(1, 9)]
    return bytes(data)


def _length(random: Random, length: int) -> int:
    if random.random() < 0.97:
        return length
    return random.choice((length + 1, 1 << 14, 1 << 29, (1 << 64) - 1, (1 << 100) - 1))
