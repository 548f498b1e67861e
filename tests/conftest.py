"""What all tests share."""

from __future__ import annotations

import dataclasses

from hypothesis import settings

from parahost.primitives import values

# Values are frozen for mypy only, because that is cheaper. Under test they really are, so that code
# which changes one against mypy's word is found. Nothing has used the module before this.
values.dataclass = dataclasses.dataclass

# An example that takes long on a busy machine is no failure.
settings.register_profile("parahost", deadline=None)
settings.load_profile("parahost")
