"""Who knows at once where validators are."""

from __future__ import annotations

from parahost.node.messages.base import Message
from parahost.node.messages.network import ResolveValidators
from parahost.node.overseer import Subsystem
from parahost.primitives.basic import PeerId, ValidatorId


class Directory(Subsystem):
    """Knows which peers the validators are: what the Peer Set Manager finds out."""

    name = "directory"
    receives = (ResolveValidators,)

    def __init__(self, peers: dict[ValidatorId, PeerId]) -> None:
        self.peers = peers

    def on_message(self, message: Message) -> None:
        assert isinstance(message, ResolveValidators)
        known = {v: self.peers[v] for v in message.validators if v in self.peers}
        message.reply.answer(known)
