"""The collator SDK: what the author of a parachain derives from (A96, D17)."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from parahost.parachains.store import Store
from parahost.ports import BuildContext, Clock, Database, Journal, ParachainBlock
from parahost.primitives.basic import HeadData, ParaId
from parahost.primitives.errors import InputError

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[None]]


class CollatorFailed(InputError):
    """The collator cannot go on: one line that says why and what to do. Its node stops."""


@dataclass(frozen=True, slots=True)
class Services:
    """What a collator has of its node.

    ``genesis_head`` is the head with which the para began. ``spawn`` runs a job beside the others
    until the node stops. An exception ends the job and is written to the node's log; only
    :class:`CollatorFailed` stops the node.
    """

    para_id: ParaId
    genesis_head: HeadData
    store: Store
    journal: Journal
    clock: Clock
    spawn: Callable[[Job], None]


class Collator(ABC):
    """Makes one parachain's blocks.

    The relay chain holds a *head* for each para: some bytes in which the parachain says where it
    is. Whenever the para may have a block, :meth:`build` is asked for one on a head, and gives the
    block's data and the head that follows from them. Validators give both to the validation
    function, which must come to the same head.

    That a block was built does not mean that it counts: it may come too late, or on a fork of the
    relay chain that is left. So keep what you know per head, and move on only with
    :meth:`on_included` and :meth:`on_finalized`. An instance is made of the ``args`` of the
    parachain's TOML file, given by name; what is wrong with them is raised as ``ValueError``.

    ::

        class Counter(Collator):
            def __init__(self, step: int = 1) -> None:
                self.step = step

            def genesis_head(self, para_id):
                return HeadData(bytes(8))

            async def build(self, parent_head, context):
                number = int.from_bytes(parent_head, "little") + self.step
                return ParachainBlock(
                    block_data=self.step.to_bytes(8, "little"),
                    head=HeadData(number.to_bytes(8, "little")),
                )
    """

    services: Services
    """There from :meth:`start` on."""

    def genesis_head(self, para_id: ParaId) -> HeadData | None:
        """The head that the para begins with, for a TOML file that names none. Called before
        :meth:`start`."""
        return None

    async def start(self, services: Services) -> None:
        """Called once, before any block is asked for: read the store, open what you serve. Who
        overrides it calls this first.

        :raises CollatorFailed: when the collator cannot work.
        """
        self.services = services

    @abstractmethod
    async def build(self, parent_head: HeadData, context: BuildContext) -> ParachainBlock | None:
        """A block on that head, or ``None`` for none now.

        Cancelled after ``context.time_limit_s`` seconds, or when the relay chain has moved on. May
        be asked for the same head again, and for heads on several forks. An exception is written
        to the node's log and counts as no block.
        """

    def on_included(self, head: HeadData) -> None:  # noqa: B027
        """The para's head in the newest relay block. It changes with each block that is included,
        and may go back when the relay chain reorganises. Must not wait."""

    def on_finalized(self, head: HeadData) -> None:  # noqa: B027
        """The para's head in the final relay block: nothing before it comes back. Must not wait."""


@asynccontextmanager
async def running(
    collator: Collator,
    *,
    para_id: ParaId,
    genesis_head: HeadData,
    database: Database,
    journal: Journal,
    clock: Clock,
) -> AsyncIterator[None]:
    """The collator, started, with its jobs; they are cancelled at the end.

    :raises CollatorFailed: when it cannot start.
    """
    async with trio.open_nursery() as nursery:

        def spawn(job: Job) -> None:
            nursery.start_soon(_run_job, job, para_id, journal)

        services = Services(para_id, genesis_head, Store(database), journal, clock, spawn)
        await collator.start(services)
        yield
        nursery.cancel_scope.cancel()


async def _run_job(job: Job, para_id: ParaId, journal: Journal) -> None:
    try:
        await job()
    except CollatorFailed:
        raise
    except (Exception, SystemExit) as error:
        log.error("a job of the collator failed: %r", error, exc_info=error)
        journal.record("collator.failed", para=para_id, reason=repr(error))
