"""A node from its command line to its end."""

from __future__ import annotations

import logging
import signal
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import trio

from parahost.crypto.keystore import KeyDirectory, ProtectedKeyStore
from parahost.crypto.verifier import DirectVerifier
from parahost.network.libp2p_network import Libp2pNetwork
from parahost.node.node import Collating, Node, Ports, Role
from parahost.parachains import Collator, ParachainSpec, running
from parahost.process.base_path import BasePath
from parahost.process.journal import JournalFile, JournalHandler
from parahost.process.system import SystemClock, SystemRandom
from parahost.runtime.chain_spec import ChainSpec
from parahost.storage.lmdb import LmdbDatabase
from parahost.validation import ValidationPool

WORKERS = {Role.VALIDATOR: 2, Role.COLLATOR: 1, Role.FULL: 1}
"""Processes in which a node executes validation functions, by role."""


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """What a node is started with. ``listen`` and ``bootnodes`` are multiaddresses."""

    name: str
    chain: Path
    role: Role
    base_path: Path
    listen: Sequence[str] = ("/ip4/127.0.0.1/tcp/0",)
    bootnodes: Sequence[str] = ()
    parachain: ParachainSpec | None = None
    """For a collator: its parachain."""
    archive: bool = False
    log: Path | None = None


async def run_node(options: NodeOptions) -> None:
    """Run until a signal asks to stop.

    :raises Exception: what is wrong with the files, the port or the spec, each in one line.
    """
    clock, random = SystemClock(), SystemRandom()
    spec = ChainSpec.from_json(options.chain.read_text(), str(options.chain))
    base = BasePath(options.base_path)
    genesis = spec.genesis_state()
    journal = JournalFile(options.log or base.log, clock)
    logging.getLogger("parahost").addHandler(JournalHandler(journal))
    database = LmdbDatabase(base.database)
    try:
        network = Libp2pNetwork(
            base.load_node_key(),
            listen=options.listen,
            genesis=spec.genesis_hash(),
            role=options.role.observed,
            bootnodes=[*spec.boot_nodes, *options.bootnodes],
            clock=clock,
            random=random,
        )
        async with AsyncExitStack() as stack:
            host = await stack.enter_async_context(
                ValidationPool(base.artifacts, workers=WORKERS[options.role])
            )
            ports = Ports(
                clock,
                random,
                journal,
                database,
                ProtectedKeyStore(KeyDirectory(base.keystore).load(), database),
                network,
                network,
                DirectVerifier(),
                host,
            )
            collating = None
            if options.parachain is not None:
                collator = options.parachain.make_collator()
                await stack.enter_async_context(_working(collator, options.parachain, ports))
                collating = Collating(collator, options.parachain.id)
            node = Node(genesis, options.role, ports, collating=collating, archive=options.archive)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_stop_on_signal, nursery.cancel_scope)
                await nursery.start(node.run)
                await nursery.start(network.run)
                journal.record("node.started", name=options.name, role=options.role.value)
    finally:
        database.close()
        journal.record("node.stopped", name=options.name)
        journal.close()


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


async def _stop_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
