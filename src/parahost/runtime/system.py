"""System: the block being executed, its weight and events, the hashes of recent blocks, accounts.

Storage keys and forms are those of Substrate's ``System`` (D29).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from parahost.primitives.basic import H256, U16, U32, U128, ZERO_HASH, BlockNumber, Hash
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Digest, DigestItem
from parahost.primitives.runtime_version import RuntimeVersion
from parahost.primitives.scale import variant
from parahost.primitives.ss58 import SS58_PREFIX
from parahost.runtime.dispatch import DispatchClass, DispatchInfo, DispatchRefusal, refusal_of
from parahost.runtime.errors import (
    BlockTooHeavy,
    DispatchError,
    FutureTransaction,
    StaleTransaction,
)
from parahost.runtime.module import (
    Constant,
    Module,
    RuntimeCall,
    RuntimeEvent,
    call,
    entry_point,
    event,
)
from parahost.runtime.origin import AccountId, Signed
from parahost.runtime.pallets import Pallet
from parahost.runtime.storage import Hasher, Overlay, Reader, StorageList, StorageMap, StorageValue
from parahost.runtime.version import RUNTIME_VERSION
from parahost.runtime.weights import (
    BLOCK_BASE,
    MAX_BLOCK_WEIGHT,
    MAX_INHERENT_WEIGHT,
    Weight,
    micros,
    nanos,
)

BLOCK_HASH_COUNT = 2400
"""How many recent blocks' hashes are kept, and for how long a signed extrinsic may live."""

# Types


@variant(0, unnamed=True)
@dataclass(frozen=True, slots=True)
class ApplyExtrinsic:
    index: U32


@variant(1)
@dataclass(frozen=True, slots=True)
class Finalization:
    pass


@variant(2)
@dataclass(frozen=True, slots=True)
class Initialization:
    pass


Phase = ApplyExtrinsic | Finalization | Initialization
"""The part of a block's execution in which an event was deposited."""


