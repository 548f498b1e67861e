"""What a devnet cannot be, or cannot do."""

from __future__ import annotations

from parahost.primitives.errors import InputError


class BadPlan(InputError):
    """The devnet that was asked for cannot be, or not on this base path; says why."""
