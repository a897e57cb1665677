"""Progress on long work: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
SECONDS_BETWEEN_LINES = 30.0


def shown(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Yields ``items`` and shows how many are done."""
    if sys.stderr.isatty():
        yield from tqdm(items, desc=what, leave=False)
        return
    printed = time.monotonic()
    for number, item in enumerate(items, start=1):
        yield item
        if time.monotonic() - printed >= SECONDS_BETWEEN_LINES:
            print(f"{what}: {number:,} of {len(items):,}", file=sys.stderr)
            printed = time.monotonic()
