"""A collator at work without a relay chain: heads follow heads as the test says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from parahost.parachains.code import ExampleName, example_code
from parahost.parachains.collator import Collator, Job, Services
from parahost.parachains.store import Store
from parahost.ports import BuildContext, Database, ParachainBlock
from parahost.ports.validation import ExecutionKind
from parahost.primitives.basic import (
    H256,
    U32,
    ZERO_HASH,
    BlockNumber,
    HeadData,
    ParaId,
    ValidationCodeHash,
)
from parahost.storage import MemoryDatabase
from parahost.validation import InProcessHost
from tests.node.harness import ListJournal, TrioClock
from tests.parachains.params import RELAY_PARENT_NUMBER, head_of, validation_params

HOST = InProcessHost()
PARA = ParaId(U32(2000))


@dataclass
class Bench:
    """One collator, with its disk."""

    collator: Collator
    disk: Database = field(default_factory=MemoryDatabase)
    journal: ListJournal = field(default_factory=ListJournal)
    jobs: list[Job] = field(default_factory=list)

    @property
    def genesis(self) -> HeadData:
        head = self.collator.genesis_head(PARA)
        assert head is not None
        return head

    async def start(self) -> Bench:
        services = Services(
            PARA, self.genesis, Store(self.disk), self.journal, TrioClock(), self.jobs.append
        )
        await self.collator.start(services)
        return self

    async def build(
        self, parent: HeadData, max_pov_size: int = 10 * 1024 * 1024
    ) -> ParachainBlock | None:
        number = BlockNumber(U32(RELAY_PARENT_NUMBER))
        context = BuildContext(
            ZERO_HASH,
            number,
            H256(bytes(32)),
            max_pov_size,
            time_limit_s=1.0,
            validation_code_hash=ValidationCodeHash(ZERO_HASH),
            new_code_allowed_from=number,
            new_code_expected_at=number,
            planned_upgrade=None,
        )
        return await self.collator.build(parent, context)

    async def checked(self, name: ExampleName, parent: HeadData) -> HeadData:
        """Build, and let the validation function judge; the new head."""
        block = await self.build(parent)
        assert block is not None
        params = validation_params(parent, block.block_data)
        outcome = HOST.run(example_code(name), params, ExecutionKind.BACKING)
        assert head_of(outcome) == block.head
        return block.head


def toml(values: Mapping[str, Any]) -> str:
    """A flat table as TOML."""
    return "".join(f"{key} = {value!r}\n".replace("'", '"') for key, value in values.items())
