"""The validation-function host: runs the Wasm of any parachain, sandboxed and bounded.

::

    async with ValidationPool(Path("artifacts")) as pool:
        outcome = await pool.execute(code, params, ExecutionKind.BACKING)

``outcome`` is ``Returned``, ``Failed`` or ``Undecided``; see :mod:`parahost.ports.validation`. For
simulations there is :class:`InProcessHost`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parahost.facade import on_first_use

if TYPE_CHECKING:
    from parahost.ports.validation import (
        ExecutionKind,
        ExecutionOutcome,
        Failed,
        Returned,
        Undecided,
    )
    from parahost.validation.inprocess import InProcessHost
    from parahost.validation.pool import Limits, ValidationPool

__all__ = [
    "ExecutionKind",
    "ExecutionOutcome",
    "Failed",
    "InProcessHost",
    "Limits",
    "Returned",
    "Undecided",
    "ValidationPool",
]

__getattr__ = on_first_use(__name__, __all__, ("parahost.ports.validation", "pool", "inprocess"))
"""The worker process lives in this package, and starts faster without trio."""
