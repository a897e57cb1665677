"""The DuckDB connection that every stage uses: threads, memory and network are settled here and nowhere else."""

import os
import sys
from pathlib import Path
from typing import Final

import duckdb

from pipelines.cores import n_cores

MAX_THREADS: Final = 4
MEMORY_SHARE: Final = 0.4
"""Of the machine's memory; Arrow tables and Python live beside DuckDB. What does not fit is spilled to ``scratch``."""


def connect(scratch: Path, most_mb: int | None = None) -> duckdb.DuckDBPyConnection:
    """Returns a connection whose times are UTC and which never reaches for the network.

    Args:
        scratch: an existing folder for what does not fit into memory.
        most_mb: of memory, where the machine has more.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": n_threads(),
            "memory_limit": f"{min(_memory_mb(), most_mb or sys.maxsize)}MB",
            "temp_directory": str(scratch / "spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
        },
    )
    connection.execute("SET GLOBAL TimeZone = 'UTC'")  # of its cursors as well
    return connection


def n_threads() -> int:
    """Returns how many threads DuckDB, or several of its cursors, may keep busy."""
    return min(MAX_THREADS, n_cores())


def _memory_mb() -> int:
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * MEMORY_SHARE) // 2**20
