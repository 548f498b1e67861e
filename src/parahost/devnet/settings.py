"""``--config``: parameters of the chain that its genesis decides, by their names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any, Final

from parahost.primitives.approval import ApprovalParameters
from parahost.primitives.basic import U32
from parahost.primitives.configuration import BOUNDS, POV_SIZE_BOUNDS, Bounds, OutOfBounds
from parahost.primitives.errors import InputError
from parahost.primitives.validity_configuration import VALIDITY_BOUNDS, Penalties
from parahost.runtime.genesis import GenesisConfig

_POV_SIZE: Final = "max_pov_size"
SETTINGS: Final[Mapping[str, Bounds]] = MappingProxyType(
    {**BOUNDS, _POV_SIZE: POV_SIZE_BOUNDS, **VALIDITY_BOUNDS}
)
"""What may be set, and between what bounds: the fields of ``HostConfiguration`` and of
``ValidityConfiguration``, and ``max_pov_size``."""

MAX_DIGITS: Final = 20


class BadSetting(InputError):
    """A part of ``--config`` cannot be used; ``setting`` is that part."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"--config {setting}: {reason}")
        self.setting = setting
        self.reason = reason


def parse_settings(texts: Iterable[str]) -> dict[str, int]:
    """Values by name, from ``NAME=NUMBER,NAME=NUMBER``.

    :raises BadSetting: when a part is not of that form, names nothing, or is out of its bounds.
    """
    found: dict[str, int] = {}
    for part in (part.strip() for text in texts for part in text.split(",")):
        name, equals, number = part.partition("=")
        if not equals or not (number.isascii() and number.isdecimal()) or len(number) > MAX_DIGITS:
            raise BadSetting(part, "NAME=NUMBER is expected, as acceptance_period=20")
        bounds = SETTINGS.get(name)
        if bounds is None:
            raise BadSetting(part, f"there is no {name}; there are {', '.join(SETTINGS)}")
        if name in found:
            raise BadSetting(part, f"{name} is set already")
        value = int(number)
        if not bounds.least <= value <= bounds.greatest:
            raise BadSetting(part, str(OutOfBounds(name, value, bounds)))
        found[name] = value
    return found


def with_settings(genesis: GenesisConfig, settings: Mapping[str, int]) -> GenesisConfig:
    """The same founders' decisions but for these."""
    validity = genesis.validity
    validity = replace(
        validity,
        approval=replace(validity.approval, **_of(ApprovalParameters, settings)),
        penalties=replace(validity.penalties, **_of(Penalties, settings)),
        **_of(type(validity), settings),
    )
    return replace(
        genesis,
        configuration=replace(genesis.configuration, **_of(type(genesis.configuration), settings)),
        validity=validity,
        max_pov_size=U32(settings.get(_POV_SIZE, genesis.max_pov_size)),
    )


def _of(kind: Any, settings: Mapping[str, int]) -> dict[str, Any]:
    """Those that are fields of that class."""
    names = {field.name for field in fields(kind)}
    return {name: U32(value) for name, value in settings.items() if name in names}
