"""Chain specs: Substrate's raw JSON files, read strictly.

A spec carries the genesis state as raw storage items, the chain's names, and where to find other
nodes. Reading and writing files is not done here: the caller has the text, and names its source
for error messages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from parahost.primitives.basic import Hash
from parahost.primitives.configuration import breach, pov_size_breach
from parahost.primitives.errors import InputError
from parahost.primitives.header import Header
from parahost.primitives.scale import ScaleDecodeError
from parahost.primitives.ss58 import SS58_PREFIX
from parahost.runtime.babe import Babe
from parahost.runtime.balances import TOKEN_DECIMALS, TOKEN_SYMBOL
from parahost.runtime.genesis import genesis_header
from parahost.runtime.grandpa import Grandpa
from parahost.runtime.parachains.configuration import Configuration
from parahost.runtime.session import Session
from parahost.runtime.storage import State
from parahost.runtime.storage.declarations import StorageValue

_CHAIN_TYPES = ("Development", "Local", "Live")
_HEX = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NEEDED: tuple[StorageValue[Any, Any], ...] = (
    Babe.authorities,
    Babe.epoch_config,
    Babe.slot_duration,
    Babe.epoch_duration,
    Grandpa.authorities,
    Session.queued_keys,
    Configuration.current,
)

_OPTIONAL: tuple[StorageValue[Any, Any], ...] = (Configuration.pov_size_limit,)

PropertyValue = str | int | bool | None | list[Any]
PROPERTIES: Final[Mapping[str, PropertyValue]] = MappingProxyType(
    {"ss58Format": SS58_PREFIX, "tokenDecimals": TOKEN_DECIMALS, "tokenSymbol": TOKEN_SYMBOL}
)
"""How wallets write this chain's accounts and amounts."""


class BadChainSpec(InputError):
    """The text is no chain spec of this host. ``key`` is where in it, as ``genesis.raw.top``."""

    def __init__(self, source: str, key: str, reason: str) -> None:
        super().__init__(f"{source}: {key}: {reason}")
        self.source = source
        self.key = key
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """``id`` names the chain in paths and protocols, ``boot_nodes`` are multiaddresses, ``top``
    is the genesis state: full storage key to SCALE bytes. ``properties`` are for wallets."""

    name: str
    id: str
    top: Mapping[bytes, bytes]
    chain_type: str = "Local"
    boot_nodes: tuple[str, ...] = ()
    protocol_id: str | None = None
    properties: Mapping[str, PropertyValue] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, id_: str, genesis: State, boot_nodes: tuple[str, ...] = ()) -> ChainSpec:
        """The spec of a chain with that genesis state."""
        return cls(
            name, id_, dict(genesis.items_raw()), boot_nodes=boot_nodes, properties=PROPERTIES
        )

    def genesis_state(self) -> State:
        return State.from_raw(self.top)

    def genesis_header(self) -> Header:
        return genesis_header(self.genesis_state())

    def genesis_hash(self) -> Hash:
        """What tells this chain from all others."""
        return self.genesis_header().hash()

    def to_json(self) -> str:
        """The file's text; the same spec always gives the same text."""
        top = {f"0x{key.hex()}": f"0x{value.hex()}" for key, value in sorted(self.top.items())}
        spec = {
            "name": self.name,
            "id": self.id,
            "chainType": self.chain_type,
            "bootNodes": list(self.boot_nodes),
            "telemetryEndpoints": None,
            "protocolId": self.protocol_id,
            "properties": dict(self.properties),
            "codeSubstitutes": {},
            "genesis": {"raw": {"top": top, "childrenDefault": {}}},
        }
        return json.dumps(spec, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str, source: str) -> ChainSpec:
        """Read a spec; ``source`` is the file's name, for the message of an error.

        :raises BadChainSpec: one line that says what is wrong, where, and what to do.
        """
        reader = _Reader(source, _parse(text, source))
        spec = cls(
            name=reader.text("name"),
            id=reader.chain_id("id"),
            chain_type=reader.one_of("chainType", _CHAIN_TYPES),
            boot_nodes=reader.texts("bootNodes"),
            protocol_id=reader.optional_text("protocolId"),
            properties=reader.properties("properties"),
            top=reader.top(),
        )
        spec._check_genesis(source)
        return spec

    def _check_genesis(self, source: str) -> None:
        """What a node reads first is there and can be read."""
        state = self.genesis_state()
        for item in (*_NEEDED, *_OPTIONAL):
            try:
                value = item.get(state)
                present = item in _OPTIONAL or (item.exists(state) and value != ())
            except ScaleDecodeError as error:
                raise BadChainSpec(
                    source,
                    f"genesis.raw.top.0x{item.prefix.hex()}",
                    f"{item} is unreadable: {error}",
                ) from error
            if not present:
                raise BadChainSpec(
                    source,
                    "genesis.raw.top",
                    f"{item} (0x{item.prefix.hex()}) is absent: this is no chain of parahost; "
                    "make one with `parahost chain-spec new`",
                )
        for configured, reason in (
            (Configuration.current, breach(Configuration.current.get(state))),
            (
                Configuration.pov_size_limit,
                pov_size_breach(Configuration.pov_size_limit.get(state)),
            ),
        ):
            if reason is not None:
                raise BadChainSpec(
                    source, f"genesis.raw.top.0x{configured.prefix.hex()}", str(reason)
                )


