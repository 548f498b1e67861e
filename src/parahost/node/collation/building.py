"""An author's code, called so that nothing it does is more than its author's affair (A96, D17)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import trio

from parahost.ports import BuildContext, Collator, ParachainBlock
from parahost.primitives.basic import HeadData

log = logging.getLogger(__name__)

NOT_THE_AUTHORS = (trio.Cancelled, KeyboardInterrupt, GeneratorExit)
"""What comes out of an author's code, and from elsewhere. Everything else is the author's, even
what would end the process, such as ``SystemExit``."""


@dataclass(frozen=True, slots=True)
class NoBlock:
    """The collator has no block now. ``reason`` is empty when it says so itself."""

    reason: str = ""


async def build_block(
    collator: Collator, parent_head: HeadData, context: BuildContext
) -> ParachainBlock | NoBlock:
    """The collator's block, when it is one and is there in time. An exception goes to the log with
    its traceback."""
    block: object = None
    failure: BaseException | None = None
    with trio.move_on_after(context.time_limit_s) as limit:
        try:
            block = await collator.build(parent_head, context)
        except BaseException as error:
            failure, others = _parted(error)
            if failure is not None:
                log.error("the collator's build failed: %r", failure, exc_info=failure)
            if others is not None:
                raise others from None
    if failure is not None:
        return NoBlock(f"build failed: {failure!r}")
    if limit.cancelled_caught or trio.current_time() > limit.deadline:
        return NoBlock(f"build took longer than {context.time_limit_s:g} s")
    if block is None:
        return NoBlock()
    if not isinstance(block, ParachainBlock):
        return NoBlock(f"build returned {type(block).__name__}, not a ParachainBlock")
    return block


def tell(hook: Callable[[HeadData], None], head: HeadData) -> str | None:
    """Call one of the collator's hooks; how it failed, ``None`` when it did not."""
    try:
        hook(head)
    except BaseException as error:
        failure, others = _parted(error)
        if others is not None:
            raise
        log.error("the collator's hook failed: %r", failure, exc_info=failure)
        return repr(failure)
    return None


def _parted(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """What of an exception, or of a group, is the author's, and what is not."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(_is_the_authors)
    return (error, None) if _is_the_authors(error) else (None, error)


def _is_the_authors(error: BaseException) -> bool:
    return not isinstance(error, (*NOT_THE_AUTHORS, BaseExceptionGroup))
