"""By what names types go in metadata: where they stand in our source, but for those that tools know
by Substrate's names."""

from __future__ import annotations

from functools import cache
from typing import Any

from parahost.primitives.basic import H256, Hash
from parahost.primitives.header import DigestItem
from parahost.primitives.scale import shape_of
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
from parahost.primitives.values import dataclass
from parahost.runtime.dispatch import DispatchClass, DispatchInfo, DispatchRefusal, Pays
from parahost.runtime.errors import TokenReason
from parahost.runtime.metadata.portable import Path
from parahost.runtime.module import RuntimeCall, RuntimeEvent
from parahost.runtime.origin import AccountId
from parahost.runtime.signers import MultiAddress, MultiSignature
from parahost.runtime.system import AccountData, AccountInfo, EventRecord, Phase
from parahost.runtime.transaction_validity import (
    InvalidReason,
    TransactionSource,
    TransactionValidity,
    TransactionValidityError,
    UnknownReason,
    ValidTransactionForm,
)
from parahost.runtime.weights import Weight


@dataclass(frozen=True, slots=True)
class TypeName:
    """``parameters``: the types that a generic type was made of, by the names of its parameters."""

    path: Path = ()
    parameters: tuple[tuple[str, Any], ...] = ()


LSB0 = TypeName(("bitvec", "order", "Lsb0"))
ERA = TypeName(("sp_runtime", "generic", "era", "Era"))
EXTRINSIC = TypeName(("sp_runtime", "generic", "unchecked_extrinsic", "UncheckedExtrinsic"))
RUNTIME = TypeName(("parahost_runtime", "Runtime"))
CALLS = TypeName(("parahost_runtime", "RuntimeCall"))
EVENTS = TypeName(("parahost_runtime", "RuntimeEvent"))
ERRORS = TypeName(("parahost_runtime", "RuntimeError"))

_VALIDITY: Path = ("sp_runtime", "transaction_validity")
_SUBSTRATES: dict[Any, TypeName] = {
    AccountId: TypeName(("sp_core", "crypto", "AccountId32")),
    Hash: TypeName(("primitive_types", "H256")),
    MultiAddress: TypeName(
        ("sp_runtime", "multiaddress", "MultiAddress"),
        (("AccountId", AccountId), ("AccountIndex", type(None))),
    ),
    MultiSignature: TypeName(("sp_runtime", "MultiSignature")),
    DispatchRefusal: TypeName(("sp_runtime", "DispatchError")),
    TokenReason: TypeName(("sp_runtime", "TokenError")),
    InvalidReason: TypeName((*_VALIDITY, "InvalidTransaction")),
    UnknownReason: TypeName((*_VALIDITY, "UnknownTransaction")),
    TransactionValidityError: TypeName((*_VALIDITY, "TransactionValidityError")),
    TransactionSource: TypeName((*_VALIDITY, "TransactionSource")),
    ValidTransactionForm: TypeName((*_VALIDITY, "ValidTransaction")),
    TransactionValidity: TypeName(
        ("Result",), (("T", ValidTransactionForm), ("E", TransactionValidityError))
    ),
    DispatchInfo: TypeName(("frame_system", "DispatchEventInfo")),
    DispatchClass: TypeName(("frame_support", "dispatch", "DispatchClass")),
    Pays: TypeName(("frame_support", "dispatch", "Pays")),
    Weight: TypeName(("sp_weights", "weight_v2", "Weight")),
    EventRecord: TypeName(("frame_system", "EventRecord"), (("E", RuntimeEvent), ("T", H256))),
    Phase: TypeName(("frame_system", "Phase")),
    AccountInfo: TypeName(("frame_system", "AccountInfo")),
    AccountData: TypeName(("pallet_balances", "types", "AccountData")),
    DigestItem: TypeName(("sp_runtime", "generic", "digest", "DigestItem")),
}


def name_of(shape: ScaleShape) -> TypeName:
    """A type's name; a union of classes has none, unless tools know it by one.

    A union of some calls, such as what governance may make, goes by the name of all: its SCALE form
    is the same, and tools know how to write a call. The runtime refuses the others.
    """
    substrates = _substrates_by_shape().get(shape)
    if substrates is not None:
        return substrates
    match shape:
        case Named(name, module):
            return TypeName((*module.split("."), name))
        case Struct(cls) | PlainEnum(cls):
            return TypeName((*cls.__module__.split("."), cls.__qualname__))
        case Option():
            return TypeName(("Option",))
        case Enum(variants):
            return _union_name(tuple(each.cls for _, each in variants))
    return TypeName()


def _union_name(classes: tuple[type, ...]) -> TypeName:
    for kind, name in ((RuntimeCall, CALLS), (RuntimeEvent, EVENTS)):
        if all(issubclass(cls, kind) for cls in classes):
            return name
    return TypeName()


@cache
def _substrates_by_shape() -> dict[ScaleShape, TypeName]:
    return {shape_of(type_): name for type_, name in _SUBSTRATES.items()}


def spelled(shape: ScaleShape) -> str:
    """A type as a field's declaration has it in Rust. For people; tools go by numbers."""
    match shape:
        case Integer(bits):
            return f"u{bits}"
        case CompactInteger(bits):
            return f"Compact<u{bits}>"
        case Bool():
            return "bool"
        case Text():
            return "String"
        case Bits():
            return "BitVec"
        case Nothing():
            return "()"
        case Bytes():
            return "Vec<u8>"
        case FixedBytes(length):
            return f"[u8; {length}]"
        case Vec(item):
            return f"Vec<{spelled(item)}>"
        case Array(item, length):
            return f"[{spelled(item)}; {length}]"
        case Tuple(members):
            return f"({', '.join(map(spelled, members))})"
        case Option(inner):
            return f"Option<{spelled(inner)}>"
    path = name_of(shape).path
    return path[-1] if path else "Enum"
