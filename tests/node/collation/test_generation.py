"""Collation Generation: candidates that validate, one per relay parent; claims of a parathread."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from parahost.crypto.verifier import DirectVerifier
from parahost.node.collation.generation import CollationGeneration
from parahost.node.collation.para_standing import Expected
from parahost.node.messages.collation import DistributeCollation
from parahost.node.messages.utility import CandidateInvalid, CandidateValid, ValidateCandidate
from parahost.node.overseer import Overseer
from parahost.node.utility.candidate_validation import check_before_execution, judge_result
from parahost.node.utility.runtime_api import RuntimeApi
from parahost.parachains.adder.collator import AdderCollator
from parahost.parachains.code import example_code
from parahost.parachains.collator import Collator
from parahost.ports import (
    BuildContext,
    Database,
    ExecutionKind,
    ParachainBlock,
    Returned,
)
from parahost.primitives.basic import (
    U32,
    BlockNumber,
    HeadData,
    ParaId,
    ValidationCode,
    ValidationCodeHash,
)
from parahost.primitives.candidates import Collation, ValidationParams
from parahost.primitives.events import BlockFinalizationEvent
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Extrinsic
from parahost.primitives.runtime_api import (
    CandidateIncludedEvent,
    CoreScheduled,
    OccupiedCore,
    OccupiedCoreAssumption,
)
from parahost.primitives.scale import encode
from parahost.runtime import api
from parahost.runtime.parachains.configuration import DEFAULT_CONFIGURATION
from parahost.runtime.parathreads import Claim
from parahost.storage import MemoryDatabase
from parahost.validation import InProcessHost
from tests.node.collation.world import (
    COLLATOR,
    EXPECTED,
    PARACHAIN,
    PARATHREAD,
    Scripted,
    States,
    chain,
    collator_keys,
    newest,
    started,
)
from tests.node.harness import ListJournal, make_overseer, running
from tests.runtime.pipeline import inherent_data
from tests.runtime.world import Chain

HOST = InProcessHost()
UPGRADE_DELAY = DEFAULT_CONFIGURATION.validation_upgrade_delay


class Clocks:
    """The test's clock, for a collator that holds the loop."""

    clock: MockClock

    def jump(self, seconds: float) -> None:
        self.clock.jump(seconds)


CLOCK = Clocks()


class Node:
    """A collator's node, but for its network."""

    def __init__(
        self,
        collator: Collator,
        para: ParaId = PARACHAIN,
        database: Database | None = None,
        expected: Expected = EXPECTED,
    ) -> None:
        self.states = States()
        self.submitted: list[Extrinsic] = []
        self.distribution = Scripted([DistributeCollation])
        self.chain = chain()
        generation = CollationGeneration(
            collator,
            para,
            collator_keys(database),
            slot_duration_s=2.0,
            genesis_hash=self.chain.genesis_hash,
            submit=self.submitted.append,
            expected=expected,
        )
        self.overseer: Overseer = make_overseer(
            [generation, self.distribution, RuntimeApi(self.states)]
        )

    @property
    def journal(self) -> ListJournal:
        journal = self.overseer._journal
        assert isinstance(journal, ListJournal)
        return journal

    async def show(self) -> list[Collation]:
        """Import the chain's newest block; the collations made so far."""
        self.states.note(self.chain)
        self.overseer.block_imported(newest(self.chain))
        await wait_all_tasks_blocked()
        return self.made()

    def made(self) -> list[Collation]:
        return [message.collation for message in self.distribution.of(DistributeCollation)]


