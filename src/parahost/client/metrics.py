"""Reading a node's metrics, from the port on which it tells them to Prometheus."""

from __future__ import annotations

import http.client
from typing import Final
from urllib.parse import urlsplit

from parahost.client.errors import Unreachable
from parahost.metrics.samples import Samples
from parahost.metrics.text import BadExposition, read_exposition

METRICS_PATIENCE_S: Final = 10.0
MOST_BYTES: Final = 8 << 20


def read_metrics(url: str, *, patience_s: float = METRICS_PATIENCE_S) -> Samples:
    """All numbers that a node tells on such an address (``http://127.0.0.1:9615/metrics``).

    :raises Unreachable: when it tells none.
    """
    try:
        return read_exposition(_get(url, patience_s))
    except OSError as why:
        raise Unreachable(f"{url} cannot be read: {why.strerror or why}") from why
    except (http.client.HTTPException, BadExposition) as why:
        raise Unreachable(f"{url} tells something else than metrics: {why!r}") from why


def _get(url: str, patience_s: float) -> str:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        str(parts.hostname), parts.port or 80, timeout=patience_s
    )
    try:
        connection.request("GET", parts.path or "/")
        response = connection.getresponse()
        body = response.read(MOST_BYTES)
    finally:
        connection.close()
    if response.status != 200:
        raise Unreachable(f"{url} answers with status {response.status}")
    if len(body) == MOST_BYTES:
        raise Unreachable(f"{url} tells more than {MOST_BYTES} bytes")
    return body.decode(errors="replace")
