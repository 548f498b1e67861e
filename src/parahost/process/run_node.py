"""A node from its options to its end."""

from __future__ import annotations

import gc
import inspect
import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    ExitStack,
    closing,
    contextmanager,
)
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from parahost.chain.errors import ForeignDatabase
from parahost.crypto.keystore import KeyDirectory
from parahost.crypto.remembering import RememberingVerifier
from parahost.crypto.verifier import DirectVerifier
from parahost.metrics.meter import NodeMeter
from parahost.network.libp2p_network import Libp2pNetwork
from parahost.network.metrics import NETWORK_METRICS
from parahost.node.collation.bans import FIRST_BAN_S
from parahost.node.node import Collating, Node, Ports
from parahost.node.role import Role
from parahost.node.tallies import counted
from parahost.parachains import Collator, ParachainSpec, running
from parahost.ports import DatabaseDamaged, Journal, KeyStore, KeyType
from parahost.primitives.errors import InputError
from parahost.process.base_path import BasePath
from parahost.process.development import DevelopmentControl
from parahost.process.executor import ThreadExecutor
from parahost.process.journal import JournalFile, JournalHandler
from parahost.process.memory import give_back_large_memory
from parahost.process.prometheus import MetricsServer, PrometheusOptions
from parahost.process.promises import open_keys
from parahost.process.system import SkewedClock, SystemClock, SystemRandom
from parahost.process.vitals import PROCESS_METRICS, vitals
from parahost.process.watchdog import Watchdog
from parahost.rpc.served import ServedNode
from parahost.rpc.server import RpcOptions, RpcServer
from parahost.runtime.chain_spec import BadChainSpec, ChainSpec
from parahost.storage.lmdb import LmdbDatabase
from parahost.validation import ValidationPool, confinement

if TYPE_CHECKING:
    from trio_typing import TaskStatus

NEEDED_KEYS = {
    Role.VALIDATOR: (KeyType.BABE, KeyType.GRANDPA, KeyType.PARACHAIN),
    Role.COLLATOR: (KeyType.COLLATOR,),
    Role.FULL: (),
}
"""What a role signs with. A validator may lack some for a time; then it does not do its part."""
VALIDATION_WORKERS = {Role.VALIDATOR: 2, Role.COLLATOR: 1, Role.FULL: 1}
"""Processes in which a node executes validation functions, by role."""


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """What a node is started with. Addresses and peers are multiaddresses."""

    name: str
    chain: Path
    role: Role
    base_path: Path
    listen: Sequence[str] = ("/ip4/127.0.0.1/tcp/0",)
    bootnodes: Sequence[str] = ()
    reserved_peers: Sequence[str] = ()
    public_addresses: Sequence[str] = ()
    """Where others reach the node, if not where it listens."""
    parachain: ParachainSpec | None = None
    """For a collator: its parachain."""
    archive: bool = False
    log: Path | None = None
    collator_ban_s: float = FIRST_BAN_S
    """For how long a validator does not hear a collator after an invalid block, at first."""
    insecure_workers: bool = False
    """Let a validator execute code where the kernel cannot confine its workers."""
    rpc: RpcOptions = field(default_factory=RpcOptions)
    prometheus: PrometheusOptions = field(default_factory=PrometheusOptions)
    development_control: bool = False
    """Do what the base path's ``development.json`` says: a wrong clock, cut links."""


class WorkersUnconfined(InputError):
    """The kernel lacks what would confine a validator's workers, which execute strangers' code."""

    def __init__(self, lacking: list[str]) -> None:
        super().__init__(
            f"this kernel lacks {' and '.join(lacking)}, so a validation function that breaks out"
            " of its sandbox could read this validator's keys. Use another kernel, or consent by"
            " --insecure-workers"
        )
        self.lacking = lacking


class BadBasePath(InputError):
    """What lies on the base path cannot be used for this chain; says where, why, what to do."""


class LacksKey(BadBasePath):
    """A key that the node's role needs is not in its keystore."""

    def __init__(self, base: BasePath, role: Role, key_type: KeyType) -> None:
        purpose = key_type.name.lower()
        super().__init__(
            f"a {role.value} signs with its {purpose} key, and there is none in {base.keystore}:"
            f" `parahost keys insert --base-path {base.root} --purpose {purpose} -`"
        )
        self.key_type = key_type


