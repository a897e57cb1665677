"""What of the raw events is read for a window, so that its sessions are those of a run over everything."""

import math
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatch
from pathlib import Path, PurePath

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import ParamsError, SourceError
from pipelines.params import Source, Window


def asked(from_: date | None, to: date | None) -> Window:
    """Returns the window of whole UTC days from ``from_`` (included) to ``to`` (excluded).

    Raises:
        ParamsError: it holds no day.
    """
    if from_ and to and from_ >= to:
        raise ParamsError(f"--from {from_} --to {to}: the window holds no day; `to` is the first day no longer read")
    return Window(from_=from_, to=to)


def reading(asked: Window, max_duration_seconds: float) -> Window:
    """Returns the window of events to read for the sessions that start in ``asked``, whose ends are whole UTC days.

    Whole UTC days more on both sides, as a session lasts: no session is cut at the edge, and none begins there that
    began before. Ingest judges robots by the UTC day, so days are read whole.
    """
    margin = timedelta(days=math.ceil(max_duration_seconds / 86_400))
    return Window(from_=asked.from_ and asked.from_ - margin, to=asked.to and asked.to + margin)


def starting_in(sessions: pa.Table, asked: Window) -> pa.Table:
    """Returns the ``sessions`` (schemas.SESSIONS) that start in ``asked``: of two adjoining windows, one has each."""
    starts = sessions.column("start_ts")
    kept = pa.repeat(True, len(sessions))
    if asked.from_:
        kept = pc.and_(kept, pc.greater_equal(starts, _midnight(asked.from_)))
    if asked.to:
        kept = pc.and_(kept, pc.less(starts, _midnight(asked.to)))
    return sessions.filter(kept)


def sources(configured: list[Source], root: Path, given: Path | None) -> list[Source]:
    """Returns the sources to read: those ``configured`` (paths under ``root`` made absolute), or the ``given`` files.

    Raises:
        SourceError: ``given`` fits no source, or several, so that its mapping is not known.
    """
    if given is None:
        return [source.model_copy(update={"path": str(root / source.path)}) for source in configured]
    fitting = configured if len(configured) == 1 else [source for source in configured if _fits(source, given)]
    if len(fitting) != 1:
        names = " or ".join(PurePath(source.path).name for source in configured)
        raise SourceError(
            f"--input fits {len(fitting)} of the champion's {len(configured)} `ingest.sources` by its name; expected "
            f"one, whose mapping is used: name the files like {names}"
        )
    return [fitting[0].model_copy(update={"path": str(given.absolute())})]


def catalogue(known: pa.Table, seen: pa.Table) -> pa.Table:
    """Returns the pages that the champion ``known``, and of those ``seen`` in the window the new ones."""
    keys = [pc.binary_join_element_wise(pages.column("channel"), pages.column("page"), "|") for pages in (known, seen)]
    new = pc.invert(pc.is_in(keys[1], value_set=keys[0].combine_chunks()))
    return pa.concat_tables([known, seen.filter(new)])


def _fits(source: Source, given: Path) -> bool:
    """Whether ``given`` is what the source's pattern matches, or (a folder) holds such a file."""
    name = PurePath(source.path).name
    if given.is_dir():
        return any(fnmatch(file.name, name) for file in given.rglob("*"))
    return fnmatch(given.name, name)


def _midnight(day: date) -> pa.Scalar:
    return pa.scalar(datetime(day.year, day.month, day.day, tzinfo=UTC), pa.timestamp("us", tz="UTC"))
