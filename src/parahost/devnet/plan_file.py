"""``devnet.json``: what a devnet writes down about itself on its base path."""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from parahost.devnet.errors import BadPlan

PLAN_FILE = "devnet.json"
_NODE_NAME = re.compile(r"(?:validator|full|collator)-[0-9]+(?:-[0-9]+)?")


@dataclass(frozen=True, slots=True)
class AddedNode:
    """A node that came to the network after its start. ``para`` is a collator's; ``source`` is the
    name or file of its parachain."""

    name: str
    role: str
    para: int | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Edition:
    """What a para is made from, as hashes in hex: the code that its chain has or plans, the head
    with which it began, the collator that ran last."""

    code: str
    genesis_head: str
    collator: str


@dataclass(slots=True)
class PlanFile:
    """``network``: what must be the same for the network to go on. ``nodes``: all that a devnet has
    ever made here, with their commands as a person would type them. ``added``: those that come
    again beside the first ones."""

    network: dict[str, Any]
    nodes: dict[str, str] = field(default_factory=dict)
    added: list[AddedNode] = field(default_factory=list)
    paras: dict[int, Edition] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> Self | None:
        """That of a base path, if there is one.

        :raises BadPlan: when the file is no plan of a devnet.
        """
        path = root / PLAN_FILE
        if not path.exists():
            return None
        try:
            found = json.loads(path.read_text())
            plan = cls(
                dict(found["network"]),
                {str(name): str(shell) for name, shell in found.get("nodes", {}).items()},
                [AddedNode(**each) for each in found.get("added", ())],
                {int(para): Edition(**each) for para, each in found.get("paras", {}).items()},
            )
            if all(map(_NODE_NAME.fullmatch, (*plan.nodes, *(one.name for one in plan.added)))):
                return plan
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise BadPlan(f"{path}: not a plan of a devnet; delete {root} to begin anew")

    def write(self, root: Path) -> None:
        """The whole file, or none of it.

        :raises OSError: when it cannot be written.
        """
        draft = root / f"{PLAN_FILE}.new"
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        os.replace(draft, root / PLAN_FILE)
