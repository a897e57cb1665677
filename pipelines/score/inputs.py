"""Which raw files were read, so that it can be told whether they changed since. New files beside them are no change."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

NEWEST: Final = "newest_ns"


def listed(files: Sequence[Path], until_ns: int | None = None) -> dict[str, Any]:
    """Returns what names ``files``, as far as paths, sizes and times tell: those changed by ``until_ns``, or all."""
    found = [(str(path), path.stat()) for path in files]
    known = [
        (path, status.st_size, status.st_mtime_ns)
        for path, status in found
        if until_ns is None or status.st_mtime_ns <= until_ns
    ]
    newest = max((changed_ns for _, _, changed_ns in known), default=0)
    return {NEWEST: newest, "files": hashlib.sha256(json.dumps(known).encode()).hexdigest()}


def unchanged(read: dict[str, Any], files: Sequence[Path]) -> bool:
    """Whether every file that ``read`` names is among ``files`` as it was; others may have come since."""
    return listed(files, read[NEWEST]) == read
