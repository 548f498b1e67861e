"""What every module is told when a session ends (A4, D1)."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.primitives.basic import H256, ParaId, SessionIndex, ValidatorId
from parahost.primitives.configuration import HostConfiguration


@dataclass(frozen=True, slots=True)
class SessionChangeNotification:
    """``session_index`` begins. The configurations are those before and after the change."""

    session_index: SessionIndex
    validators: tuple[ValidatorId, ...]
    """The validators of the session that begins."""
    queued: tuple[ValidatorId, ...]
    """The validators of the one after it."""
    prev_config: HostConfiguration
    new_config: HostConfiguration
    outgoing: tuple[ParaId, ...]
    """The paras whose life ends. One may begin another at once, under the same number: whoever
    keeps something of a para forgets what it kept of these."""
    random_seed: H256
    """From BABE; nobody could choose it."""