def judged(
    chain: Chain, collation: Collation, assumption: OccupiedCoreAssumption
) -> CandidateValid | CandidateInvalid | object:
    """What a validator says of it on the chain's newest block."""
    descriptor = collation.receipt.descriptor
    data = api.persisted_validation_data(chain.state, descriptor.para_id, assumption)
    criteria = api.acceptance_criteria(chain.state, descriptor.para_id, assumption)
    assert data is not None and criteria is not None
    request = ValidateCandidate(
        descriptor,
        collation.receipt.commitments.hash(),
        data,
        example_code("adder"),
        criteria,
        collation.pov,
        ExecutionKind.BACKING,
    )
    assert check_before_execution(request, DirectVerifier()) is None
    params = ValidationParams(
        data.parent_head,
        collation.pov.block_data,
        data.relay_parent_number,
        data.relay_parent_storage_root,
    )
    outcome = HOST.run(request.code, encode(params), request.kind)
    assert isinstance(outcome, Returned)
    return judge_result(request, outcome.result)


@pytest.mark.guide("A96", "A110", "A114")
async def test_a_collation_is_made_on_each_head_and_validates() -> None:
    node = Node(await started(AdderCollator(add=3)))
    async with running(node.overseer):
        for count in (1, 2):
            node.chain.step()
            made = await node.show()
            assert len(made) == count
            assert made[-1].receipt.descriptor.relay_parent == node.chain.header.hash()
            assert made[-1].receipt.descriptor.collator == COLLATOR.public
            outcome = judged(node.chain, made[-1], OccupiedCoreAssumption.FREE)
            assert isinstance(outcome, CandidateValid)


@pytest.mark.guide("A96", "A80")
async def test_on_an_occupied_core_it_builds_on_the_pending_candidate() -> None:
    asked: list[HeadData] = []

    class Watcher(AdderCollator):
        async def build(self, parent_head: HeadData, context: BuildContext) -> None:
            asked.append(parent_head)

    node = Node(await started(Watcher()))
    node.chain.step()
    node.chain.step(data=inherent_data(node.chain))
    assert isinstance(api.availability_cores(node.chain.state)[0], OccupiedCore)
    async with running(node.overseer):
        await node.show()
    pending = api.candidate_pending_availability(node.chain.state, PARACHAIN)
    assert pending is not None
    assert asked == [pending.commitments.head_data]


@pytest.mark.guide("A96")
async def test_one_collation_per_relay_parent_also_after_a_restart() -> None:
    disk = MemoryDatabase()
    first = Node(await started(AdderCollator(add=1)), database=disk)
    first.chain.step()
    async with running(first.overseer):
        assert len(await first.show()) == 1
    same = Node(await started(AdderCollator(add=1)), database=disk)
    other = Node(await started(AdderCollator(add=2)), database=disk)
    for node, expected in ((same, first.made()), (other, [])):
        node.chain.step()
        assert node.chain.header.hash() == first.chain.header.hash()
        async with running(node.overseer):
            assert await node.show() == expected


class Hopeless(AdderCollator):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    async def build(self, parent_head: HeadData, context: BuildContext) -> Any:
        head, limit = HeadData(b"head"), context.max_pov_size
        match self.how:
            case "raises":
                raise KeyError("the author's mistake")
            case "exits":
                raise SystemExit(3)
            case "its task exits":
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._exit)
            case "fails when cancelled":
                try:
                    await trio.sleep_forever()
                finally:
                    raise KeyError("the author's mistake")
            case "slow":
                await trio.sleep(context.time_limit_s + 1)
            case "blocks":
                CLOCK.jump(context.time_limit_s + 1)
                return ParachainBlock(b"data", head)
            case "large":
                return ParachainBlock(bytes(limit), head)
            case "bytes":
                return b"block"
            case "text":
                return ParachainBlock("block", head)  # type: ignore[arg-type]
            case "array":
                return ParachainBlock(b"block", bytearray(head))  # type: ignore[arg-type]
            case "watermark":
                return ParachainBlock(b"block", head, hrmp_watermark=BlockNumber(U32(1 << 32)))
            case "large head":
                return ParachainBlock(b"block", HeadData(bytes(2 << 20)))
            case "no code":
                return ParachainBlock(b"block", head, new_code=ValidationCode(b""))
        return None

    async def _exit(self) -> None:
        raise SystemExit(3)


