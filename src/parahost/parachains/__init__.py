"""Writing a parachain: the collator SDK, and example parachains.

Derive from :class:`Collator`, name the class in a TOML file beside the validation function, and
``parahost devnet --parachain FILE`` runs it; ``docs/PARACHAINS.md`` shows a whole one. Examples:
:mod:`~parahost.parachains.adder`, :mod:`~parahost.parachains.load`,
:mod:`~parahost.parachains.ledger`.
"""

from parahost.parachains.code import example_code
from parahost.parachains.collator import Collator, CollatorFailed, Services, running
from parahost.parachains.loading import BadCollator, load_collator
from parahost.parachains.spec import BadParachainSpec, ParachainSpec, load_spec, load_specs
from parahost.parachains.store import Store
from parahost.ports.collator import BuildContext, ParachainBlock

__all__ = [
    "BadCollator",
    "BadParachainSpec",
    "BuildContext",
    "Collator",
    "CollatorFailed",
    "ParachainBlock",
    "ParachainSpec",
    "Services",
    "Store",
    "example_code",
    "load_collator",
    "load_spec",
    "load_specs",
    "running",
]
