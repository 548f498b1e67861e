"""Values of any shape, and what scalecodec makes of a value that it has read."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from parahost.primitives.scale import BitVec, shape_of
from parahost.primitives.scale.functions import codec_for
from parahost.primitives.scale.shapes import (
    Array,
    Bits,
    Bool,
    Bytes,
    CompactInteger,
    Enum,
    FixedBytes,
    Integer,
    Named,
    Nothing,
    Option,
    PlainEnum,
    ScaleShape,
    Struct,
    Text,
    Tuple,
    Vec,
)
from parahost.runtime.module import RuntimeCall, RuntimeEvent
from parahost.runtime.signers import AccountAddress, IndexAddress
from parahost.runtime.system import ApplyExtrinsic, EventRecord

LONG = 12
"""The longest text or vector of bytes or bits that is tried; other vectors are shorter."""


def values(shape: ScaleShape) -> st.SearchStrategy[Any]:
    """Our values of a shape."""
    match shape:
        case Integer(bits) | CompactInteger(bits):
            return st.integers(0, 2**bits - 1)
        case Bool():
            return st.booleans()
        case FixedBytes(length):
            return st.binary(min_size=length, max_size=length)
        case Bytes(limit):
            return st.binary(max_size=_short(limit))
        case Text(limit):
            return st.text("abcäöü 123", max_size=_short(limit) // 2)
        case Bits(limit):
            return st.lists(st.booleans(), max_size=_short(limit)).map(BitVec.of)
        case Nothing():
            return st.none()
        case Named(inner=inner):
            return values(inner)
        case Vec(item, limit):
            return st.lists(values(item), max_size=min(_short(limit), 2)).map(tuple)
        case Array(item, length):
            return st.tuples(*[values(item)] * length)
        case Tuple(members):
            return st.tuples(*map(values, members))
        case Option(inner):
            return st.none() | values(inner)
        case Struct(cls, fields):
            return st.builds(cls, **{name: values(field) for name, field in fields})
        case Enum(variants):
            return st.one_of(*(values(each) for _, each in variants))
        case PlainEnum(cls):
            return st.sampled_from(list(cls))


def _short(limit: int | None) -> int:
    return LONG if limit is None else min(limit, LONG)


def encoded(value: Any, shape: ScaleShape) -> bytes:
    out = bytearray()
    codec_for(shape).encode_into(out, value)
    return bytes(out)


def as_scalecodec(value: Any, shape: ScaleShape) -> Any:
    """A value of ours as scalecodec shows it."""
    match shape:
        case FixedBytes():
            return "0x" + value.hex()
        case Bytes():
            return text_or_hex(value)
        case Bits():
            number = sum(1 << index for index, bit in enumerate(value) if bit)
            return f"0b{number:0{len(value)}b}"
        case Named(inner=inner):
            return as_scalecodec(value, inner)
        case Vec(item) | Array(item):
            return [as_scalecodec(each, item) for each in value]
        case Tuple(members):
            return _alone_or_tuple(
                [as_scalecodec(*each) for each in zip(value, members, strict=True)]
            )
        case Option(inner):
            return None if value is None else as_scalecodec(value, inner)
        case Struct(cls):
            return _event_record(value) if cls is EventRecord else _fields(value, shape)
        case Enum(variants):
            chosen = next(each for _, each in variants if each.cls is type(value))
            if isinstance(value, RuntimeCall):
                return _call(value, chosen)
            if isinstance(value, RuntimeEvent):
                return _event(value, chosen)
            return _variant(value, chosen)
        case PlainEnum():
            return value.name.title().replace("_", "")
    return value


def text_or_hex(value: bytes) -> str:
    """scalecodec takes bytes for text if they can be."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return "0x" + value.hex()


def _alone_or_tuple(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else tuple(parts)


def _fields(value: Any, shape: Struct) -> dict[str, Any]:
    return {
        name.rstrip("_"): as_scalecodec(getattr(value, name), field) for name, field in shape.fields
    }


def _variant(value: Any, shape: Struct) -> Any:
    if isinstance(value, AccountAddress):
        return "0x" + value.account.hex()  # scalecodec leaves the name of this one out,
    if isinstance(value, IndexAddress):
        return ()  # and of this one
    name = type(value).__scale_name__
    if not shape.fields:
        return name
    fields = _fields(value, shape)
    return {name: _alone_or_tuple([*fields.values()]) if value.__scale_unnamed__ else fields}


def _call(value: RuntimeCall, shape: Struct) -> dict[str, Any]:
    return {
        "call_index": "0x" + value.__scale_tag__.hex(),
        "call_module": value.pallet.name,
        "call_function": value.declared.name,
        "call_args": _fields(value, shape),
    }


def _event(value: RuntimeEvent, shape: Struct) -> dict[str, Any]:
    return {
        "event_index": value.__scale_tag__.hex(),
        "event_id": type(value).__name__,
        "attributes": _fields(value, shape) or None,
    }


def _event_record(record: EventRecord) -> dict[str, Any]:
    phase = record.phase
    return {
        "phase": type(phase).__name__,
        "extrinsic_idx": phase.index if isinstance(phase, ApplyExtrinsic) else None,
        "event": as_scalecodec(record.event, shape_of(RuntimeEvent)),
        "topics": ["0x" + topic.hex() for topic in record.topics],
    }


def plain(theirs: Any) -> Any:
    """What scalecodec shows, without what it adds to calls, events and records of these: hashes of
    calls, names of arguments' types, and everything about an event once more."""
    match theirs:
        case {"call_hash": _, "call_args": arguments, **told}:
            return {**told, "call_args": {each["name"]: plain(each["value"]) for each in arguments}}
        case {"phase": phase, "extrinsic_idx": index, "event": event, "topics": topics}:
            return {
                "phase": phase,
                "extrinsic_idx": index,
                "event": plain(event),
                "topics": topics,
            }
        case {"event_index": index, "event_id": name, "attributes": attributes}:
            return {"event_index": index, "event_id": name, "attributes": plain(attributes)}
        case dict():
            return {name: plain(value) for name, value in theirs.items()}
        case list():
            return [plain(each) for each in theirs]
        case tuple():
            return tuple(plain(each) for each in theirs)
    return theirs