HOPELESS = {
    "raises": "build failed: KeyError",
    "exits": "build failed: SystemExit(3)",
    "its task exits": "SystemExit(3)",
    "fails when cancelled": "build failed: KeyError",
    "slow": "build took longer than 1 s",
    "blocks": "build took longer than 1 s",
    "large": "the PoV has 10485764 bytes, 10485760 are allowed",
    "bytes": "build returned bytes",
    "text": "block_data: str, not bytes",
    "array": "head: bytearray, not bytes",
    "watermark": "hrmp_watermark: 4294967296",
    "large head": "the relay chain would not accept it: the head has 2097152 bytes",
    "no code": "the relay chain would not accept it: the validation code is no Wasm",
    "none": "",
}


@pytest.mark.parametrize(("how", "why"), HOPELESS.items())
async def test_a_collator_without_a_block_stops_nothing_and_reads_why(
    how: str, why: str, autojump_clock: MockClock
) -> None:
    """Whatever an author's code does is the author's to see (D17)."""
    CLOCK.clock = autojump_clock
    node = Node(await started(Hopeless(how)))
    node.chain.step()
    async with running(node.overseer):
        await node.show()
        await trio.sleep(5)
        assert node.made() == []
        node.chain.step()
        assert await node.show() == []
    told = [str(fields["reason"]) for name, fields in node.journal.events if name.endswith("_made")]
    assert all(why in reason for reason in told) and bool(told) == bool(why)


async def test_an_exactly_full_block_is_offered() -> None:
    class Full(AdderCollator):
        async def build(self, parent_head: HeadData, context: BuildContext) -> ParachainBlock:
            return ParachainBlock(bytes(context.max_pov_size - 4), HeadData(bytes(32 * 1024)))

    node = Node(await started(Full()))
    node.chain.step()
    async with running(node.overseer):
        (collation,) = await node.show()
    assert len(encode(collation.pov)) == 10 * 1024 * 1024


async def test_the_collator_learns_which_code_judges_its_block() -> None:
    seen: list[BuildContext] = []

    class Curious(AdderCollator):
        async def build(self, parent_head: HeadData, context: BuildContext) -> None:
            seen.append(context)

    node = Node(await started(Curious()))
    node.chain.step()
    async with running(node.overseer):
        await node.show()
    (context,) = seen
    assert context.validation_code_hash == blake2_256(example_code("adder"))
    assert context.new_code_allowed_from == 0
    assert context.new_code_expected_at == context.relay_parent_number + UPGRADE_DELAY
    assert context.planned_upgrade is None


def told(node: Node, event: str) -> list[str]:
    return [str(fields["reason"]) for name, fields in node.journal.events if name == event]


async def test_a_para_that_is_not_registered_is_told_once() -> None:
    node = Node(await started(AdderCollator()), ParaId(U32(9)))
    async with running(node.overseer):
        for _ in range(3):
            node.chain.step()
            await node.show()
    assert told(node, "collation.no_place") == ["para 9 is not registered on this chain"]


async def test_another_genesis_head_and_another_code_than_the_chains_are_told_once() -> None:
    other = Expected(HeadData(b"other"), ValidationCodeHash(blake2_256(b"other")))
    node = Node(await started(AdderCollator()), expected=other)
    async with running(node.overseer):
        await node.show()
        for _ in range(2):
            node.chain.step()
            await node.show()
    (genesis,) = told(node, "collation.other_genesis")
    assert "this collator's has 0x6f74686572 (5 bytes)" in genesis
    (code,) = told(node, "collation.other_code")
    assert blake2_256(example_code("adder")).hex() in code and blake2_256(b"other").hex() in code


async def test_what_is_as_expected_is_not_told() -> None:
    node = Node(await started(AdderCollator()))
    async with running(node.overseer):
        await node.show()
        for _ in range(3):
            node.chain.step()
            await node.show()
    for event in ("no_place", "other_genesis", "other_code", "stands", "not_made"):
        assert told(node, f"collation.{event}") == []


