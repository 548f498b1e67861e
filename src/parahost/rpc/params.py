"""What methods take: JSON values that are read into typed ones, or refused with the reason.

A method's parameters are what its function's annotations say. An annotation is one of the types
below, ``bool``, ``str``, or a tuple of such; ``X | None`` may be left out or null.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from parahost.primitives.basic import H256, BlockNumber, Hash
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Extrinsic
from parahost.primitives.ss58 import BadAddress, ss58_decode
from parahost.rpc.errors import InvalidParams
from parahost.rpc.values import Json
from parahost.runtime.origin import AccountId


class Unreadable(Exception):
    """The value is not of its type; says what is."""


@dataclass(frozen=True, slots=True)
class ParameterShape:
    """A parameter's type: what it is called in documents and errors, and how it is read."""

    name: str
    read: Callable[[Json], Any]


def _hex(value: Json) -> bytes:
    """Hex with or without ``0x``: some clients leave it out."""
    if not isinstance(value, str):
        raise Unreadable
    digits = value[2:] if value[:2] in ("0x", "0X") else value
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        raise Unreadable from None
    if 2 * len(data) != len(digits):  # There were spaces.
        raise Unreadable
    return data


def _hash(value: Json) -> Hash:
    data = _hex(value)
    if len(data) != 32:
        raise Unreadable
    return typing.cast(Hash, data)


def _account(value: Json) -> AccountId:
    """An address of any network, or the account's bytes."""
    if not isinstance(value, str):
        raise Unreadable
    try:
        return AccountId(ss58_decode(value).account)
    except BadAddress:
        return AccountId(_hash(value))


