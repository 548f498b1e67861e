"""Groups of commands with one that runs when none is named."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class RunsByDefault(TyperGroup):
    """Without the name of a command of its own, it is ``run``: ``parahost simulate --seed 2``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)
