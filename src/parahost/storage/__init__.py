"""Databases behind the port ``parahost.ports.database``: on disk, and in memory for simulations."""

from parahost.storage.lmdb import LmdbDatabase
from parahost.storage.memory import MemoryDatabase

__all__ = ["LmdbDatabase", "MemoryDatabase"]
