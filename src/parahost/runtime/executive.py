"""The executive: the relay chain's state transition function (D29), and the making of blocks.

A block's life reads here from top to bottom; each step is a page of its own in the module that
it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from parahost.ports.verifier import Verifier
from parahost.primitives.basic import H256, U32, BlockNumber, Hash
from parahost.primitives.header import (
    Block,
    Digest,
    DigestItem,
    Extrinsic,
    Header,
    PreRuntime,
    Seal,
)
from parahost.primitives.limits import MAX_BODY_BYTES, MAX_HEADER_BYTES
from parahost.primitives.memoize import memoize
from parahost.primitives.scale import encode
from parahost.runtime.balances import spendable
from parahost.runtime.dispatch import DispatchClass, DispatchInfo, Pays
from parahost.runtime.errors import (
    BodyTooLong,
    DispatchError,
    HeaderTooLong,
    InherentFailed,
    InvalidBlock,
    InvalidExtrinsic,
    InvalidTransaction,
    MisplacedInherent,
    WrongDigest,
    WrongExtrinsicsRoot,
    WrongNumber,
    WrongStateRoot,
)
from parahost.runtime.extrinsic import Envelope, open_envelope
from parahost.runtime.module import RuntimeCall, call_weight, name_of
from parahost.runtime.modules import AUTHORS_CALLS, INHERENTS, OPTIONAL_INHERENTS, Modules
from parahost.runtime.origin import AccountId, NoOrigin, Origin, Signed
from parahost.runtime.storage import Overlay, Reader, State, StateVersion
from parahost.runtime.transactions import (
    AccountStanding,
    TransactionChecks,
    TransactionClaim,
    ValidTransaction,
)
from parahost.runtime.weights import transaction_weight
from parahost.trie import ordered_root

MAX_UNSEALED_HEADER_BYTES = MAX_HEADER_BYTES - 71
"""A header without its seal, which has a tag, an engine, a length of two bytes and a signature."""


@dataclass(frozen=True, slots=True)
class Executed:
    """A block's post-state, and how it differs from its parent's: raw key to SCALE bytes, or
    ``None`` if removed. ``parent.apply(changes)`` is the same state."""

    state: State
    changes: Mapping[bytes, bytes | None]


class Runtime:
    """The state transition function. It keeps nothing between calls."""

    def __init__(self, verifier: Verifier) -> None:
        self.modules = Modules(verifier)
        self._checks = TransactionChecks(self.modules, verifier)

    # Blocks

    def execute_block(self, parent: State, block: Block) -> Executed:
        """Execute a block on its parent's state. The header comes without the author's seal,
        which the importer has checked, with the slot and its VRF.

        :raises InvalidBlock: a subclass says which rule is broken, with the evidence.
        """
        self._check_header(parent, block.header)
        self._check_body(block)
        store = self._initialize_block(parent, block.header)
        for index, extrinsic in enumerate(block.extrinsics):
            with _naming_the_extrinsic(index):
                self._apply_extrinsic(store, extrinsic)
        self._check_inherents_complete(store)
        digest = self._finalize_block(store)
        return self._verify(block.header, digest, store)

    def new_block(
        self, parent: State, parent_header: Header, pre_digest: tuple[DigestItem, ...]
    ) -> BlockBuilder:
        """Begin a block. ``pre_digest`` is the author's claim to the slot.

        :raises InvalidPreDigest: when the claim is no good on this parent.
        """
        header = Header(
            parent_hash=parent_header.hash(),
            number=BlockNumber(U32(parent_header.number + 1)),
            state_root=H256(bytes(32)),
            extrinsics_root=H256(bytes(32)),
            digest=pre_digest,
        )
        self._check_header(parent, header)
        return BlockBuilder(self, header, self._initialize_block(parent, header))

    def preview_transaction(self, extrinsic: Extrinsic) -> TransactionClaim | None:
        """What an extrinsic says of itself; ``None`` when nobody has signed it. It costs the same
        however long it is.

        :raises MalformedExtrinsic: when it cannot be read so far.
        """
        envelope = open_envelope(extrinsic)
        signature = envelope.signature
        return None if signature is None else TransactionClaim.of(signature, envelope.length)

    def standing(self, state: Reader, signer: AccountId) -> AccountStanding:
        """What an account may do next after the block with that state, and pay."""
        info = self.modules.system.account.get(state, signer)
        return AccountStanding(info.nonce, spendable(info))

    def validate_transaction(
        self, state: State, header: Header, extrinsic: Extrinsic
    ) -> ValidTransaction:
        """Whether an extrinsic may be in a child of the block with that state and header, or in a
        later descendant.

        :raises InvalidTransaction: when it may not.
        """
        return self.validate_in_child(state, header.number, header.hash(), extrinsic)

    def validate_in_child(
        self, state: State, number: BlockNumber, block_hash: Hash, extrinsic: Extrinsic
    ) -> ValidTransaction:
        """The same of a block of which only state, number and hash are known.

        :raises InvalidTransaction: when it may not.
        """
        child = Overlay(state)
        child_number = BlockNumber(U32(number + 1))
        self.modules.system.initialize(child, child_number, block_hash, ())
        return self._checks.validate(child, open_envelope(extrinsic))

    # The steps of a block

    def _check_header(self, parent: Reader, header: Header) -> None:
        parent_number = self.modules.system.block_number(parent)
        if header.number != parent_number + 1:
            raise WrongNumber(header.number, parent_number)
        _check_length(header)
        if any(isinstance(item, Seal) for item in header.digest):
            raise InvalidBlock("the header is sealed; the importer strips the one seal it may have")

    def _check_body(self, block: Block) -> None:
        """The root comes first: with another body than the header's, nothing is known of the
        block."""
        computed = extrinsics_root(block.extrinsics)
        if computed != block.header.extrinsics_root:
            raise WrongExtrinsicsRoot(block.header.extrinsics_root, computed)
        length = sum(len(extrinsic) for extrinsic in block.extrinsics)
        if length > MAX_BODY_BYTES:
            raise BodyTooLong(length, MAX_BODY_BYTES)

    def _initialize_block(self, parent: State, header: Header) -> Overlay:
        """Each module before the first extrinsic. BABE begins a new epoch when it is due: with
        this block, then, the session ends (D1)."""
        store = Overlay(parent)
        pre_digest = tuple(item for item in header.digest if isinstance(item, PreRuntime))
        modules = self.modules
        modules.system.initialize(store, header.number, header.parent_hash, pre_digest)
        modules.babe.initialize(store)
        modules.authorship.initialize(store)
        modules.parachains.initialize(store)
        return store

    def _apply_extrinsic(self, store: Overlay, extrinsic: Extrinsic) -> None:
        """Apply the next extrinsic of the body: all of it, or nothing.

        :raises InvalidTransaction: when it may not be in this block.
        :raises MisplacedInherent: when it is an inherent in the wrong place, or no inherent
            where one belongs.
        :raises InherentFailed: when it is an inherent and its entry point refuses.
        :raises BlockTooHeavy: when it takes longer than is left of the block.
        """
        system = self.modules.system
        envelope = open_envelope(extrinsic)
        with store.transaction():
            system.begin_extrinsic(store)
            origin = self._admit(store, envelope)
            call = envelope.call()
            self._check_place(store, call)
            info = dispatch_info(call, envelope)
            system.consume_weight(store, info)
            if envelope.signature is None and not isinstance(call, AUTHORS_CALLS):
                self._checks.check_unsigned(store, call)
            error = self._try(store, origin, call)
            if isinstance(call, AUTHORS_CALLS) and error is not None:
                raise InherentFailed(system.extrinsic_index(store), error)
            system.end_extrinsic(store, info, error)

    def _finalize_block(self, store: Overlay) -> Digest:
        """Each module after the last extrinsic; then the session ends, if it is its end (D1)."""
        modules = self.modules
        modules.system.begin_finalization(store)
        modules.parachains.finalize(store)
        modules.timestamp.finalize(store)
        if modules.babe.begins_epoch(store):
            self._change_session(store)
        modules.authorship.finalize(store)
        modules.babe.finalize(store)
        modules.upgrade_signals.finalize(store)
        return modules.system.finalize(store)

    def _verify(self, header: Header, digest: Digest, store: Overlay) -> Executed:
        """The header says of the block what executing it has shown."""
        if header.digest != digest:
            raise WrongDigest(header.digest, digest)
        state = store.commit()
        if header.state_root != state.root:
            raise WrongStateRoot(header.state_root, state.root)
        return Executed(state, store.changes())

    # The parts of the steps

    def _check_place(self, store: Reader, call: RuntimeCall) -> None:
        """The inherents open the body, in their order, and are nowhere else; then comes what the
        author may bring besides."""
        index = self.modules.system.extrinsic_index(store)
        expected = INHERENTS[index] if index < len(INHERENTS) else None
        if expected is not None and not isinstance(call, expected):
            raise MisplacedInherent(index, name_of(expected), name_of(call))
        if expected is None and isinstance(call, AUTHORS_CALLS) and not _may_follow(index, call):
            raise MisplacedInherent(index, "a transaction", name_of(call))

    def _check_inherents_complete(self, store: Reader) -> None:
        count = self.modules.system.extrinsic_index(store)
        if count < len(INHERENTS):
            raise MisplacedInherent(count, name_of(INHERENTS[count]), None)

    def _admit(self, store: Overlay, envelope: Envelope) -> Origin:
        """Whom the extrinsic comes from. A signer pays and uses a nonce, whatever the call will
        do."""
        signature = envelope.signature
        if signature is None:
            return NoOrigin()
        self._checks.check_cost(store, signature, envelope.length)
        self._checks.check_signature(store, signature, envelope.call_bytes)
        self.modules.system.use_nonce(store, signature.signer)
        self.modules.transaction_payment.withdraw(store, signature, envelope.length)
        return Signed(signature.signer)

    def _try(self, store: Overlay, origin: Origin, call: RuntimeCall) -> DispatchError | None:
        """Make the call; a refusal undoes what it has written."""
        try:
            with store.transaction():
                self.modules.dispatch(store, origin, call)
        except DispatchError as error:
            return error
        return None

    def _change_session(self, store: Overlay) -> None:
        """All modules learn of the new session, in the order of their initialisation (A2, D1)."""
        modules = self.modules
        needed_from = modules.parachains.included.first_needed_session(store)
        change = modules.session.rotate(store, needed_from)
        modules.babe.on_session_change(store, change)
        modules.grandpa.on_session_change(store, change)
        modules.validity_parameters.on_session_change(store)
        modules.slashing.on_session_change(store, change.index)
        modules.offences.on_session_change(store, change.index)
        modules.parachains.on_session_change(store, modules.notification_of(store, change))


def _may_follow(index: int, call: RuntimeCall) -> bool:
    """Whether the author may bring the call there: there is one such call, right after the
    inherents."""
    return index == len(INHERENTS) and isinstance(call, OPTIONAL_INHERENTS)


def dispatch_info(call: RuntimeCall, envelope: Envelope) -> DispatchInfo:
    """What an extrinsic with that call takes of a block, and whether it pays."""
    weight, dispatch_class = call_weight(call), call.declared.dispatch_class
    if dispatch_class is DispatchClass.NORMAL:
        weight = transaction_weight(weight, envelope.length)
    return DispatchInfo(weight, dispatch_class, Pays.NO if envelope.signature is None else Pays.YES)


class BlockBuilder:
    """A block in the making: apply the inherents, then transactions, then finish."""

    def __init__(self, runtime: Runtime, header: Header, store: Overlay) -> None:
        self._runtime = runtime
        self._header = header
        self._store = store
        self._extrinsics: list[Extrinsic] = []
        self._length = 0

    @property
    def header(self) -> Header:
        """As far as it is known: without roots and without what execution adds to the digest."""
        return self._header

    def apply(self, extrinsic: Extrinsic) -> None:
        """Add an extrinsic. If it is refused, the block stays as it was.

        A transaction whose entry point refuses is added all the same: its effect is its event.

        :raises InvalidTransaction: when it may not be in this block.
        :raises InvalidBlock: when it would make the block invalid.
        """
        if self._length + len(extrinsic) > MAX_BODY_BYTES:
            raise BodyTooLong(self._length + len(extrinsic), MAX_BODY_BYTES)
        self._runtime._apply_extrinsic(self._store, extrinsic)
        self._extrinsics.append(extrinsic)
        self._length += len(extrinsic)

    def finish(self) -> tuple[Block, State]:
        """The block, without a seal, and its post-state.

        :raises MisplacedInherent: when an inherent is lacking.
        :raises HeaderTooLong: when execution has added too much to the digest.
        """
        self._runtime._check_inherents_complete(self._store)
        digest = self._runtime._finalize_block(self._store)
        state = self._store.commit()
        extrinsics = tuple(self._extrinsics)
        header = Header(
            parent_hash=self._header.parent_hash,
            number=self._header.number,
            state_root=state.root,
            extrinsics_root=extrinsics_root(extrinsics),
            digest=digest,
        )
        _check_length(header)
        return Block(header, extrinsics), state


def _check_length(header: Header) -> None:
    if (size := len(header.encoded())) > MAX_UNSEALED_HEADER_BYTES:
        raise HeaderTooLong(size, MAX_UNSEALED_HEADER_BYTES)


@memoize(16)
def extrinsics_root(extrinsics: tuple[Extrinsic, ...]) -> Hash:
    """The root of the trie of extrinsics, each with its length before it, in the layout that
    Polkadot uses for it (V0)."""
    return ordered_root([encode(bytes(each), bytes) for each in extrinsics], StateVersion.V0)


@contextmanager
def _naming_the_extrinsic(index: int) -> Iterator[None]:
    try:
        yield
    except InvalidTransaction as error:
        raise InvalidExtrinsic(index, error) from error
