"""Which days a drift report is about."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import schemas
from pipelines.errors import ParamsError, TableError
from pipelines.paths import Workspace
from pipelines.tables import check_table

LAST_HOUR: Final = timedelta(hours=1)
"""The data's last day counts as full when they reach into its last hour."""


def days(workspace: Workspace, window_days: float, from_: date | None, to: date | None) -> tuple[date, date]:
    """Returns the first day of the window, and the first day after it.

    A side that is not given lies ``window_days`` (in whole days) from the other; with none given, the window ends with
    the last full UTC day of the events that were last ingested.

    Raises:
        ParamsError: the window holds no day.
        TableError: there are no events to look at.
    """
    length = timedelta(days=max(1, round(window_days)))
    if to is None:
        to = from_ + length if from_ else _after_last_full_day(workspace)
    if from_ is None:
        from_ = to - length
    if from_ >= to:
        raise ParamsError(f"--from {from_} --to {to}: the window holds no day; `to` is the first day no longer read")
    return from_, to


def like(reference: pa.Table, first: date, after: date) -> pa.Table:
    """Returns the ``reference`` rows of the weekdays from ``first`` to before ``after``.

    The encoder reads the weekday: against a whole week, a window of one day would always have drifted.
    """
    weekdays = {(first + timedelta(days=n)).weekday() for n in range((after - first).days)}
    return reference.filter(pc.is_in(pc.day_of_week(reference.column("start_ts")), pa.array(sorted(weekdays))))


def _after_last_full_day(workspace: Workspace) -> date:
    last_file = check_table(workspace.events, schemas.EVENTS, ["ts"])[-1]  # one a day, in the order of the days
    last = pc.max(pq.read_table(last_file, columns=["ts"], partitioning=None).column("ts")).as_py()
    if last is None:
        raise TableError("artifacts/events holds no event: name the window by --from and --to, or run ingest")
    reached: datetime = last.astimezone(UTC) + LAST_HOUR
    return reached.date()
