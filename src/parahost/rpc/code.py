"""What stands for the runtime's code.

The runtime is a part of the node and not Wasm in the state. Clients take the hash of `:code` as the
runtime's name, though: when it is another, they read the metadata anew. So where they ask for that
key, they get the runtime's version. No proof has it, and no list of keys.
"""

from __future__ import annotations

from typing import Final

from parahost.primitives.scale import encode
from parahost.runtime.storage import State
from parahost.runtime.version import RUNTIME_VERSION

CODE_KEY: Final = b":code"
_CODE: Final = encode(RUNTIME_VERSION)


def stored_value(state: State, key: bytes) -> bytes | None:
    """What clients are told is stored under a key."""
    return _CODE if key == CODE_KEY else state.get_raw(key)
