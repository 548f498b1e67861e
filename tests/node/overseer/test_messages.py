"""Every message is said by somebody, and heard by somebody."""

from __future__ import annotations

import inspect

from parahost.node.messages import availability, backing, collation, network, utility, validity
from parahost.node.messages.base import Message, Request
from parahost.node.subsystems import SUBSYSTEMS
from tests.constructed import constructed_in

FROM_OUTSIDE = {
    "RequestBlockAuthorshipData": "block authorship asks (A104)",
    "RegisterBackingWatcher": "whoever wants to hear of backable candidates (A78)",
}
"""What no subsystem says, and who does."""

MESSAGES = {
    declared.__name__
    for module in (availability, backing, collation, network, utility, validity)
    for declared in vars(module).values()
    if inspect.isclass(declared) and issubclass(declared, Message)
} - {Message.__name__, Request.__name__}


def test_each_message_has_a_receiver_and_a_sender() -> None:
    received = {message.__name__ for one in SUBSYSTEMS for message in one.receives}
    sent = {message.__name__ for one in SUBSYSTEMS for message in one.sends}
    assert received >= MESSAGES
    assert received - sent == set(FROM_OUTSIDE)


def test_what_subsystems_declare_to_send_is_made_somewhere() -> None:
    sent = {message.__name__ for one in SUBSYSTEMS for message in one.sends}
    assert len(sent) > 30
    assert sent - constructed_in("node") == set()
