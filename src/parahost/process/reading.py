"""Reading what a node has left on its disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from parahost.chain.chain import Chain
from parahost.consensus.babe.epochs import EpochView
from parahost.crypto.verifier import DirectVerifier
from parahost.process.base_path import BasePath
from parahost.process.system import SystemClock
from parahost.runtime.chain_spec import ChainSpec
from parahost.runtime.executive import Runtime
from parahost.storage.lmdb import LmdbDatabase


@contextmanager
def stopped_chain(base_path: Path, spec: ChainSpec) -> Iterator[Chain]:
    """The chain in the base path of a node that does not run: blocks, which are final, and states.

    States of final blocks are there only for the newest ones, unless the node was started with
    ``--archive``.

    :raises FileNotFoundError: when no node has been there.
    :raises DatabaseInUse: when one runs there.
    :raises ForeignDatabase: when it is of another chain.
    :raises DatabaseDamaged: when its files are.
    """
    place = BasePath(base_path).database
    if not place.is_dir():
        raise FileNotFoundError(f"{place}: no node has kept a chain here")
    verifier = DirectVerifier()
    genesis = spec.genesis_state()
    with closing(LmdbDatabase(place)) as database:
        yield Chain.open(
            database,
            genesis,
            EpochView.of_genesis(genesis),
            execute=Runtime(verifier).execute_block,
            verifier=verifier,
            clock=SystemClock(),
        )
