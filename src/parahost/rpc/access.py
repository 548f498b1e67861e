"""Who may call, as far as a request's head tells.

A browser runs strangers' code: any page may open a connection to this machine. It says where it
comes from (``Origin``), and by what name it found us (``Host``), which a page cannot lie about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

HOSTED_TOOLS: Final = ("https://polkadot.js.org",)
"""Pages on which people look at any chain."""
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Access:
    """``external``: the server listens to other machines too, under names that it does not know.
    ``origins``: pages that may call beside those of this machine, ``*`` for all."""

    external: bool = False
    origins: tuple[str, ...] = HOSTED_TOOLS

    def host_is_known(self, host: str | None) -> bool:
        """Whether the request was meant for this server. A page whose name was made to lead to
        this machine is not of our origin, though its browser thinks so."""
        return self.external or (host is not None and _name_of(f"//{host}") in _LOCAL)

    def origin_may_call(self, origin: str | None) -> bool:
        """Whether who calls may; who is no browser names no origin."""
        if origin is None or "*" in self.origins or origin in self.origins:
            return True
        return origin.startswith(("http://", "https://")) and _name_of(origin) in _LOCAL


def _name_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
