"""The modules' names and numbers, as tools see them: Polkadot's where Polkadot has the module.

A module's number tags its calls, its events and its errors in SCALE forms.
"""

from __future__ import annotations

from enum import IntEnum


class Pallet(IntEnum):
    System = 0
    Babe = 2
    Timestamp = 3
    Balances = 5
    Authorship = 6
    Staking = 7
    Offences = 8
    Session = 9
    Grandpa = 11
    TransactionPayment = 32
    Configuration = 51
    ParaInclusion = 53
    ParaInherent = 54
    ParaScheduler = 55
    Paras = 56
    Initializer = 57
    ParasDisputes = 62
    ParasSlashing = 63
    Registrar = 70
    Parathreads = 71
    ValidityParameters = 73
    Validity = 74
    Approvals = 75
    RemoteDisputes = 76
    Sudo = 255
