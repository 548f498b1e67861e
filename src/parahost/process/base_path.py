"""Where a node's files lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from parahost.primitives.errors import InputError

NODE_KEY_BYTES = 32


class BadNodeKey(InputError):
    """The file with the node key is not 64 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class BasePath:
    """The folder of one node."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "db"

    @property
    def promises(self) -> Path:
        """What this node's keys have promised: a database of its own (D36)."""
        return self.root / "promises"

    @property
    def promises_mark(self) -> Path:
        """Beside the keys: which database holds what they have promised."""
        return self.keystore / "promises"

    @property
    def keystore(self) -> Path:
        """Secret keys, one file each, in Substrate's layout."""
        return self.root / "keystore"

    @property
    def artifacts(self) -> Path:
        """Prepared validation functions; may be deleted when the node does not run."""
        return self.root / "artifacts"

    @property
    def log(self) -> Path:
        return self.root / "node.log"

    @property
    def development(self) -> Path:
        """What a developer does to this node (``--development-control``)."""
        return self.root / "development.json"

    @property
    def node_key(self) -> Path:
        """The secret behind the peer id."""
        return self.root / "node-key"

    def load_node_key(self) -> bytes:
        """The node key, made at the first start.

        :raises BadNodeKey: when the file holds something else.
        :raises OSError: when it cannot be read or written.
        """
        path = self.node_key
        if not path.exists():
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(os.urandom(NODE_KEY_BYTES).hex())
        text = path.read_text().strip()
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if len(key) != NODE_KEY_BYTES:
            raise BadNodeKey(
                f"{path}: not a node key: 64 hexadecimal digits belong there; "
                "delete the file to get a new peer id"
            )
        return key