@dataclass(frozen=True, slots=True)
class EventRecord:
    phase: Phase
    event: RuntimeEvent
    topics: tuple[H256, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountData:
    """What an account has: ``free`` to spend but for what is ``frozen`` of it, and ``reserved``
    beside it. ``flags`` says in which way Substrate's Balances keeps the books."""

    free: U128
    reserved: U128
    frozen: U128
    flags: U128


@dataclass(frozen=True, slots=True)
class AccountInfo:
    nonce: U32
    """How many extrinsics of the account have been in blocks."""
    consumers: U32
    providers: U32
    sufficients: U32
    data: AccountData


UNKNOWN_ACCOUNT = AccountInfo(
    nonce=U32(0),
    consumers=U32(0),
    providers=U32(0),
    sufficients=U32(0),
    data=AccountData(free=U128(0), reserved=U128(0), frozen=U128(0), flags=U128(1 << 127)),
)
"""An account of which nothing is known. The flag is Substrate's ``IS_NEW_LOGIC``."""


@dataclass(frozen=True, slots=True)
class ConsumedWeight:
    """What the block that executes has weighed so far, by Substrate's classes of dispatches."""

    normal: Weight
    operational: Weight
    mandatory: Weight

    def total(self) -> Weight:
        return self.normal + self.operational + self.mandatory


NOTHING_CONSUMED = ConsumedWeight(Weight(), Weight(), Weight())


@event(0)
@dataclass(frozen=True, slots=True)
class ExtrinsicSuccess(RuntimeEvent):
    """An extrinsic did what it says."""

    dispatch_info: DispatchInfo


@event(1)
@dataclass(frozen=True, slots=True)
class ExtrinsicFailed(RuntimeEvent):
    """A transaction's call was refused; it has had no effect, but its fee is paid."""

    dispatch_error: DispatchRefusal
    dispatch_info: DispatchInfo


@event(3)
@dataclass(frozen=True, slots=True)
class NewAccount(RuntimeEvent):
    """An account has begun to be."""

    account: AccountId


@event(4)
@dataclass(frozen=True, slots=True)
class KilledAccount(RuntimeEvent):
    """An account is no more: its nonce is forgotten with it."""

    account: AccountId


@event(5)
@dataclass(frozen=True, slots=True)
class Remarked(RuntimeEvent):
    """An account has said something, of which this is the blake2-256 hash."""

    sender: AccountId
    hash: Hash


@call(0, "remark", weight=lambda call: micros(60) + nanos(15) * len(call.remark))
@dataclass(frozen=True, slots=True)
class Remark(RuntimeCall):
    """Say something that the block keeps and nobody reads."""

    remark: bytes


@call(7, "remark_with_event", weight=lambda call: micros(60) + nanos(15) * len(call.remark))
@dataclass(frozen=True, slots=True)
class RemarkWithEvent(RuntimeCall):
    """Say something, and have an event tell that it was said."""

    remark: bytes


class System(Module, pallet=Pallet(0, "System")):
    """The block that executes, its weight and events, the hashes of recent blocks, accounts."""

    calls = (Remark, RemarkWithEvent)
    events = (ExtrinsicSuccess, ExtrinsicFailed, NewAccount, KilledAccount, Remarked)

    # Constants

    version = Constant("Version", RuntimeVersion, RUNTIME_VERSION)
    """Which runtime this is."""
    block_hash_count = Constant("BlockHashCount", BlockNumber, BlockNumber(U32(BLOCK_HASH_COUNT)))
    """How many recent blocks' hashes are kept."""
    ss58_prefix = Constant("SS58Prefix", U16, U16(SS58_PREFIX))
    """With what the addresses of this chain's accounts begin."""
    max_block_weight = Constant("MaxBlockWeight", Weight, MAX_BLOCK_WEIGHT)
    """What a block may weigh."""
    max_inherent_weight = Constant("MaxInherentWeight", Weight, MAX_INHERENT_WEIGHT)
    """What its inherents may weigh of it."""

    # Storage

    number = StorageValue("Number", BlockNumber, default=BlockNumber(U32(0)))
    """Of the block that executes; between blocks, of the last one."""
    parent_hash_item = StorageValue("ParentHash", Hash, default=ZERO_HASH)
    """The hash of that block's parent."""
    digest_item = StorageValue[Digest, Digest]("Digest", Digest, default=())
    """What the block's header says so far for others to read."""
    block_hash_map = StorageMap("BlockHash", BlockNumber, Hash)
    """The hashes of the last blocks, by number."""
    account = StorageMap(
        "Account", AccountId, AccountInfo, hasher=Hasher.BLAKE2_128_CONCAT, default=UNKNOWN_ACCOUNT
    )
    """Every account's nonce and balance."""
    extrinsic_count = StorageValue("ExtrinsicCount", U32)
    """How many of the block's extrinsics have been executed. Ephemeral."""
    events_item = StorageList("Events", EventRecord)
    """What has happened in the block, in order."""
    event_count = StorageValue("EventCount", U32, default=U32(0))
    """How many events there are."""
    phase = StorageValue[Phase, Phase | None]("ExecutionPhase", Phase)
    """The part of the block that executes. Ephemeral."""
    block_weight = StorageValue("BlockWeight", ConsumedWeight, default=NOTHING_CONSUMED)
    """What the block has weighed so far."""

    # Initialisation

    def initialize(
        self, store: Overlay, number: BlockNumber, parent_hash: Hash, digest: Digest
    ) -> None:
        """Begin block ``number``. ``digest`` is what consensus has written into its header."""
        self.phase.put(store, Initialization())
        self.number.put(store, number)
        self.parent_hash_item.put(store, parent_hash)
        self.digest_item.put(store, digest)
        self.block_hash_map.put(store, BlockNumber(U32(number - 1)), parent_hash)
        self.events_item.kill(store)
        self.event_count.kill(store)
        self.block_weight.put(store, replace(NOTHING_CONSUMED, mandatory=BLOCK_BASE))

    # Entry points

    @entry_point(Remark, origin=Signed)
    def remark(self, store: Overlay, origin: Signed, call: Remark) -> None:
        """It is in the block, and that is all."""

    @entry_point(RemarkWithEvent, origin=Signed)
    def remark_with_event(self, store: Overlay, origin: Signed, call: RemarkWithEvent) -> None:
        self.deposit_event(store, Remarked(origin.account, Hash(blake2_256(call.remark))))

    # Routines

    def block_number(self, store: Reader) -> BlockNumber:
        """The number of the block that executes; between blocks, of the last one."""
        return self.number.get(store)

    def parent_hash(self, store: Reader) -> Hash:
        """The hash of the parent of the block that executes."""
        return self.parent_hash_item.get(store)

    def block_hash(self, store: Reader, number: BlockNumber) -> Hash | None:
        """The hash of one of the last :data:`BLOCK_HASH_COUNT` ancestors."""
        return self.block_hash_map.get(store, number)

    def digest(self, store: Reader) -> Digest:
        return self.digest_item.get(store)

    def deposit_log(self, store: Overlay, item: DigestItem) -> None:
        """Append an item to the header's digest."""
        self.digest_item.put(store, (*self.digest_item.get(store), item))

    def block_events(self, store: Reader) -> tuple[EventRecord, ...]:
        """What has happened in the block that executes; between blocks, in the last one."""
        return self.events_item.get(store)

    def deposit_event(self, store: Overlay, event: RuntimeEvent) -> None:
        """Tell those who watch the chain. What is undone takes its events with it."""
        record = EventRecord(self.phase.get(store) or Finalization(), event)
        self.events_item.append(store, record)
        self.event_count.put(store, U32(self.event_count.get(store) + 1))

    def nonce(self, store: Reader, account: AccountId) -> U32:
        """How many extrinsics of the account have been in blocks: the next one's nonce."""
        return self.account.get(store, account).nonce

    def check_nonce(self, store: Reader, account: AccountId, nonce: int) -> None:
        """:raises StaleTransaction: when the nonce is used.
        :raises FutureTransaction: when another must come before it.
        """
        due = self.nonce(store, account)
        if nonce < due:
            raise StaleTransaction(f"nonce {nonce} is used, the account's next is {due}")
        if nonce > due:
            raise FutureTransaction(f"nonce {nonce} is not due, the account's next is {due}")

    def use_nonce(self, store: Overlay, account: AccountId) -> None:
        """Count one more extrinsic of the account."""
        self.account.mutate(store, account, _with_next_nonce)

    def extrinsic_index(self, store: Reader) -> int:
        """The position of the extrinsic that executes, or will next."""
        return self.extrinsic_count.get(store) or 0

    def consume_weight(self, store: Overlay, info: DispatchInfo) -> None:
        """Let an extrinsic take its share of the block: an inherent of what is kept for them,
        a transaction of what is left.

        :raises BlockTooHeavy: when there is not so much.
        """
        used = self.block_weight.get(store)
        if info.class_ is DispatchClass.NORMAL:
            used = replace(used, normal=used.normal + info.weight)
        elif info.class_ is DispatchClass.OPERATIONAL:
            used = replace(used, operational=used.operational + info.weight)
        else:
            used = replace(used, mandatory=used.mandatory + info.weight)
        _check_weight(used.mandatory + used.operational, BLOCK_BASE + MAX_INHERENT_WEIGHT)
        _check_weight(used.total(), MAX_BLOCK_WEIGHT)
        self.block_weight.put(store, used)

    def begin_extrinsic(self, store: Overlay) -> None:
        self.phase.put(store, ApplyExtrinsic(U32(self.extrinsic_index(store))))

    def end_extrinsic(
        self, store: Overlay, info: DispatchInfo, error: DispatchError | None
    ) -> None:
        """Say how the extrinsic went, and go on to the next."""
        if error is None:
            self.deposit_event(store, ExtrinsicSuccess(info))
        else:
            self.deposit_event(store, ExtrinsicFailed(refusal_of(error), info))
        self.extrinsic_count.put(store, U32(self.extrinsic_index(store) + 1))

    def begin_finalization(self, store: Overlay) -> None:
        self.phase.put(store, Finalization())
        self.extrinsic_count.kill(store)

    # Finalisation

    def finalize(self, store: Overlay) -> Digest:
        """End the block; gives the digest for its header."""
        self.phase.kill(store)
        forgotten = self.number.get(store) - BLOCK_HASH_COUNT - 1
        if forgotten > 0:
            self.block_hash_map.remove(store, BlockNumber(U32(forgotten)))
        return self.digest_item.get(store)


def _check_weight(weight: Weight, limit: Weight) -> None:
    if not weight.is_within(limit):
        raise BlockTooHeavy(weight.ref_time, limit.ref_time)


def _with_next_nonce(info: AccountInfo) -> AccountInfo:
    return replace(info, nonce=U32(info.nonce + 1))
