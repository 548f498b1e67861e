"""The host over many random blocks: whatever happens, the whole storage stays consistent, and
agrees with a small model (the storage is checked after each block by ``World``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from parahost.primitives.basic import U32, HeadData, ValidationCode
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.runtime_api import CoreFree, CoreScheduled, OccupiedCore
from parahost.runtime.errors import DispatchError
from parahost.runtime.parachains.scheduler import OccupiedByParathread
from parahost.runtime.storage import Overlay

from .world import World, block, claim, code, genesis_args, para

THREADS = range(11, 16)


class HostMachine(RuleBasedStateMachine):
    """Parachains and parathreads come and go, are claimed, backed, voted for, upgraded."""

    @initialize(rotation=st.integers(0, 4), chain=st.integers(1, 3), thread=st.integers(1, 3))
    def start(self, rotation: int, chain: int, thread: int) -> None:
        self.world = World(
            validators=5,
            parachains=[1, 2],
            parathreads=THREADS,
            parathread_cores=2,
            parathread_retries=1,
            scheduling_lookahead=2,
            acceptance_period=4,
            validation_upgrade_delay=4,
            validation_upgrade_frequency=3,
            parachain_rotation_frequency=rotation,
            chain_availability_period=chain,
            thread_availability_period=thread,
        )
        self.registered = self._registered()

    def _registered(self) -> set[int]:
        return set(self.world.host.paras.heads.keys(self.world.state))

    @rule(data=st.data())
    def back_and_vote(self, data: st.DataObject) -> None:
        """A block with some votes, and candidates on some of the cores that are free."""
        world = self.world
        occupied = world.pending_cores()
        votes = data.draw(
            st.dictionaries(
                st.integers(0, len(world.validators) - 1),
                st.sets(st.sampled_from(occupied)) if occupied else st.just(set()),
            )
        )
        if data.draw(st.booleans()):
            votes = {index: set(occupied) for index in range(len(world.validators))}
        groups = world.host.scheduler.validator_groups.get(world.state)
        scheduled = world.host.scheduler.scheduled(world.child())
        free = [a.para_id for a in scheduled if groups[a.group_idx]]
        chosen = sorted(data.draw(st.sets(st.sampled_from(free))) if free else [], key=free.index)
        version = b"\0asm version at %d" % world.number
        upgrade = ValidationCode(version) if data.draw(st.booleans()) else None
        candidates = []
        for number in chosen:
            last = world.host.paras.last_code_upgrade(world.state, number)
            planned = world.host.paras.future_code_upgrades.contains(world.state, number)
            may = last is None or (not planned and world.number + 4 >= last + 3)
            candidates.append(
                world.candidate(number, head=version, new_code=upgrade if may else None)
            )
        world.add_block(world.data(world.bitfields(votes), candidates))
        assert {candidate.descriptor.para_id for candidate in self._pending()} >= set(chosen)

    @rule(number=st.sampled_from(THREADS))
    def claim_a_thread(self, number: int) -> None:
        scheduler = self.world.host.scheduler
        store = Overlay(self.world.state)
        had = number in scheduler.parathread_claim_index.get(store)
        try:
            scheduler.add_parathread_claim(store, claim(number))
        except DispatchError:
            self.world.add_block()
            return
        assert not had
        self.world.add_block(
            extrinsics=lambda s: _ignoring_refusal(
                lambda: scheduler.add_parathread_claim(s, claim(number))
            )
        )

    @rule(number=st.sampled_from([1, 2, 3, 11, 12, 16]), comes=st.booleans())
    def register(self, number: int, comes: bool) -> None:
        paras = self.world.host.paras

        def action(store: Overlay) -> None:
            if comes:
                args = genesis_args(number, parachain=number < 10)
                paras.schedule_para_initialize(store, para(number), args)
            else:
                paras.schedule_para_cleanup(store, para(number))

        self.world.add_block(extrinsics=lambda s: _ignoring_refusal(lambda: action(s)))

    @rule(validators=st.integers(1, 7), cores=st.integers(0, 3))
    def end_session(self, validators: int, cores: int) -> None:
        world = self.world
        going = set(world.host.paras.outgoing_paras.get(world.state))
        coming = set(world.host.paras.upcoming_paras.get(world.state))
        world.add_block(
            extrinsics=lambda store: world.host.configuration.update_configuration(
                store, lambda config: replace(config, parathread_cores=U32(cores))
            ),
            new_session=validators,
        )
        self.registered = (self.registered - going) | coming
        assert world.pending_cores() == []
        groups = world.host.scheduler.validator_groups.get(world.state)
        chains = len(world.host.paras.parachains(world.state))
        assert len(groups) == chains + cores
        sizes = [len(members) for members in groups]
        assert sum(sizes) == (validators if groups else 0)
        assert not sizes or max(sizes) - min(sizes) <= 1

    @rule(count=st.integers(1, 4))
    def pass_time(self, count: int) -> None:
        self.world.add_blocks_until(self.world.number + count)

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def paras_change_at_session_boundaries_only(self) -> None:
        assert self._registered() == self.registered

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def past_code_is_kept_for_the_acceptance_period_and_no_longer(self) -> None:
        world = self.world
        for _, activated_at in world.host.paras.past_code_pruning.get(world.state):
            # One block longer when a candidate of that block is needed as long: its window ends
            # when Paras has looked already.
            assert activated_at + 4 + 1 >= world.number

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def retries_are_bounded_and_claims_unique(self) -> None:
        scheduler = self.world.host.scheduler
        queue = scheduler.parathread_queue.get(self.world.state).queue
        entries = [queued.claim for queued in queue]
        entries += [
            occupied.entry
            for occupied in scheduler.availability_cores.get(self.world.state)
            if isinstance(occupied, OccupiedByParathread)
        ]
        assert all(entry.retries <= 1 for entry in entries)
        claimed = [entry.claim.para_id for entry in entries]
        assert len(set(claimed)) == len(claimed)

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def cores_are_answered_for_as_they_are(self) -> None:
        world = self.world
        cores: tuple[Any, ...] = self._cores()
        occupied = [n for n, state in enumerate(cores) if isinstance(state, OccupiedCore)]
        assert occupied == world.pending_cores()
        chains = world.host.paras.parachains(world.state)
        for place, state in enumerate(cores):
            if not isinstance(state, CoreFree) and place < len(chains):
                assert state.para_id == chains[place]
            if isinstance(state, CoreScheduled):
                assert (state.scheduled.collator is None) == (place < len(chains))

    def _pending(self) -> list[CandidateReceipt]:
        pending = self.world.host.inclusion.pending_availability.values(self.world.state)
        return [candidate.receipt for candidate in pending]

    def _cores(self) -> tuple[object, ...]:
        return self.world.api.availability_cores(self.world.state)


def _ignoring_refusal(action: Callable[[], object]) -> None:
    """As the executive does with an extrinsic: a refused one has no effect."""
    try:
        action()
    except DispatchError:
        return


TestHost = HostMachine.TestCase
TestHost.settings = settings(max_examples=25, stateful_step_count=25)
TestHost.pytestmark = [pytest.mark.guide("A21", "A23", "A24", "A28", "A30", "A31", "A116")]  # type: ignore[attr-defined]


class CodeMachine(RuleBasedStateMachine):
    """One para's code against a model that remembers the code of every context."""

    PERIOD = 6

    @initialize()
    def start(self) -> None:
        self.world = World(parachains=[1], acceptance_period=self.PERIOD)
        self.current: bytes = code(1)
        self.replaced: list[tuple[int, int, bytes]] = []  # used until, activated, old code
        self.planned: tuple[int, bytes] | None = None
        self.version = 0

    @rule(delay=st.integers(1, 5))
    def plan(self, delay: int) -> None:
        paras = self.world.host.paras
        if self.planned is not None:
            return
        self.version += 1
        new = ValidationCode(b"\0asm version %d" % self.version)
        expected_at = self.world.number + delay
        self.world.add_block(
            extrinsics=lambda s: paras.schedule_code_upgrade(s, para(1), new, block(expected_at))
        )
        self.planned = (expected_at, new)

    @rule(behind=st.integers(0, 2))
    def head(self, behind: int) -> None:
        """A head whose relay parent is the parent, or a little older."""
        context = max(self.world.number - behind, 0)
        self.world.add_block(
            extrinsics=lambda s: self.world.host.paras.note_new_head(
                s, para(1), HeadData(b"x"), block(context)
            )
        )
        if self.planned is not None and self.planned[0] <= context:
            self.replaced.append((context, self.world.number, self.current))
            self.current, self.planned = self.planned[1], None

    @rule(count=st.integers(1, 5))
    def pass_time(self, count: int) -> None:
        self.world.add_blocks_until(self.world.number + count)

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def lookups_agree_with_the_model(self) -> None:
        now = self.world.number
        paras = self.world.host.paras
        for at in range(max(now - 20, 0), now + 4):
            assert paras.validation_code_at(self.world.state, para(1), block(at)) == self._at(at)
            for between in (at - 2, at - 1):
                if between < 0:
                    continue
                found = paras.validation_code_at(
                    self.world.state, para(1), block(at), block(between)
                )
                applied = self.planned is not None and self.planned[0] <= between
                assert found == (self.planned[1] if applied and self.planned else self._at(at))

    def _at(self, at: int) -> bytes | None:
        for used_until, activated, old in self.replaced:
            if at <= used_until:
                return old if activated + self.PERIOD >= self.world.number else None
        return self.current


TestCode = CodeMachine.TestCase
TestCode.settings = settings(max_examples=30, stateful_step_count=25)
TestCode.pytestmark = [pytest.mark.guide("A11", "A15", "A18", "A19", "A20")]  # type: ignore[attr-defined]
