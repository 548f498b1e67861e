"""libsodium, as the package rbcl brings it.

rbcl unpacks the library into the temporary folder when it is imported, 2.8 MB each time, and leaves
it there. Once it is loaded the file is not needed.
"""

from __future__ import annotations

from pathlib import Path

import rbcl
from rbcl._sodium import _sodium as library
from rbcl._sodium import lib_path

Path(lib_path).unlink(missing_ok=True)

__all__ = ["library", "rbcl"]
