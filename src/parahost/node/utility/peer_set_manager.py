"""The Peer Set Manager, protocol ``disc``: which peer is which validator, whom to keep (A98, D18).

Validators make themselves known by signed records, in both peer sets, so that collators find them
too. Each tells its own record to every peer; a node that lacks some asks one peer after another.
So nobody is told what it knows. Only a record that replaces an older one is gossiped. Back-off,
limits, reputation and bans are the network adapter's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

import trio

from parahost.node.gossip import (
    BENEFIT_NEW,
    COST_BAD_SIGNATURE,
    COST_DUPLICATE,
    COST_MALFORMED,
    Acceptance,
    GossipPeers,
    Verdict,
)
from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    NetworkBridgeEvent,
    NewValidatorPeers,
    PeerConnected,
    PeerDisconnected,
    PeerMessage,
    PeerSet,
    PeerSetNetwork,
    RegisterEventProducer,
    ReportPeer,
    ReputationChange,
    ResolveValidators,
    SendMessage,
    ValidatorPeers,
)
from parahost.node.messages.signals import OverseerSignal, StartWork, StopWork
from parahost.node.overseer import Context, Subsystem
from parahost.node.protocols import VALIDATOR_DISCOVERY
from parahost.node.utility.past_validators import PastValidators
from parahost.ports import KeyStore, KeyType, PeerSteering, Verifier
from parahost.primitives.addresses import AddressError, parse_told
from parahost.primitives.basic import (
    H256,
    H512,
    U64,
    Hash,
    PeerId,
    PeerSignature,
    ValidatorId,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.peer_ids import public_key_of
from parahost.primitives.scale import MaxLen, ScaleDecodeError, decode_once, encode, variant

RECORD_DOMAIN = b"DISC"
MAX_ADDRESSES = 8
MAX_RECORDS = 24
"""Records in one message: with the longest addresses they stay below the collation peer set's
64 KiB."""
MAX_EARLY = 128
"""Records kept of validators that no leaf of ours knows: a peer may be ahead of us."""
MAX_LACKING = 72
"""Validators that may be asked for at a time: three messages bring them."""
ASK_FIRST_S, ASK_LAST_S = 0.25, 4.0
"""How soon a peer is asked for the records that are lacking, and how long the next is waited for
when several had none; in between, twice as long each time."""
REFRESH_S = 600.0
"""How old our own record may become."""

COST_ASKS_TOO_OFTEN = ReputationChange(-5, "asks for records again before its time")

# Types


@dataclass(frozen=True, slots=True)
class ValidatorRecord:
    """A validator says where it is. ``made_at`` is its clock in milliseconds; of two records the
    later counts."""

    validator: ValidatorId
    peer: Annotated[str, MaxLen(128)]
    addresses: Annotated[tuple[Annotated[str, MaxLen(256)], ...], MaxLen(MAX_ADDRESSES)]
    made_at: U64
    signature: ValidatorSignature
    peer_signature: PeerSignature
    """By the key in the peer id: a validator cannot name a peer that does not agree."""

    def payload(self, genesis_hash: Hash) -> bytes:
        """What validator and peer sign: domain, chain, and every field before the signatures."""
        fields = (self.validator, self.peer, self.addresses, self.made_at)
        return RECORD_DOMAIN + genesis_hash + encode(fields, _Fields)


_Fields = tuple[ValidatorId, str, tuple[str, ...], U64]


@variant(0)
@dataclass(frozen=True, slots=True)
class Known:
    """Records on the wire."""

    records: Annotated[tuple[ValidatorRecord, ...], MaxLen(MAX_RECORDS)]


@variant(1)
@dataclass(frozen=True, slots=True)
class Lacking:
    """The sender asks for the records of these validators."""

    validators: Annotated[tuple[ValidatorId, ...], MaxLen(MAX_LACKING)]


Discovery = Known | Lacking


@dataclass(slots=True)
class Directory:
    """The newest record of each validator that counts; the first is the one that came first."""

    records: dict[ValidatorId, ValidatorRecord] = field(default_factory=dict)
    expected: dict[ValidatorId, None] = field(default_factory=dict)
    """The validators of this and the next session of the leaves that we work on; then those of
    past sessions, who hold the data of candidates that may be disputed."""
    early: OrderedDict[ValidatorId, ValidatorRecord] = field(default_factory=OrderedDict)

    def keep_early(self, record: ValidatorRecord) -> None:
        self.early[record.validator] = record
        if len(self.early) > MAX_EARLY:
            self.early.popitem(last=False)


@dataclass(slots=True)
class RecordKnowledge:
    """What records a peer has, as far as we know, and which of them came from it: validator to
    ``made_at``."""

    has: dict[ValidatorId, int] = field(default_factory=dict)
    told_us: dict[ValidatorId, int] = field(default_factory=dict)
    asked_at: float = float("-inf")
    """When it asked us last, in seconds by our clock."""


# Whether a record is acceptable: style, habit 8.


def judge(
    directory: Directory, record: ValidatorRecord, verifier: Verifier, genesis_hash: Hash
) -> Verdict[None]:
    """New, of a validator that counts, about addresses of one peer, and signed by both."""
    if record.validator not in directory.expected:
        return Verdict(Acceptance.IGNORE)
    held = directory.records.get(record.validator)
    if held is not None and held.made_at >= record.made_at:
        return Verdict(Acceptance.IGNORE)
    peer_key = public_key_of(record.peer)
    if peer_key is None or not all(_is_address_of(record.peer, it) for it in record.addresses):
        return Verdict(Acceptance.REJECT, COST_MALFORMED)
    payload = record.payload(genesis_hash)
    if not verifier.sr25519(record.validator, payload, record.signature):
        return Verdict(Acceptance.REJECT, COST_BAD_SIGNATURE)
    if not verifier.ed25519(peer_key, payload, record.peer_signature):
        return Verdict(Acceptance.REJECT, COST_BAD_SIGNATURE)
    return Verdict(Acceptance.ACCEPT, BENEFIT_NEW)


def _is_address_of(peer: str, text: str) -> bool:
    try:
        return parse_told(text).peer == peer
    except AddressError:
        return False


def preference(
    leaf: ActiveLeaf, own: ValidatorIndex | None, past: Iterable[ValidatorId] = ()
) -> list[ValidatorId]:
    """The validators to be connected to, dearest first: our own group, this session, the next, past
    ones."""
    validators = leaf.session.validators
    group = next((group for group in leaf.groups.groups if own in group), ())
    ordered = dict.fromkeys(validators[index] for index in group)
    ordered.update(dict.fromkeys(validators))
    ordered.update(dict.fromkeys(leaf.next_validators))
    ordered.update(dict.fromkeys(past))
    return list(ordered)


class PeerSetManager(Subsystem):
    """Knows validators by their peers, and steers the network towards them."""

    name = "peer-set-manager"
    receives = (PeerSetNetwork, ResolveValidators)
    sends: ClassVar[tuple[type[Message], ...]] = (
        RegisterEventProducer,
        SendMessage,
        ReportPeer,
        NewValidatorPeers,
    )

    def __init__(
        self,
        keys: KeyStore,
        verifier: Verifier,
        steering: PeerSteering,
        local_peer: PeerId,
        genesis_hash: Hash,
        validators_are: Callable[[Sequence[PeerId]], None],
    ) -> None:
        """``validators_are`` is told what the bridge is, for those who gossip beside it."""
        self._keys = keys
        self._verifier = verifier
        self._steering = steering
        self._local_peer = local_peer
        self._genesis_hash = genesis_hash
        self._validators_are = validators_are
        self._peers = GossipPeers()
        self._known: dict[PeerId, RecordKnowledge] = {}
        self._directory = Directory()
        self._leaves: dict[Hash, ActiveLeaf] = {}
        self._past = PastValidators()
        self._prioritised: list[PeerId] = []
        self._validators = ValidatorPeers(())
        self._stirred = trio.Event()
        """Set when there may be somebody new to ask, or something new to ask for."""

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        for peer_set in PeerSet:
            ctx.send(
                RegisterEventProducer(VALIDATOR_DISCOVERY, peer_set, PeerSetNetwork, views=False)
            )
        ctx.spawn(None, self._ask_for_lacking, "find validators")

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(leaf):
                self._leaves[leaf.hash] = leaf
                self._past.note(leaf)
                self._expect()
                self._make_known()
                self._prioritise()
                if self._lacking():
                    self._stirred.set()
            case StopWork(relay_parent):
                self._leaves.pop(relay_parent, None)

    async def _ask_for_lacking(self) -> None:
        """Take account of the records that have come, all at once; and as long as some are lacking,
        ask now this peer, now that."""
        while True:
            await self._stirred.wait()
            await self.ctx.clock.sleep(ASK_FIRST_S)
            self._stirred = trio.Event()
            self._prioritise()
            pause_s = ASK_FIRST_S
            while (lacking := self._lacking()) and (peers := self._peers.all()):
                peer = peers[self.ctx.random.below(len(peers))]
                self._send(peer, Lacking(tuple(lacking[:MAX_LACKING])))
                pause_s = min(2 * pause_s, ASK_LAST_S)
                await self.ctx.clock.sleep(pause_s)
                self._prioritise()

    # Handlers

    def on_message(self, message: Message) -> None:
        match message:
            case PeerSetNetwork(event):
                self._on_network(event)
            case ResolveValidators(validators):
                records = self._directory.records
                found = {v: PeerId(records[v].peer) for v in validators if v in records}
                message.reply.answer(found)

    def _on_network(self, event: NetworkBridgeEvent) -> None:
        self._peers.note(event)
        match event:
            case PeerConnected(peer):
                self._known[peer] = RecordKnowledge()
                self._tell(peer, self._own_records())
                self._stirred.set()
            case PeerDisconnected(peer):
                self._known.pop(peer, None)
            case PeerMessage(peer, payload) if peer in self._known:
                try:
                    message: Discovery = decode_once(Discovery, payload)
                except ScaleDecodeError:
                    self.ctx.send(ReportPeer(peer, COST_MALFORMED))
                    return
                if isinstance(message, Lacking):
                    self._on_lacking(peer, message.validators)
                    return
                for record in message.records:
                    self._on_record(peer, record)

    def _on_lacking(self, peer: PeerId, validators: tuple[ValidatorId, ...]) -> None:
        known, now = self._known[peer], self.ctx.clock.now()
        if 0 <= now - known.asked_at < ASK_FIRST_S / 2:
            self.ctx.send(ReportPeer(peer, COST_ASKS_TOO_OFTEN))
            return
        known.asked_at = now
        records = self._directory.records
        wanted = [records[validator] for validator in validators if validator in records]
        for record in wanted:  # it says so: whatever we told it did not arrive
            known.has.pop(record.validator, None)
        self._tell(peer, wanted)

    def _on_record(self, peer: PeerId, record: ValidatorRecord) -> None:
        known, validator = self._known[peer], record.validator
        if validator not in self._directory.expected:
            self._directory.keep_early(record)
            return
        held = validator in self._directory.records
        if held and known.told_us.get(validator) == record.made_at:
            self.ctx.send(ReportPeer(peer, COST_DUPLICATE))
            return
        verdict = judge(self._directory, record, self._verifier, self._genesis_hash)
        self._peers.report(self.ctx, peer, verdict.change)
        if verdict.acceptance is Acceptance.REJECT:
            return
        known.told_us[validator] = record.made_at
        known.has[validator] = max(record.made_at, known.has.get(validator, 0))
        if verdict.acceptance is Acceptance.ACCEPT:
            self._take(record)
            self._stirred.set()

    # Routines

    def _expect(self) -> None:
        """Take account of a leaf's validators: forget who does not count any more, and look
        again at the records that came too early."""
        directory = self._directory
        directory.expected = {
            validator: None
            for leaf in self._leaves.values()
            for validator in (*leaf.session.validators, *leaf.next_validators)
        } | dict.fromkeys(self._past)
        for gone in [v for v in directory.records if v not in directory.expected]:
            directory.keep_early(directory.records.pop(gone))
        for validator in [v for v in directory.early if v in directory.expected]:
            record = directory.early.pop(validator)
            verdict = judge(directory, record, self._verifier, self._genesis_hash)
            if verdict.acceptance is Acceptance.ACCEPT:
                self._take(record)

    def _take(self, record: ValidatorRecord) -> None:
        """Keep a new record. Our own goes to everybody; another's to a few, if it replaces one
        that they may have: who has none asks."""
        outdated = self._directory.records.get(record.validator)
        self._directory.records[record.validator] = record
        peers: Sequence[PeerId] = self._peers.all()
        if record.peer != self._local_peer:
            self._steering.learn_addresses(record.addresses)
            peers = ()
            if outdated is not None:
                validators = len(self._directory.expected)
                peers = self._peers.to_pass_on(
                    self.ctx.random, validators, lambda peer: self._lacks(peer, record)
                )
        for peer in peers:
            self._tell(peer, (record,))

    def _own_records(self) -> list[ValidatorRecord]:
        records = self._directory.records.values()
        return [record for record in records if record.peer == self._local_peer]

    def _lacking(self) -> list[ValidatorId]:
        """The validators that count and of which we have no record, but for ourselves."""
        ours = self._keys.public_keys(KeyType.PARACHAIN)
        records = self._directory.records
        return [
            validator
            for validator in self._directory.expected
            if validator not in records and validator not in ours
        ]

    def _lacks(self, peer: PeerId, record: ValidatorRecord) -> bool:
        return self._known[peer].has.get(record.validator, -1) < record.made_at

    def _tell(self, peer: PeerId, records: Iterable[ValidatorRecord]) -> None:
        known = self._known[peer].has
        lacking = [record for record in records if self._lacks(peer, record)]
        for start in range(0, len(lacking), MAX_RECORDS):
            batch = tuple(lacking[start : start + MAX_RECORDS])
            known.update({record.validator: record.made_at for record in batch})
            self._send(peer, Known(batch))

    def _send(self, peer: PeerId, message: Discovery) -> None:
        payload = encode(message, Discovery)
        self.ctx.send(SendMessage((peer,), VALIDATOR_DISCOVERY, payload))

    def _make_known(self) -> None:
        """Sign a record of our own when there is none, or it is old or outdated."""
        addresses = self._own_addresses()
        now_ms = int(self.ctx.clock.now() * 1000)
        for key in self._keys.public_keys(KeyType.PARACHAIN):
            validator = ValidatorId(H256(key))
            if validator not in self._directory.expected:
                continue
            held = self._directory.records.get(validator)
            if held is not None and self._is_current(held, addresses, now_ms):
                continue
            newer = max(now_ms, held.made_at + 1 if held is not None else 0)
            self._take(self._signed(key, addresses, U64(newer)))
            self.ctx.journal.record("peers.made_known", validator=key, peer=self._local_peer)

    def _own_addresses(self) -> tuple[str, ...]:
        """Those at which others can reach us; one that stands for all of a machine says nothing."""
        ours = self._steering.listen_addresses
        return tuple(it for it in ours if _is_address_of(self._local_peer, it))[:MAX_ADDRESSES]

    def _signed(self, key: bytes, addresses: tuple[str, ...], made_at: U64) -> ValidatorRecord:
        """A record of ours, by one of our keys."""
        unsigned = H512(bytes(64))
        draft = ValidatorRecord(
            ValidatorId(H256(key)),
            self._local_peer,
            addresses,
            made_at,
            ValidatorSignature(unsigned),
            PeerSignature(unsigned),
        )
        payload = draft.payload(self._genesis_hash)
        signature = self._keys.sign(KeyType.PARACHAIN, key, payload, [])
        return replace(
            draft,
            signature=ValidatorSignature(H512(signature)),
            peer_signature=PeerSignature(H512(self._steering.sign(payload))),
        )

    def _is_current(self, held: ValidatorRecord, addresses: Sequence[str], now_ms: int) -> bool:
        same = held.peer == self._local_peer and held.addresses == addresses
        return same and now_ms - held.made_at < REFRESH_S * 1000

    def _prioritise(self) -> None:
        """Tell the network whom we want most, and those who gossip who validates, by the newest
        leaf."""
        newest = next(reversed(self._leaves.values()), None)
        if newest is None:
            return
        own = newest.session.own_index(self._keys)
        peers = self._peers_of(preference(newest, own, self._past))
        if peers != self._prioritised:
            self._prioritised = peers
            self._steering.prioritise(peers)
        validators = ValidatorPeers(tuple(self._peers_of(newest.session.validators)))
        if validators != self._validators:
            self._validators = validators
            self.ctx.send(NewValidatorPeers(validators))
            self._validators_are(validators.peers)

    def _peers_of(self, validators: Iterable[ValidatorId]) -> list[PeerId]:
        """The peers of those that made themselves known, but us."""
        records = self._directory.records
        peers = (PeerId(records[each].peer) for each in validators if each in records)
        return [peer for peer in dict.fromkeys(peers) if peer != self._local_peer]
