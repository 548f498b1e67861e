"""A chain, as a developer uses it: read its storage by name, follow its events, make calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from parahost.client.codec import MetadataCodec
from parahost.client.errors import RpcFailed
from parahost.client.extrinsics import Promises, sign
from parahost.client.following import BlockNews, FollowedChain
from parahost.client.metadata import RuntimeMetadata
from parahost.client.rpc import JsonRpc, RpcClient
from parahost.client.signer import Signer
from parahost.client.storage import StorageReader
from parahost.primitives.basic import H256, U32, Hash
from parahost.primitives.errors import InputError, OperationalError
from parahost.primitives.header import Extrinsic
from parahost.primitives.scale import decode, encode
from parahost.primitives.ss58 import SS58_PREFIX
from parahost.runtime.extrinsic import Era, MortalEra
from parahost.runtime.metadata.layouts import MapEntry
from parahost.runtime.transaction_validity import TransactionErr, TransactionValidity

ERA_BLOCKS: Final = 64
_EXTERNAL: Final = b"\2"


class CallRefused(OperationalError):
    """The chain would not take the extrinsic, or has taken it and refused its call. ``error`` is a
    module's name for it, as ``Registrar.UpgradePlanned``; ``None`` when no module has refused."""

    def __init__(self, message: str, error: str | None = None) -> None:
        super().__init__(message)
        self.error = error


class NotIncluded(OperationalError):
    """The extrinsic is in no block of its era."""


@dataclass(frozen=True, slots=True)
class NamedEvent:
    """``name`` as ``Balances.Transfer``; ``extrinsic`` is the number of that in the block which it
    belongs to, ``None`` when it belongs to none."""

    name: str
    fields: Any
    extrinsic: int | None


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """Where an extrinsic is, and what has come of it."""

    block_hash: str
    block_number: int
    index: int
    events: tuple[NamedEvent, ...]