def _parse(text: str, source: str) -> dict[str, Any]:
    try:
        parsed = json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise BadChainSpec(source, place, f"not JSON: {error.msg}") from error
    except _RepeatedKey as error:
        raise BadChainSpec(source, str(error), "the key is there twice; remove one") from error
    except RecursionError as error:
        raise BadChainSpec(source, "(whole file)", "nested too deeply") from error
    if not isinstance(parsed, dict):
        raise BadChainSpec(source, "(whole file)", "a JSON object is expected")
    return parsed


class _RepeatedKey(ValueError):
    pass


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _RepeatedKey(key)
        found[key] = value
    return found


class _Reader:
    """Takes typed values out of a spec, or says which key is wrong."""

    def __init__(self, source: str, spec: dict[str, Any]) -> None:
        self._source = source
        self._spec = spec

    def wrong(self, key: str, reason: str) -> BadChainSpec:
        return BadChainSpec(self._source, key, reason)

    def text(self, key: str) -> str:
        value = self._spec.get(key)
        if not isinstance(value, str) or not value:
            raise self.wrong(key, "a text that is not empty is expected")
        return value

    def optional_text(self, key: str) -> str | None:
        return None if self._spec.get(key) is None else self.text(key)

    def chain_id(self, key: str) -> str:
        value = self.text(key)
        if not _ID.fullmatch(value):
            raise self.wrong(key, f"{value!r} is not 1 to 64 of the characters A-Z a-z 0-9 . _ -")
        return value

    def one_of(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self._spec.get(key, allowed[-1])
        if value not in allowed:
            raise self.wrong(key, f"{value!r} is none of {', '.join(allowed)}")
        return str(value)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._spec.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(key, "a list of texts is expected")
        return tuple(value)

    def properties(self, key: str) -> Mapping[str, PropertyValue]:
        value = self._spec.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict) or any(isinstance(each, dict) for each in value.values()):
            raise self.wrong(key, "an object of plain values is expected")
        return value

    def top(self) -> Mapping[bytes, bytes]:
        at: Any = self._spec
        for depth, key in enumerate(path := ("genesis", "raw", "top")):
            at = at.get(key)
            if not isinstance(at, dict):
                here = ".".join(path[: depth + 1])
                raise self.wrong(
                    here, "an object is expected; is the spec raw? (`build-spec --raw` makes it so)"
                )
        found: dict[bytes, bytes] = {}
        for key, value in at.items():
            raw = self._bytes("genesis.raw.top", key)
            if raw in found:
                raise self.wrong(f"genesis.raw.top.{key}", "the key is there twice; remove one")
            found[raw] = self._bytes(f"genesis.raw.top.{key}", value)
        return found

    def _bytes(self, key: str, value: object) -> bytes:
        if not isinstance(value, str) or not _HEX.fullmatch(value):
            raise self.wrong(key, f"{value!r:.80} is not hex with 0x before it")
        return bytes.fromhex(value[2:])
