"""Prometheus' text format, version 0.0.4: what a node's port tells, and reading it back.

Polkadot's names of counters do not all end in ``_total``, on which the client library for Python
insists; so the format is written here, and tests read it with that library.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from parahost.metrics.meter import KEYS_REMEMBERED, NodeMeter
from parahost.metrics.samples import Samples, Series, series

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?')
_ESCAPES = {"\\": "\\\\", "\n": "\\n", '"': '\\"'}
_UNESCAPED = {"\\\\": "\\", "\\n": "\n", '\\"': '"'}


class BadExposition(ValueError):
    """A line is in another format."""


def exposition(meter: NodeMeter) -> str:
    """All numbers of a meter, with what each means."""
    lines = []
    for metric, samples in meter.families():
        lines.append(f"# HELP {metric.name} {_escaped(metric.help, quotes=False)}")
        lines.append(f"# TYPE {metric.name} {metric.kind}")
        lines += [f"{_named(key)} {_number(value)}" for key, value in samples.items()]
    return "\n".join(lines) + "\n"


def read_exposition(text: str) -> Samples:
    """What such a text tells.

    :raises BadExposition: when it is in another format.
    """
    found: dict[Series, float] = {}
    for line in text.split("\n"):
        if not line.strip() or line.startswith("#"):
            continue
        sample = _SAMPLE.fullmatch(line)
        if sample is None:
            raise BadExposition(line)
        name, labels, value = sample.groups()
        try:
            found[series(name, _labels(labels or ""))] = float(value)
        except ValueError:
            raise BadExposition(line) from None
    return Samples(found)


@lru_cache(maxsize=KEYS_REMEMBERED)
def _named(key: Series) -> str:
    name, labels = key
    inner = ",".join(f'{label}="{_escaped(value)}"' for label, value in labels)
    return f"{name}{{{inner}}}" if inner else name


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(text: str, *, quotes: bool = True) -> str:
    return "".join(_ESCAPES[c] if c in "\\\n" or (quotes and c == '"') else c for c in text)


def _labels(text: str) -> dict[str, str]:
    found = {}
    end = 0
    for label in _LABEL.finditer(text):
        if label.start() != end:
            break
        name, value = label.groups()
        found[name] = re.sub(r"\\[\\n\"]", lambda escape: _UNESCAPED[escape.group()], value)
        end = label.end()
    if end != len(text):
        raise BadExposition(text)
    return found
