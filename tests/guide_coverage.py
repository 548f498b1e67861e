"""Which tests prove which line of the guide: ``python -m tests.guide_coverage``.

Lists each line with its tests and fails when a line that must have one has none.
"""

from __future__ import annotations

import sys

import pytest

REQUIRED = {f"A{n}" for n in range(1, 117)}


class Collector:
    """A pytest plugin that notes the lines of each collected test."""

    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for marker in item.iter_markers("guide"):
                for line in marker.args:
                    name = item.nodeid.split("[")[0]
                    listed = self.tests.setdefault(line, [])
                    if name not in listed:
                        listed.append(name)


def main() -> int:
    collector = Collector()
    collected = pytest.main(["--collect-only", "-qq", "--no-header"], plugins=[collector])
    if collected != pytest.ExitCode.OK:
        return int(collected)
    by_number = sorted(collector.tests.items(), key=lambda entry: int(entry[0][1:]))
    for line, names in by_number:
        print(f"{line}:")
        for name in names:
            print(f"    {name}")
    unknown = sorted(set(collector.tests) - REQUIRED)
    missing = sorted(REQUIRED - set(collector.tests), key=lambda line: int(line[1:]))
    if unknown:
        print(f"no such line in the guide: {', '.join(unknown)}")
    if missing:
        print(f"without a test: {', '.join(missing)}")
    print(f"{len(REQUIRED) - len(missing)} of {len(REQUIRED)} lines have a test")
    return 1 if missing or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