async def test_a_para_that_stands_is_told_at_ten_twenty_and_forty_blocks_and_why() -> None:
    node = Node(await started(Hopeless("bytes")))
    async with running(node.overseer):
        for _ in range(45):
            node.chain.step()
            await node.show()
    why = "build returned bytes, not a ParachainBlock"
    expected = [f"no new head for {count} relay blocks: {why}" for count in (10, 20, 40)]
    assert told(node, "collation.stands") == expected


@pytest.mark.parametrize("error", [ValueError("the author's mistake"), SystemExit(1)])
async def test_a_failing_hook_stops_nothing(error: BaseException) -> None:
    class Listener(AdderCollator):
        def on_included(self, head: HeadData) -> None:
            raise error

    node = Node(await started(Listener()))
    node.chain.step()
    async with running(node.overseer):
        assert len(await node.show()) == 1
    failed = [fields["reason"] for name, fields in node.journal.events if name.endswith(".failed")]
    assert failed == [repr(error)]


async def test_the_collator_hears_what_is_included_and_final() -> None:
    heard: list[tuple[str, HeadData]] = []

    class Listener(AdderCollator):
        def on_included(self, head: HeadData) -> None:
            heard.append(("included", head))

        def on_finalized(self, head: HeadData) -> None:
            heard.append(("final", head))
            raise ValueError("the author's mistake")

    collator = Listener()
    genesis = collator.genesis_head(PARACHAIN)
    node = Node(await started(collator))
    async with running(node.overseer):
        node.chain.step()
        await node.show()
        node.chain.step(data=inherent_data(node.chain))
        await node.show()
        assert heard == [("included", genesis)]
        node.chain.step(data=inherent_data(node.chain))
        await node.show()
        [*_, (kind, head)] = heard
        assert (kind, len(heard)) == ("included", 2) and head != genesis
        node.overseer.block_finalized(
            BlockFinalizationEvent(node.chain.header.hash(), node.chain.header)
        )
        await wait_all_tasks_blocked()
        assert heard[2:] == [("final", head)]


class OnAnything(AdderCollator):
    async def build(self, parent_head: HeadData, context: BuildContext) -> ParachainBlock:
        return ParachainBlock(b"data", HeadData(b"head"))


def scheduled_for_thread(chain: Chain) -> bool:
    cores = api.availability_cores(chain.state)
    return any(isinstance(core, CoreScheduled) and core.para_id == PARATHREAD for core in cores)


@pytest.mark.guide("A96", "A31")
async def test_a_parathread_claims_and_builds_in_turn_for_ever() -> None:
    """Claim, schedule, collate; while the block waits for availability the next claim goes in.
    What is included is a candidate that other hands make, in the collator's name."""
    node = Node(await started(OnAnything(), PARATHREAD), PARATHREAD)
    built, included = [], 0
    async with running(node.overseer):
        for _ in range(12):
            claims = tuple(node.submitted)
            node.submitted.clear()
            node.chain.step(*claims, data=inherent_data(node.chain))
            before = len(node.made())
            await node.show()
            built.append(len(node.made()) - before)
            assert built[-1] == scheduled_for_thread(node.chain)
            included += sum(
                isinstance(event, CandidateIncludedEvent)
                and event.receipt.descriptor.para_id == PARATHREAD
                for event in api.candidate_events(node.chain.state)
            )
    assert built == [0, 1] * 6
    assert included == 5


@pytest.mark.guide("A96", "A31")
async def test_no_collation_and_no_claim_while_the_turn_is_anothers() -> None:
    node = Node(await started(OnAnything(), PARATHREAD), PARATHREAD)
    async with running(node.overseer):
        node.chain.step(node.chain.signed("Eve", Claim(PARATHREAD)))
        assert scheduled_for_thread(node.chain)
        assert await node.show() == []
        assert node.submitted == []
