"""Paras: heads and validation code of parachains and parathreads (A10-A21)."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from parahost.primitives.acceptance import AcceptanceCriteria
from parahost.primitives.basic import (
    H256,
    BlockNumber,
    HeadData,
    ParaId,
    ValidationCode,
    ValidationCodeHash,
    block_at,
)
from parahost.primitives.candidates import PersistedValidationData
from parahost.primitives.hashing import blake2_256
from parahost.primitives.limits import MAX_PARACHAINS
from parahost.primitives.runtime_api import PlannedUpgrade
from parahost.runtime.errors import ModuleError, RuntimeBug
from parahost.runtime.module import Module, RuntimeEvent, event
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.configuration import Configuration
from parahost.runtime.parachains.notification import SessionChangeNotification
from parahost.runtime.parachains.past_code import GENESIS_BLOCK, ParaPastCodeMeta, UseCurrent
from parahost.runtime.parachains.windows import Windows
from parahost.runtime.storage import Overlay, Reader, StorageDoubleMap, StorageMap, StorageValue
from parahost.runtime.system import System

# Types

NO_PAST_CODE = ParaPastCodeMeta()


@dataclass(frozen=True, slots=True)
class ParaGenesisArgs:
    genesis_head: HeadData
    validation_code: ValidationCode
    parachain: bool
    """Whether it is a parachain; else it is a parathread."""


class AlreadyRegistered(ModuleError, index=0):
    """The para is there, or comes with the next session."""

    def __init__(self, para: ParaId) -> None:
        super().__init__(f"para {para} is registered, or will be with the next session")
        self.para = para


class NotRegistered(ModuleError, index=1):
    """The para is not there."""

    def __init__(self, para: ParaId) -> None:
        super().__init__(f"para {para} is not registered")
        self.para = para


class TooManyParachains(ModuleError, index=2):
    """Each parachain has a core, and a chain has so many at most."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"there are {limit} parachains, as many as may be")
        self.limit = limit


@lru_cache(maxsize=1024)
def validation_code_hash(code: ValidationCode) -> ValidationCodeHash:
    """A validation function's name. Codes are large, and asked for again in every block."""
    return ValidationCodeHash(blake2_256(code))


@event(0)
@dataclass(frozen=True, slots=True)
class CurrentCodeUpdated(RuntimeEvent):
    """A para's planned code holds from now on."""

    para: ParaId


@event(2)
@dataclass(frozen=True, slots=True)
class CodeUpgradeScheduled(RuntimeEvent):
    """A para has announced new code."""

    para: ParaId


@event(3)
@dataclass(frozen=True, slots=True)
class NewHeadNoted(RuntimeEvent):
    """A para's head has moved on."""

    para: ParaId