class ChainClient:
    """One node's chain. What it has, metadata tells; that is read when it is first needed."""

    def __init__(self, node: str | JsonRpc) -> None:
        """``node``: its URL, or what asks it.

        :raises BadUrl: when the text names no node.
        """
        self.rpc = RpcClient(node) if isinstance(node, str) else node

    @cached_property
    def metadata(self) -> RuntimeMetadata:
        """Version 15, or 14 when the chain has no other."""
        try:
            raw = self.state_call("Metadata_metadata_at_version", encode(U32(15), U32))
            found = decode(bytes | None, raw)
        except RpcFailed:
            found = None
        if found is None:
            found = _from_hex(self.rpc.ask("state_getMetadata"))
        return RuntimeMetadata.read(found)

    @cached_property
    def prefix(self) -> int:
        """That of the chain's addresses."""
        found = self.rpc.ask("system_properties") or {}
        prefix = found.get("ss58Format")
        return prefix if isinstance(prefix, int) else SS58_PREFIX

    @cached_property
    def codec(self) -> MetadataCodec:
        return MetadataCodec(self.metadata, self.prefix)

    @cached_property
    def genesis_hash(self) -> Hash:
        return Hash(H256(_from_hex(self.rpc.ask("chain_getBlockHash", 0))))

    def state_call(self, function: str, arguments: bytes) -> bytes:
        """What a function of the Runtime API answers on the best block."""
        return _from_hex(self.rpc.ask("state_call", function, "0x" + arguments.hex()))

    # Blocks

    def block_hash(self, block: str | None) -> str:
        """Of a block that is named by hash or number, or of the best one.

        :raises OperationalError: when there is none.
        """
        if block is not None and block.startswith("0x"):
            return block
        if block is not None and not block.isdecimal():
            raise InputError(f"{block}: a block's number or hash is expected")
        found = self.rpc.ask("chain_getBlockHash", *([] if block is None else [int(block)]))
        if not isinstance(found, str):
            raise OperationalError(f"the chain has no block {block}")
        return found

    def number(self, block_hash: str) -> int:
        """A block's number."""
        return int(self.rpc.header(block_hash)["number"], 16)

    def parent(self, block_hash: str) -> str:
        """The hash of a block's parent."""
        return str(self.rpc.header(block_hash)["parentHash"])

    def head(self, *, finalized: bool) -> tuple[int, str]:
        """Number and hash of the newest block."""
        return self.rpc.head(finalized=finalized)

    def follow(self, *, finalized: bool, since: int | None = None) -> Iterator[BlockNews]:
        """The blocks of the best chain, or of the final one, as they come: from the newest on, or
        from the one after ``since``; each once, and those that the best chain leaves are retracted.
        Never ends."""
        chain = FollowedChain(self.parent, None if since is None else since + 1)
        for number, block in self.rpc.heads(finalized=finalized):
            yield from chain.goes_to(number, block)

    def events(self, block_hash: str) -> tuple[NamedEvent, ...]:
        """What has happened in a block."""
        records = self.query("System", "Events", [], block_hash) or []
        return tuple(_event(record) for record in records)

    # Storage

    def query(self, pallet: str, item: str, keys: Sequence[Any], at: str | None = None) -> Any:
        """What is stored under an item, and its keys if it is a map: the value, or its default.
        With fewer keys than the map has: a list of what it holds under these.

        :raises UnknownName: when there is no such item.
        :raises BadValue: when a key does not fit.
        """
        return self._storage.query(pallet, item, keys, self.block_hash(at))

    def is_listing(self, pallet: str, item: str, keys: int) -> bool:
        """Whether so many keys of an item name several values."""
        entry = self.metadata.storage(pallet, item)
        return isinstance(entry.type, MapEntry) and keys < len(entry.type.hashers)

    @cached_property
    def _storage(self) -> StorageReader:
        return StorageReader(self.rpc, self.codec)

    # Calls

    def nonce(self, signer: Signer) -> int:
        """The nonce of the signer's next extrinsic, after those that wait."""
        address = self.codec.address(signer.account)
        return int(self.rpc.ask("system_accountNextIndex", address))

    def signed(
        self,
        call: bytes,
        signer: Signer,
        *,
        nonce: int | None = None,
        tip: int = 0,
        mortal: bool = True,
    ) -> Extrinsic:
        """An extrinsic with that call. A mortal one dies after :data:`ERA_BLOCKS` blocks."""
        era: Era = None
        birth_hash = self.genesis_hash
        if mortal:
            head = self.number(self.rpc.ask("chain_getFinalizedHead"))
            era = MortalEra.around(head, ERA_BLOCKS)
            birth = self.block_hash(str(era.birth(head)))
            birth_hash = Hash(H256(_from_hex(birth)))
        version = self.rpc.ask("state_getRuntimeVersion")
        promises = Promises(
            nonce=self.nonce(signer) if nonce is None else nonce,
            era=era,
            birth_hash=birth_hash,
            genesis_hash=self.genesis_hash,
            spec_version=int(version["specVersion"]),
            transaction_version=int(version["transactionVersion"]),
            tip=tip,
        )
        return sign(self.metadata, call, signer, promises)

    def as_root(self, call: bytes) -> bytes:
        """The call that has governance make a call."""
        inner: Any = self.codec.decode(self.metadata.calls_type, call)
        return self.codec.encode_call("Sudo", "sudo", [inner])

    def check(self, extrinsic: Extrinsic) -> None:
        """Whether the next block could have the extrinsic.

        :raises CallRefused: when it could not; it says why.
        """
        head = _from_hex(self.block_hash(None))
        arguments = _EXTERNAL + encode(bytes(extrinsic), bytes) + head
        raw = self.state_call("TaggedTransactionQueue_validate_transaction", arguments)
        verdict: Any = decode(TransactionValidity, raw)
        if isinstance(verdict, TransactionErr):
            raise CallRefused(verdict.error.reason.sentence)

    def fee(self, extrinsic: Extrinsic) -> int:
        """What the extrinsic costs, without its tip, in the token's smallest parts."""
        whole = encode(bytes(extrinsic), bytes)
        arguments = whole + encode(U32(len(whole)), U32)
        raw = self.state_call("TransactionPaymentApi_query_info", arguments)
        return int.from_bytes(raw[-16:], "little")

    def submit(self, extrinsic: Extrinsic) -> str:
        """Hand the extrinsic to the node; gives its hash.

        :raises RpcFailed: when the node's pool does not take it.
        """
        return str(self.rpc.ask("author_submitExtrinsic", _whole(extrinsic)))

    def submit_and_wait(self, extrinsic: Extrinsic, *, finalized: bool) -> CallOutcome:
        """Hand the extrinsic to the node, and wait for the block that has it.

        :raises RpcFailed: when the node's pool does not take it.
        :raises NotIncluded: when none of the next blocks has it.
        :raises CallRefused: when it is there, and its call was refused.
        """
        newest, _ = self.head(finalized=finalized)
        # On another fork the block may have a lower number than this one's newest has now.
        final, _ = self.head(finalized=True)
        since = max(final, newest - ERA_BLOCKS)
        self.submit(extrinsic)
        whole = _whole(extrinsic)
        for news in self.follow(finalized=finalized, since=since):
            if news.retracted:
                continue
            body = self.rpc.extrinsics(news.hash)
            if whole in body:
                return self._outcome(news.hash, news.number, body.index(whole))
            if news.number > newest + ERA_BLOCKS:
                break
        raise NotIncluded(f"none of {ERA_BLOCKS} blocks has the extrinsic")

    def _outcome(self, block_hash: str, number: int, index: int) -> CallOutcome:
        events = tuple(each for each in self.events(block_hash) if each.extrinsic == index)
        for each in events:
            if each.name == "System.ExtrinsicFailed":
                raise self._refused(each.fields["dispatch_error"])
            if each.name == "Sudo.Sudid":
                error = next(iter(each.fields.values()))
                if error is not None and error != {"Ok": None}:
                    raise self._refused(error)
        return CallOutcome(block_hash, number, index, events)

    def _refused(self, error: Any) -> CallRefused:
        if isinstance(error, dict) and isinstance(module := error.get("Module"), dict):
            name, meaning = self.metadata.error(module["index"], module["error"][0])
            return CallRefused(f"{name}: {meaning}", name)
        if isinstance(error, dict):
            return CallRefused(".".join(str(part) for part in next(iter(error.items()))))
        return CallRefused(str(error))


def _whole(extrinsic: Extrinsic) -> str:
    """As a block has it, with its length."""
    return "0x" + encode(bytes(extrinsic), bytes).hex()


def _event(record: Any) -> NamedEvent:
    phase, (pallet, event) = record["phase"], next(iter(record["event"].items()))
    name, fields = next(iter(event.items())) if isinstance(event, dict) else (event, None)
    index = phase.get("ApplyExtrinsic") if isinstance(phase, dict) else None
    return NamedEvent(f"{pallet}.{name}", fields, index)


def _from_hex(text: Any) -> bytes:
    if not isinstance(text, str) or not text.startswith("0x"):
        raise OperationalError(f"the node answers {text!r:.60} where bytes are expected")
    return bytes.fromhex(text[2:])