def _u32(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 32:
        raise Unreadable
    return value


def _number_or_hex(value: Json) -> BlockNumber:
    if isinstance(value, str) and 2 < len(value) <= 10 and value.startswith("0x"):
        try:
            value = int(value[2:], 16)
        except ValueError:
            raise Unreadable from None
    return typing.cast(BlockNumber, _u32(value))


def _numbers(value: Json) -> BlockNumber | tuple[BlockNumber, ...]:
    if isinstance(value, list):
        return tuple(_number_or_hex(each) for each in value)
    return _number_or_hex(value)


def _plain(type_: type) -> Callable[[Json], Any]:
    def read(value: Json) -> Any:
        if not isinstance(value, type_):
            raise Unreadable
        return value

    return read


HexBytes = Annotated[bytes, ParameterShape("hex bytes", _hex)]
StorageKey = Annotated[bytes, ParameterShape("hex storage key", _hex)]
BlockHash = Annotated[Hash, ParameterShape("block hash", _hash)]
TransactionBytes = Annotated[Extrinsic, ParameterShape("hex extrinsic", _hex)]
Account = Annotated[AccountId, ParameterShape("account, as SS58 or hex", _account)]
Count = Annotated[int, ParameterShape("number", _u32)]
Numbers = Annotated[
    BlockNumber | tuple[BlockNumber, ...], ParameterShape("block number, or list of them", _numbers)
]


@dataclass(frozen=True, slots=True)
class StorageQuery:
    """What the newer methods ask of storage: ``kind`` is `value`, `hash`,
    `closestDescendantMerkleValue`, `descendantsValues` or `descendantsHashes`."""

    key: bytes
    kind: str
    start: bytes | None


def _storage_query(value: Json) -> StorageQuery:
    if not isinstance(value, dict):
        raise Unreadable
    start = value.get("paginationStartKey")
    kind = value.get("type")
    if kind not in STORAGE_KINDS or value.keys() - {"key", "type", "paginationStartKey"}:
        raise Unreadable
    if start is not None and kind not in DESCENDANT_KINDS:
        raise Unreadable
    return StorageQuery(_hex(value.get("key")), kind, None if start is None else _hex(start))


def _one_or_more(value: Json) -> tuple[Hash, ...]:
    return tuple(map(_hash, value)) if isinstance(value, list) else (_hash(value),)


DESCENDANT_KINDS = ("descendantsValues", "descendantsHashes")
STORAGE_KINDS = ("value", "hash", "closestDescendantMerkleValue", *DESCENDANT_KINDS)
AskedItem = Annotated[StorageQuery, ParameterShape("storage item", _storage_query)]


@dataclass(frozen=True, slots=True)
class DifferenceQuery:
    """What is asked of the difference between two states: keys that begin with ``prefix``, with
    their values or with the hashes of these; of the child trie of that key, if there is one."""

    prefix: bytes
    hashes: bool
    child_trie: bytes | None


def _difference_query(value: Json) -> DifferenceQuery:
    if not isinstance(value, dict) or value.keys() - {"key", "returnType", "childTrieKey"}:
        raise Unreadable
    if (kind := value.get("returnType")) not in ("value", "hash"):
        raise Unreadable
    key, child = (value.get(name) for name in ("key", "childTrieKey"))
    return DifferenceQuery(
        b"" if key is None else _hex(key), kind == "hash", None if child is None else _hex(child)
    )


DifferenceItem = Annotated[
    DifferenceQuery, ParameterShape("item of a difference", _difference_query)
]


def _removed_transaction(value: Json) -> Hash:
    if not isinstance(value, dict) or len(value) != 1:
        raise Unreadable
    ((kind, given),) = value.items()
    match kind:
        case "hash":
            return _hash(given)
        case "extrinsic":
            # With its length before it, and so is a transaction's name made.
            return Hash(H256(blake2_256(_hex(given))))
    raise Unreadable


TransactionName = Annotated[
    Hash, ParameterShape('{"hash": transaction hash} or {"extrinsic": hex}', _removed_transaction)
]
BlockHashes = Annotated[
    tuple[Hash, ...], ParameterShape("block hash, or list of them", _one_or_more)
]

_PLAIN = {
    bool: ParameterShape("true or false", _plain(bool)),
    str: ParameterShape("text", _plain(str)),
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """``optional``: it may be left out, or null, which means the same."""

    name: str
    shape: ParameterShape
    optional: bool

    def read(self, value: Json) -> Any:
        if value is None and self.optional:
            return None
        try:
            return self.shape.read(value)
        except Unreadable:
            raise InvalidParams(f"{self.name}: expected {self.shape.name}") from None


@dataclass(frozen=True, slots=True)
class Parameters:
    """What one method takes, in order."""

    each: tuple[Parameter, ...]

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Parameters:
        """From a function's annotations, without its first parameter, which is no client's.

        :raises TypeError: when one is none of the types above.
        """
        hints = typing.get_type_hints(function, include_extras=True)
        _, *names = inspect.signature(function).parameters
        return cls(tuple(_parameter(name, hints[name]) for name in names))

    def read(self, given: Json) -> list[Any]:
        """The arguments, from a list or from an object.

        :raises InvalidParams: when they are not what the method takes.
        """
        if given is None:
            given = []
        if isinstance(given, dict):
            given = self._in_order(given)
        if not isinstance(given, list):
            raise InvalidParams("expected a list or an object")
        if len(given) > len(self.each):
            raise InvalidParams(f"expected at most {len(self.each)} parameters, not {len(given)}")
        missing = [None] * (len(self.each) - len(given))
        return [one.read(value) for one, value in zip(self.each, [*given, *missing], strict=True)]

    def _in_order(self, given: Mapping[str, Json]) -> list[Json]:
        names = [one.name for one in self.each]
        if unknown := given.keys() - set(names):
            raise InvalidParams(f"{min(unknown):.40}: there is no such parameter")
        return [given.get(name) for name in names]


def _parameter(name: str, annotation: Any) -> Parameter:
    optional = False
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        inner = [one for one in typing.get_args(annotation) if one is not type(None)]
        if len(inner) != 1:
            raise TypeError(f"{name}: {annotation} is no type of parameters")
        (annotation,), optional = inner, True
    return Parameter(_camel(name), _shape(annotation), optional)


def _shape(annotation: Any) -> ParameterShape:
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if typing.get_origin(annotation) is Annotated:
        return next(one for one in annotation.__metadata__ if isinstance(one, ParameterShape))
    if typing.get_origin(annotation) is tuple:
        return _list_of(_shape(typing.get_args(annotation)[0]))
    raise TypeError(f"{annotation} is no type of parameters")


def _list_of(inner: ParameterShape) -> ParameterShape:
    def read(value: Json) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Unreadable
        return tuple(inner.read(each) for each in value)

    return ParameterShape(f"list of {inner.name}", read)


def _camel(name: str) -> str:
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(part.title() for part in rest)