class DamagedChain(BadBasePath):
    """The chain's database is damaged. It can go: keys and promises lie elsewhere."""

    def __init__(self, path: Path, damage: DatabaseDamaged) -> None:
        super().__init__(
            f"{damage} ({path}). Stop the node, move {path} away, and start it again: the chain"
            " comes anew from peers. Leave keystore and promises where they are. What peers do not"
            " have is lost with it: available data that only this node kept, a collator's tables"
        )
        self.path = path
        self.damage = damage


async def run_node(options: NodeOptions) -> None:
    """Run until a signal asks to stop.

    :raises Exception: what is wrong with the files, the port or the spec, each in one line.
    """
    give_back_large_memory()
    async with trio.open_nursery() as nursery:
        await nursery.start(_stop_on_signal, nursery.cancel_scope)
        spec = read_chain_spec(options.chain)
        base = BasePath(options.base_path)
        try:
            with closing(LmdbDatabase(base.database)) as database:
                log, meter = JournalFile(options.log or base.log, SystemClock()), NodeMeter()
                journal = counted(log, meter)
                with closing(log), heard_in(journal):
                    await nursery.start(_reopen_on_signal, log)
                    await _run(options, spec, base, database, journal, meter)
        except DatabaseDamaged as damage:
            raise DamagedChain(base.database, damage) from damage