class Paras(Module, pallet=Pallet(56, "Paras")):
    """Which paras there are, their heads and their codes."""

    events = (CurrentCodeUpdated, CodeUpgradeScheduled, NewHeadNoted)
    errors = (AlreadyRegistered, NotRegistered, TooManyParachains)

    # Storage

    parachains_item = StorageValue("Parachains", tuple[ParaId, ...], default=())
    """All parachains, ascending; no parathreads."""
    heads = StorageMap("Heads", ParaId, HeadData)
    """Of every registered para."""
    validation_code = StorageMap("ValidationCode", ParaId, ValidationCode)
    """The current code of every registered para."""
    past_code = StorageDoubleMap("PastCode", ParaId, BlockNumber, ValidationCode)
    """Old code, by the block at which its replacement was expected."""
    past_code_meta = StorageMap("PastCodeMeta", ParaId, ParaPastCodeMeta, default=NO_PAST_CODE)
    """When the para's code was replaced."""
    past_code_pruning = StorageValue(
        "PastCodePruning", tuple[tuple[ParaId, BlockNumber], ...], default=()
    )
    """Paras with old code, by the block that activated its replacement; ascending by block. A
    para may be there repeatedly."""
    future_code_upgrades = StorageMap("FutureCodeUpgrades", ParaId, BlockNumber)
    """When the planned code is expected."""
    future_code = StorageMap("FutureCode", ParaId, ValidationCode)
    """The planned code."""
    upcoming_paras = StorageValue("UpcomingParas", tuple[ParaId, ...], default=())
    """They come with the next session; ascending."""
    upcoming_paras_genesis = StorageMap("UpcomingParasGenesis", ParaId, ParaGenesisArgs)
    """What they come with."""
    outgoing_paras = StorageValue("OutgoingParas", tuple[ParaId, ...], default=())
    """They go with the next session; ascending."""

    def __init__(self, system: System, configuration: Configuration, windows: Windows) -> None:
        self.system = system
        self.configuration = configuration
        self.windows = windows

    # Genesis

    def genesis(self, store: Overlay, paras: Iterable[tuple[ParaId, ParaGenesisArgs]]) -> None:
        """Register paras before the first block.

        :raises TooManyParachains: when they are more than may have a core.
        """
        for para, args in paras:
            self._begin_life(store, para, args, GENESIS_BLOCK)
        if len(self.parachains(store)) > MAX_PARACHAINS:
            raise TooManyParachains(MAX_PARACHAINS)

    # Session change

    def on_session_change(self, store: Overlay, notification: SessionChangeNotification) -> None:
        """Let paras go and come (A14): the only time at which the set changes (A21)."""
        now = self.system.block_number(store)
        self.outgoing_paras.kill(store)
        for para in notification.outgoing:
            self._end_life(store, para, now)
        for para in self.upcoming_paras.take(store):
            args = self.upcoming_paras_genesis.take(store, para)
            if args is None:
                raise RuntimeBug(f"upcoming para {para} has no genesis arguments")
            self._begin_life(store, para, args, now)

    def _end_life(self, store: Overlay, para: ParaId, now: BlockNumber) -> None:
        """Of an outgoing para nothing stays but its code, which may be wanted for checks: it
        becomes past code. The last block of this life was made on the parent of this block."""
        self.parachains_item.mutate(store, lambda ids: tuple(id_ for id_ in ids if id_ != para))
        self.heads.remove(store, para)
        self.future_code_upgrades.remove(store, para)
        self.future_code.remove(store, para)
        removed = self.validation_code.take(store, para)
        if removed is None:
            raise RuntimeBug(f"outgoing para {para} has no code")
        self._note_past_code(
            store,
            para,
            removed,
            expected_at=now,
            activated_at=now,
            used_until=block_at(now - 1),
        )

    def _begin_life(
        self, store: Overlay, para: ParaId, args: ParaGenesisArgs, now: BlockNumber
    ) -> None:
        """An incoming para's first block is made on this block, or later."""
        if args.parachain:
            self.parachains_item.mutate(store, lambda ids: _with_id(ids, para))
        self.heads.put(store, para, args.genesis_head)
        self.validation_code.put(store, para, args.validation_code)
        self.past_code_meta.mutate(store, para, lambda meta: meta.reborn(now))

    # Initialisation

    def initialize(self, store: Overlay) -> None:
        """Prune old code whose acceptance period is over (A15, D3), unless a candidate is needed
        that it may have judged: one that was included when it was replaced, or before."""
        now = self.system.block_number(store)
        last = now - self.configuration.configuration(store).acceptance_period - 1
        needed_from = self.windows.first_block(store)
        if needed_from is not None:
            last = min(last, needed_from - 1)
        tasks = self.past_code_pruning.get(store)
        done = bisect_right(tasks, last, key=lambda task: task[1])
        if not done:
            return
        self.past_code_pruning.put(store, tasks[done:])
        for para, activated_at in tasks[:done]:
            self._prune(store, para, activated_at)

    def _prune(self, store: Overlay, para: ParaId, activated_at: BlockNumber) -> None:
        meta, gone = self.past_code_meta.get(store, para).pruned_up_to(activated_at)
        for expected_at in gone:
            self.past_code.remove(store, (para, expected_at))
        if not meta.upgrade_times and not self.is_registered(store, para):
            self.past_code_meta.remove(store, para)
        else:
            self.past_code_meta.put(store, para, meta)

    # Routines: registration

    def schedule_para_initialize(self, store: Overlay, para: ParaId, args: ParaGenesisArgs) -> None:
        """Let a para come with the next session (A16). One that goes may come back at once.

        :raises AlreadyRegistered: when it is there, and stays, or comes already.
        :raises TooManyParachains: when it would be one more than may have a core.
        """
        stays = self.is_registered(store, para) and para not in self.outgoing_paras.get(store)
        if stays or para in self.upcoming_paras.get(store):
            raise AlreadyRegistered(para)
        if args.parachain and self._parachains_to_be(store) >= MAX_PARACHAINS:
            raise TooManyParachains(MAX_PARACHAINS)
        self.upcoming_paras.mutate(store, lambda ids: _with_id(ids, para))
        self.upcoming_paras_genesis.put(store, para, args)

    def schedule_para_cleanup(self, store: Overlay, para: ParaId) -> None:
        """Let a para go with the next session (A17). One that was only to come stays away.

        :raises NotRegistered: when it is not there, nor comes, or goes already.
        """
        if para in self.upcoming_paras.get(store):
            self.upcoming_paras.mutate(store, lambda ids: tuple(i for i in ids if i != para))
            self.upcoming_paras_genesis.remove(store, para)
            return
        if not self.is_registered(store, para) or para in self.outgoing_paras.get(store):
            raise NotRegistered(para)
        self.outgoing_paras.mutate(store, lambda ids: _with_id(ids, para))

    def _parachains_to_be(self, store: Reader) -> int:
        """How many parachains the next session has, as things stand."""
        staying = set(self.parachains(store)) - set(self.outgoing_paras.get(store))
        coming = [args for args in self.upcoming_paras_genesis.values(store) if args.parachain]
        return len(staying) + len(coming)

    # Routines: heads and code

    def schedule_code_upgrade(
        self, store: Overlay, para: ParaId, code: ValidationCode, expected_at: BlockNumber
    ) -> None:
        """Plan new code, to hold after the inclusion of a block of the para whose relay parent
        is at ``expected_at`` or later (A18)."""
        if self.future_code_upgrades.contains(store, para):
            raise RuntimeBug(f"para {para} would lose a planned code upgrade to another")
        self.future_code_upgrades.put(store, para, expected_at)
        self.future_code.put(store, para, code)
        self.system.deposit_event(store, CodeUpgradeScheduled(para))

    def note_new_head(
        self, store: Overlay, para: ParaId, head: HeadData, context: BlockNumber
    ) -> None:
        """The para has moved on, by a block whose relay parent has the number ``context``; if the
        planned code was expected by then, it is the current code from now on (A19)."""
        self.heads.put(store, para, head)
        self.system.deposit_event(store, NewHeadNoted(para))
        self.apply_due_upgrade(store, para, context)

    def apply_due_upgrade(self, store: Overlay, para: ParaId, context: BlockNumber) -> None:
        """Make the planned code current if it was expected at ``context`` or before."""
        expected_at = self.future_code_upgrades.get(store, para)
        if expected_at is None or context < expected_at:
            return
        self.future_code_upgrades.remove(store, para)
        new, old = self.future_code.take(store, para), self.validation_code.get(store, para)
        if new is None or old is None:
            raise RuntimeBug(f"para {para} lacks its planned or its current code")
        self.validation_code.put(store, para, new)
        now = self.system.block_number(store)
        self._note_past_code(
            store, para, old, expected_at=expected_at, activated_at=now, used_until=context
        )
        self.system.deposit_event(store, CurrentCodeUpdated(para))

    def validation_code_at(
        self,
        store: Reader,
        para: ParaId,
        at: BlockNumber,
        assume_intermediate: BlockNumber | None = None,
    ) -> ValidationCode | None:
        """The code for a block of the para whose relay parent has the number ``at`` (A20).

        New code judges the blocks after the first one that was made on the block at which it was
        expected, or later: that one itself is judged by the old code, whatever its number.

        ``assume_intermediate``, before ``at``: suppose that a block of the para with a relay
        parent of that number is included before. ``None`` when there is no such code, when it is
        pruned, or when the assumption is not before ``at``.
        """
        if assume_intermediate is not None:
            if assume_intermediate >= at:
                return None
            expected_at = self.future_code_upgrades.get(store, para)
            if expected_at is not None and expected_at <= assume_intermediate:
                return self.future_code.get(store, para)
        use = self.past_code_meta.get(store, para).code_at(at)
        if use is None:
            return None
        if isinstance(use, UseCurrent):
            return self.validation_code.get(store, para)
        return self.past_code.get(store, (para, use.expected_at))

    def validation_code_by_hash(
        self, store: Reader, code_hash: ValidationCodeHash
    ) -> ValidationCode | None:
        """Code that some para has, had or will have, as long as it is kept."""
        for code in self._all_codes(store):
            if validation_code_hash(code) == code_hash:
                return code
        return None

    def last_code_upgrade(self, store: Reader, para: ParaId) -> BlockNumber | None:
        """When the latest code of this life of the para was, or is, expected to hold: planned or
        past."""
        planned = self.future_code_upgrades.get(store, para)
        if planned is not None:
            return planned
        return self.past_code_meta.get(store, para).most_recent_change()

    def new_code_allowed_from(self, store: Reader, para: ParaId) -> BlockNumber:
        """The first relay parent whose candidates may announce new code (A45): it will be expected
        later than the last by the upgrade frequency or more, and nothing that still waits when
        such a candidate is enacted is replaced."""
        last = self.last_code_upgrade(store, para)
        if last is None:
            return GENESIS_BLOCK
        config = self.configuration.configuration(store)
        soonest = last + config.validation_upgrade_frequency - config.validation_upgrade_delay
        planned = self.future_code_upgrades.get(store, para)
        return block_at(max(soonest, planned or 0))

    def new_code_expected_at(self, store: Reader, relay_parent: BlockNumber) -> BlockNumber:
        """When code that a candidate on that relay parent announces is expected, by the delay as it
        is configured now (A18)."""
        return block_at(
            relay_parent + self.configuration.configuration(store).validation_upgrade_delay
        )

    def planned_upgrade(self, store: Reader, para: ParaId) -> PlannedUpgrade | None:
        """The code that the para has asked for and that is not current yet."""
        expected_at = self.future_code_upgrades.get(store, para)
        code = self.future_code.get(store, para)
        if expected_at is None or code is None:
            return None
        return PlannedUpgrade(validation_code_hash(code), expected_at)

    def acceptance_criteria(
        self, store: Reader, para: ParaId, relay_parent_number: BlockNumber
    ) -> AcceptanceCriteria:
        """By what the outputs of the para's next candidate are judged (D35)."""
        config = self.configuration.configuration(store)
        return AcceptanceCriteria(
            max_head_data_size=config.max_head_data_size,
            max_code_size=config.max_code_size,
            new_code_allowed_from=self.new_code_allowed_from(store, para),
            relay_parent_number=relay_parent_number,
        )

    def persisted_validation_data(
        self,
        store: Reader,
        para: ParaId,
        relay_parent_number: BlockNumber,
        relay_parent_storage_root: H256,
    ) -> PersistedValidationData | None:
        """What the next block of the para is validated against; ``None`` for an unknown para."""
        head = self.heads.get(store, para)
        if head is None:
            return None
        max_pov_size = self.configuration.pov_size_limit.get(store)
        return PersistedValidationData(
            head, relay_parent_number, relay_parent_storage_root, max_pov_size
        )

    def _note_past_code(
        self,
        store: Overlay,
        para: ParaId,
        code: ValidationCode,
        *,
        expected_at: BlockNumber,
        activated_at: BlockNumber,
        used_until: BlockNumber,
    ) -> None:
        self.past_code.put(store, (para, expected_at), code)
        self.past_code_meta.mutate(
            store, para, lambda meta: meta.with_replacement(expected_at, activated_at, used_until)
        )
        tasks = self.past_code_pruning.get(store)
        place = bisect_right(tasks, activated_at, key=lambda task: task[1])
        self.past_code_pruning.put(store, (*tasks[:place], (para, activated_at), *tasks[place:]))

    def _all_codes(self, store: Reader) -> Iterator[ValidationCode]:
        yield from self.validation_code.values(store)
        yield from self.future_code.values(store)
        yield from self.past_code.values(store)

    # Routines: lookups

    def parachains(self, store: Reader) -> tuple[ParaId, ...]:
        """All parachains, ascending."""
        return self.parachains_item.get(store)

    def is_registered(self, store: Reader, para: ParaId) -> bool:
        return self.heads.contains(store, para)

    def is_parachain(self, store: Reader, para: ParaId) -> bool:
        return para in self.parachains(store)

    def is_parathread(self, store: Reader, para: ParaId) -> bool:
        return self.is_registered(store, para) and not self.is_parachain(store, para)

    # Finalisation

    def finalize(self, store: Overlay) -> None:
        """Nothing."""

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when lists are out of order or items contradict each other."""
        for item in (self.parachains_item, self.upcoming_paras, self.outgoing_paras):
            ids = item.get(store)
            _expect(list(ids) == sorted(set(ids)), f"{item} is not strictly ascending", ids)
        registered = set(self.heads.keys(store))
        coded = set(self.validation_code.keys(store))
        _expect(registered == coded, "heads and current codes differ", (registered, coded))
        _expect(registered >= set(self.parachains(store)), "a parachain has no head", registered)
        _expect(
            registered >= set(self.outgoing_paras.get(store)), "an outgoing para is not there", ()
        )
        planned = set(self.future_code_upgrades.keys(store))
        _expect(planned == set(self.future_code.keys(store)), "times and codes differ", planned)
        _expect(planned <= registered, "new code for a para that is not there", planned)
        upcoming = set(self.upcoming_paras.get(store))
        _expect(upcoming == set(self.upcoming_paras_genesis.keys(store)), "genesis", upcoming)
        self._check_past_code(store)

    def _check_past_code(self, store: Reader) -> None:
        tasks = self.past_code_pruning.get(store)
        _expect(list(tasks) == sorted(tasks, key=lambda task: task[1]), "pruning order", tasks)
        replacements = []
        for para, meta in self.past_code_meta.iterate(store):
            expected = [replacement.expected_at for replacement in meta.upgrade_times]
            activated = [replacement.activated_at for replacement in meta.upgrade_times]
            _expect(expected == sorted(set(expected)), f"expected times of para {para}", meta)
            _expect(activated == sorted(activated), f"activation times of para {para}", meta)
            replacements += [(para, replacement) for replacement in meta.upgrade_times]
        codes = {(para, replacement.expected_at) for para, replacement in replacements}
        kept = set(self.past_code.keys(store))
        _expect(codes == kept, "past codes differ from their times", (codes, kept))
        due = sorted((para, replacement.activated_at) for para, replacement in replacements)
        _expect(due == sorted(tasks), "past codes and pruning tasks differ", (due, tasks))


def _with_id(ids: tuple[ParaId, ...], para: ParaId) -> tuple[ParaId, ...]:
    """The ascending list with one more, unless it is there."""
    if para in ids:
        return ids
    listed = list(ids)
    insort(listed, para)
    return tuple(listed)


def _expect(holds: bool, what: str, evidence: object) -> None:
    if not holds:
        raise RuntimeBug(f"Paras: {what}: {evidence}")
