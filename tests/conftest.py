"""What all tests share."""

from __future__ import annotations

import dataclasses
import os

from hypothesis import HealthCheck, settings

from parahost.primitives import values

# Values are frozen for mypy only, because that is cheaper. Under test they really are, so that code
# which changes one against mypy's word is found. Nothing has used the module before this.
values.dataclass = dataclasses.dataclass

# What a change must pass is the same for all who try it: a test has the same examples until it is
# another test, and one that takes long on a busy machine is no failure. To look for new ones:
# HYPOTHESIS_PROFILE=explore make test.
settings.register_profile(
    "parahost", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "explore", settings.get_profile("parahost"), derandomize=False, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "parahost"))
