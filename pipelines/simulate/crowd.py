"""Groups in parallel: as many processes as cores, results in order, so that nothing depends on how many there are."""

import gc
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import MetaPathFinder
from multiprocessing import get_context
from typing import Final

from pipelines.params import Simulate
from pipelines.simulate.parcels import Group, Parcel, Parcels

_WORTH: Final = 4  # groups below which starting processes costs more than it saves

_of_this_process: list[Parcels] = []


def parcels(block: Simulate, seed: int, groups: Sequence[Group]) -> Iterator[Parcel]:
    """Yields the parcel of each group, in order."""
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_cores == 1 or len(groups) < _WORTH:
        made = Parcels(block, seed)
        yield from (made.make(group) for group in groups)
        return
    # Spawned, not forked: a fork copies whatever threads hold at that moment.
    with get_context("spawn").Pool(n_cores, _begin, (block, seed)) as pool:
        yield from pool.imap(_make, groups)


def _begin(block: Simulate, seed: int) -> None:
    gc.disable()  # nothing here refers to itself; looking for it takes a tenth of the time
    sys.meta_path.insert(0, _WithoutPandas())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    _of_this_process[:] = [Parcels(block, seed)]


class _WithoutPandas(MetaPathFinder):
    """Lets a process do without pandas, which Arrow loads for its first array where it can: seconds for nothing."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _make(group: Group) -> Parcel:
    return _of_this_process[0].make(group)
