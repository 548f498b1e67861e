"""A test kit for parachains: networks to test in, and words to wait with.

::

    from parahost.testing import devnet, simulated

    def test_blocks_become_final():
        with devnet(parachains=["counter.toml"]) as network:
            network.wait_for_height(2500, 3, finalized=True)

:func:`simulated` takes the place of :func:`devnet` where virtual time will do: the words are the
same. With pytest both are fixtures; ``docs/TESTING.md`` shows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parahost.facade import on_first_use

if TYPE_CHECKING:
    from parahost.testing.devnets import RunningDevnet, devnet
    from parahost.testing.network import NetworkUnderTest
    from parahost.testing.simulations import PromiseBroken, SimulatedNetwork, simulated
    from parahost.testing.waiting import NetworkEnded, WaitedInVain

__all__ = [
    "NetworkEnded",
    "NetworkUnderTest",
    "PromiseBroken",
    "RunningDevnet",
    "SimulatedNetwork",
    "WaitedInVain",
    "devnet",
    "simulated",
]

__getattr__ = on_first_use(__name__, __all__, ("waiting", "network", "devnets", "simulations"))
