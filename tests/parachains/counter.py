"""A parachain of somebody else's, as a test's TOML files name it."""

from __future__ import annotations

from parahost.parachains import BuildContext, Collator, ParachainBlock
from parahost.primitives.basic import HeadData


class Counter(Collator):
    def __init__(self, step: int = 1) -> None:
        if step < 1:
            raise ValueError(f"step: {step} is not positive")
        self.step = step

    async def build(self, parent_head: HeadData, context: BuildContext) -> ParachainBlock:
        return ParachainBlock(b"", parent_head)


class Unfinished(Collator):
    pass


class NoCollator:
    pass