def read_chain_spec(path: Path) -> ChainSpec:
    """:raises BadChainSpec: when it is none.
    :raises OSError: when it cannot be read.
    """
    try:
        return ChainSpec.from_json(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 text at byte {error.start}"
        raise BadChainSpec(str(path), "(whole file)", reason) from error


async def _run(
    options: NodeOptions,
    spec: ChainSpec,
    base: BasePath,
    database: LmdbDatabase,
    journal: Journal,
    meter: NodeMeter,
) -> None:
    _tell_of_workers(options, journal)
    clock, random = SkewedClock(), SystemRandom()
    network = Libp2pNetwork(
        base.load_node_key(),
        listen=options.listen,
        genesis=spec.genesis_hash(),
        role=options.role.observed,
        bootnodes=[*spec.boot_nodes, *options.bootnodes],
        public_addresses=options.public_addresses,
        clock=clock,
        random=random,
        journal=journal,
    )
    meter.declare(*NETWORK_METRICS, *PROCESS_METRICS)
    meter.read_from(network.readings)
    meter.read_from(vitals(options.name, clock.now()))
    for address in options.reserved_peers:
        network.add_reserved(address)
    control = DevelopmentControl(base.development, clock, network, journal)
    if options.development_control:
        control.allow(spec)
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(
            ValidationPool(base.artifacts, workers=VALIDATION_WORKERS[options.role])
        )
        ports = Ports(
            clock,
            random,
            journal,
            database,
            _keys(options, base, database, journal, stack),
            network,
            network,
            RememberingVerifier(DirectVerifier()),
            host,
            ThreadExecutor(),
            meter,
        )
        collating = None
        if options.parachain is not None:
            collator = options.parachain.make_collator()
            await stack.enter_async_context(_working(collator, options.parachain, ports))
            collating = Collating(collator, options.parachain.id, options.parachain.expected())
        try:
            node = Node(
                spec.genesis_state(),
                options.role,
                ports,
                collating=collating,
                archive=options.archive,
                collator_ban_s=options.collator_ban_s,
            )
        except ForeignDatabase as error:
            raise BadBasePath(f"{base.database}: {error}") from error
        # All that is here now stays. The cycle collector would go through it again and again, and
        # hold the loop for 80 ms each time.
        gc.freeze()
        async with trio.open_nursery() as nursery:
            if collating is not None:
                suspect = inspect.getsourcefile(type(collating.collator))
                nursery.start_soon(Watchdog(journal, suspect).run)
            await nursery.start(node.run)
            await nursery.start(network.run)
            if options.development_control:
                nursery.start_soon(control.run)
            _tell_of_start(options, node, network)
            await _serve(options, spec, node, nursery)


async def _serve(options: NodeOptions, spec: ChainSpec, node: Node, nursery: trio.Nursery) -> None:
    """Let clients in, and who reads the metrics, and tell where."""
    served = ServedNode(node, spec, ThreadExecutor())
    server = RpcServer(served, options.rpc, node.ports.clock)
    port = await nursery.start(server.run)
    node.ports.journal.record("rpc.listening", port=port)
    print(f"{options.name}: serves JSON-RPC on ws://127.0.0.1:{port}", flush=True)
    port = await nursery.start(MetricsServer(node.ports.meter, options.prometheus).run)
    node.ports.journal.record("prometheus.listening", port=port)
    print(f"{options.name}: tells its metrics on http://127.0.0.1:{port}/metrics", flush=True)


def _keys(
    options: NodeOptions,
    base: BasePath,
    database: LmdbDatabase,
    journal: Journal,
    stack: AsyncExitStack,
) -> KeyStore:
    """The key store. What is wrong with the keys is told to the journal and to who started the
    node.

    :raises LacksKey: when the node can do nothing without the key that is not there.
    """
    directory = KeyDirectory(base.keystore)
    resources = stack.enter_context(ExitStack())
    guarded = open_keys(base, directory.load(), database, resources)
    for file in directory.exposed():
        journal.record("keys.exposed", file=file)
        print(f"{options.name}: others may read or change {file}: chmod 600", flush=True)
    if (incomplete := guarded.incomplete) is not None:
        journal.record("promises.incomplete", place=incomplete.place, why=incomplete.why)
        print(f"{options.name}: {incomplete}", flush=True)
        return guarded.store
    for key_type in NEEDED_KEYS[options.role]:
        if not guarded.store.public_keys(key_type):
            lacking = LacksKey(base, options.role, key_type)
            if key_type is KeyType.COLLATOR:
                raise lacking
            journal.record("keys.lacking", purpose=key_type.name.lower())
            print(f"{options.name}: {lacking}", flush=True)
    return guarded.store


def _tell_of_workers(options: NodeOptions, journal: Journal) -> None:
    """:raises WorkersUnconfined: when a validator's would be, and nobody has accepted that."""
    lacking = confinement.lacking()
    if lacking and options.role is Role.VALIDATOR and not options.insecure_workers:
        raise WorkersUnconfined(lacking)
    if lacking:
        journal.record("workers.unconfined", lacking="; ".join(lacking))
    else:
        journal.record("workers.confined")


def _tell_of_start(options: NodeOptions, node: Node, network: Libp2pNetwork) -> None:
    """To the journal, and to who started it: others need the address as their ``--bootnode``."""
    journal, log = node.ports.journal, options.log or BasePath(options.base_path).log
    best, final = node.chain.best.number, node.chain.finalized.number
    role = options.role.value
    journal.record("node.started", name=options.name, role=role, best=best, final=final)
    print(f"{options.name}: {role} node of 0x{node.chain.genesis_hash.hex()}, at block #{best}")
    for address in network.listen_addresses:
        journal.record("node.listening", address=address)
        print(f"{options.name}: listens on {address}")
    print(f"{options.name}: logs to {log}", flush=True)


@contextmanager
def heard_in(journal: Journal) -> Iterator[None]:
    """The journal has what modules log, and how the node ended."""
    handler = JournalHandler(journal)
    log = logging.getLogger("parahost")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    except Exception as error:
        journal.record("node.failed", error="; ".join(map(repr, _single(error))))
        raise
    finally:
        log.removeHandler(handler)
        journal.record("node.stopped")


def _single(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group, of its groups too."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _single(inner)
    else:
        yield error


def _working(
    collator: Collator, spec: ParachainSpec, ports: Ports
) -> AbstractAsyncContextManager[None]:
    """The collator at work beside its node."""
    return running(
        collator,
        para_id=spec.id,
        genesis_head=spec.genesis_head,
        database=ports.database,
        journal=ports.journal,
        clock=ports.clock,
    )


async def _stop_on_signal(
    scope: trio.CancelScope, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            scope.cancel()


async def _reopen_on_signal(
    journal: JournalFile, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """SIGHUP is what rotates logs: the journal goes on in a new file of the same name."""
    with trio.open_signal_receiver(signal.SIGHUP) as signals:
        task_status.started()
        async for _ in signals:
            journal.reopen()
