"""Paras' files, while their network runs: new code goes to the chain, new collators to nodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import trio

from parahost.devnet.control import DevnetControl
from parahost.devnet.editions import ParaChanges, edition_of
from parahost.devnet.plan import Plan
from parahost.devnet.plan_file import Edition
from parahost.devnet.requests import ChainRefused, RequestRefused, RestartNode
from parahost.parachains import BadCollator, ParachainSpec
from parahost.parachains.loading import source_files
from parahost.primitives.errors import InputError
from parahost.runtime.registrar import UpgradePlanned

_LOOK_S: Final = 1.0
"""Between two looks at the files. What has changed is read when it has not changed again by the
next look, so that nothing is taken half written."""

ANOTHER_UPGRADE: Final = f"{UpgradePlanned.pallet.name}.{UpgradePlanned.__name__}"
"""What the chain calls it that another upgrade is under way: that ends."""

_Stamps = Mapping[Path, tuple[int, int] | None]


@dataclass(slots=True)
class _Followed:
    """One para's files: as they were when they were read, and when they were looked at last."""

    spec: ParachainSpec
    edition: Edition
    read: _Stamps
    seen: _Stamps


class Follower:
    """Has the chain of a devnet follow its paras' files.

    :param plan: what has changed before the start is in it.
    :param upgrades: whether what changes is followed; else it is only told whether the chain has
        the code that changed before the start.
    """

    def __init__(
        self,
        plan: Plan,
        control: DevnetControl,
        tell: Callable[[str], None],
        *,
        upgrades: bool,
    ) -> None:
        self._plan = plan
        self._control = control
        self._tell = tell
        self._upgrades = upgrades
        self._followed = {
            para: _followed(spec) for para, spec in control.paras().items() if upgrades
        }
        self._due = {
            para: spec
            for para, spec in control.paras().items()
            if para in plan.changes and plan.changes[para].code
        }
        """Paras whose newest code the chain may not have."""
        self._told: dict[int, str] = {}

    async def run(self) -> None:
        """Follow until cancelled, or until there is nothing to follow."""
        await self.settle()
        while self._upgrades or self._due:
            await trio.sleep(_LOOK_S)
            if self._upgrades:
                await self.look()
            await self.settle()

    async def settle(self) -> None:
        """Try to bring the chain the code that it may lack."""
        for para, spec in list(self._due.items()):
            if await self._is_settled(para, spec):
                del self._due[para]

    async def look(self) -> None:
        """See what has changed, and do what follows from it."""
        for para, spec in self._control.paras().items():
            if para not in self._followed:
                self._followed[para] = _followed(spec)
                continue
            followed = self._followed[para]
            before, followed.seen = followed.seen, _stamps(followed.spec)
            if followed.seen == before != followed.read:
                followed.read = followed.seen
                await self._read_again(para, followed)

    async def _read_again(self, para: int, followed: _Followed) -> None:
        try:
            spec = followed.spec.read_again()
            edition = edition_of(spec)
        except (InputError, OSError) as error:
            self._tell(f"para {para}: {error}; all stays as it is")
            return
        changes = ParaChanges.between(followed.edition, edition)
        followed.spec, followed.edition = spec, edition
        followed.read = followed.seen = _stamps(spec)
        if changes.code:
            self._due[para] = spec
            self._tell(f"para {para}: its validation function has changed")
        if changes.genesis_head:
            self._tell(f"para {para}: its genesis head has changed; --fresh begins anew with it")
        if changes.collator:
            await self._restart_collators(para)

    async def _restart_collators(self, para: int) -> None:
        for name in self._control.collators_of(para):
            self._tell(f"para {para}: its collator has changed; {name} is started again")
            await self._control.handle(RestartNode(name))

    # Code

    async def _is_settled(self, para: int, spec: ParachainSpec) -> bool:
        """Whether there is no more to do for this code."""
        try:
            has_it = await self._control.govern(
                lambda chain: chain.has_code(para, spec.code), "it is not known which code holds"
            )
            if not has_it:
                if not self._upgrades:
                    return True
                await self._control.govern(
                    lambda chain: chain.upgrade(para, spec.code), "the code is not upgraded"
                )
        except RequestRefused as refusal:
            return self._is_final(para, refusal)
        self._note(para, spec)
        how = "has that code already" if has_it else "has taken the new code, and plans with it"
        self._tell(f"para {para}: the chain {how}")
        return True

    def _is_final(self, para: int, refusal: RequestRefused) -> bool:
        """Whether it is no use to try again: another upgrade ends, a node starts."""
        final = (
            isinstance(refusal, ChainRefused)
            and refusal.by_chain
            and refusal.error != ANOTHER_UPGRADE
        )
        if (final or self._upgrades) and self._told.get(para) != str(refusal):
            self._told[para] = str(refusal)
            self._tell(f"para {para}: {refusal}{'' if final else '; it is tried again'}")
        return final

    def _note(self, para: int, spec: ParachainSpec) -> None:
        """So that it is not told at the next start."""
        editions = self._plan.file.paras
        editions[para] = replace(editions.get(para) or edition_of(spec), code=edition_of(spec).code)
        self._plan.file.write(self._plan.root)
        self._told.pop(para, None)


def _followed(spec: ParachainSpec) -> _Followed:
    stamps = _stamps(spec)
    return _Followed(spec, edition_of(spec), stamps, stamps)


def _stamps(spec: ParachainSpec) -> dict[Path, tuple[int, int] | None]:
    """When the files were written, and how long they are; ``None`` for one that is not there."""
    found: dict[Path, tuple[int, int] | None] = {}
    try:
        sources = source_files(spec.collator, spec.search_path)
    except BadCollator:
        sources = []
    for path in (*spec.files, *sources):
        try:
            status = path.stat()
            found[path] = (status.st_mtime_ns, status.st_size)
        except OSError:
            found[path] = None
    return found
