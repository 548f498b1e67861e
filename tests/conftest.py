"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# An example that takes long on a busy machine is no failure.
settings.register_profile("parahost", deadline=None)
settings.load_profile("parahost")
