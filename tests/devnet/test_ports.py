"""Devnets beside one another do not take each other's ports."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from parahost.devnet.errors import BadPlan
from parahost.devnet.ports import LOCALHOST, P2P_PORTS, PortClaims


def test_nobody_gets_a_port_that_another_has_claimed(tmp_path: Path) -> None:
    ports = range(P2P_PORTS.start - 40, P2P_PORTS.start - 37)
    with PortClaims(tmp_path) as one, PortClaims(tmp_path) as other:
        taken = [one.take(ports), other.take(ports), one.take(ports)]
        assert sorted(taken) == list(ports)
        with pytest.raises(BadPlan, match=f"no port of {ports[0]} to {ports[-1]} is free"):
            other.take(ports)
    with PortClaims(tmp_path) as later:
        assert later.take(ports) == ports[0]


TAKES_RPC = """
from parahost.devnet.ports import PortClaims
with PortClaims() as claims:
    print(claims.take_rpc())
"""


def test_who_has_temporary_files_elsewhere_takes_the_same_claims_into_account(
    tmp_path: Path,
) -> None:
    with PortClaims() as claims:
        ours = claims.take_rpc()
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        argv = (sys.executable, "-c", TAKES_RPC)
        theirs = subprocess.run(argv, env=environment, capture_output=True, check=True)
        assert int(theirs.stdout) != ours
    assert not list(tmp_path.iterdir())


def test_nobody_gets_a_port_on_which_somebody_listens(tmp_path: Path) -> None:
    with socket.socket() as listener, PortClaims(tmp_path) as claims:
        listener.bind((LOCALHOST, 0))
        listener.listen()
        port = listener.getsockname()[1]
        with pytest.raises(BadPlan):
            claims.take([port])
    with PortClaims(tmp_path) as claims:
        assert claims.take([port]) == port


def test_the_claims_are_the_users_alone(tmp_path: Path) -> None:
    with PortClaims(tmp_path / "claims") as claims:
        port = claims.take_p2p()
        assert port in P2P_PORTS
        assert (tmp_path / "claims").stat().st_mode & 0o077 == 0
        assert (tmp_path / "claims" / str(port)).stat().st_mode & 0o077 == 0
