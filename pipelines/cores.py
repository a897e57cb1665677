"""How many cores this process may use."""

import os


def n_cores() -> int:
    """Returns the cores that this process may use, which a container or `taskset` may have narrowed."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
