"""The collator: makes the parachain's blocks."""

from __future__ import annotations

from pathlib import Path

from parahost.parachains import BuildContext, Collator, ParachainBlock
from parahost.primitives import HeadData, ParaId, ValidationCode
from parahost.primitives.hashing import blake2_256

UPGRADE = Path(__file__).with_name("upgrade.wasm")


class CounterCollator(Collator):
    """Adds ``step`` in each block. When there is a file ``upgrade.wasm``, it asks for that code."""

    def __init__(self, step: int = 1) -> None:
        if not 1 <= step <= 10:
            raise ValueError(f"step: {step} is not 1 to 10")
        self.step = step

    def genesis_head(self, para_id: ParaId) -> HeadData:
        return HeadData(bytes(8))

    async def build(self, parent_head: HeadData, context: BuildContext) -> ParachainBlock:
        counter = int.from_bytes(parent_head, "little") + self.step
        new_code = self.code_to_ask_for(context)
        return ParachainBlock(
            block_data=bytes([self.step]) + (new_code or b""),
            head=HeadData(counter.to_bytes(8, "little")),
            new_code=new_code,
        )

    def code_to_ask_for(self, context: BuildContext) -> ValidationCode | None:
        if context.planned_upgrade is not None:
            return None  # asked already; it waits for its time
        if context.relay_parent_number < context.new_code_allowed_from or not UPGRADE.exists():
            return None
        code = UPGRADE.read_bytes()
        return None if blake2_256(code) == context.validation_code_hash else ValidationCode(code)
