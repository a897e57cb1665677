"""One process at a time: a lock that ends with whoever holds it, however that is."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import BusyError


@contextmanager
def claimed(path: Path, what: str) -> Iterator[None]:
    """Holds the lock file ``path`` while the block runs.

    Raises:
        BusyError: another process holds it; ``what`` says what it does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError(f"another process {what}: wait until it has ended, then run this again") from None
        yield
