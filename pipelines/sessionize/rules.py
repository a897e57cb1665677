"""The rules, each once, in Ibis: what follows what in a stream, where a session begins, its id, its customer, its part.

Each function returns an expression over tables that its engine holds under stated names. ``sessionize`` writes them as
SQL of DuckDB, `make test-spark` as SQL of Spark, and compares. Times are whole microseconds, which every engine knows
exactly; what no engine knows in common (recursion, lists in order) the rules do without.

A **stream** is what one visitor does on one channel, under one session id of the tracker where
``sessionize.session_property`` names one. Sessions never reach over streams. In a stream, events follow each other by
time, those of one instant by event id, so the order in which they arrived never matters.

- A session has at least one event; without events there is no session. One event is a session of no length.
- A strictly longer silence than the gap starts a new session. Source: Halfaker et al., "User Session Identification
  Based on Strong Regularities in Inter-activity Time", arXiv 1411.2878.
- A session is cut before its first event that lies strictly more than the maximum duration after its start. A stream
  that is never silent, a robot's say, is thus cut again and again, each time counting from the last cut.
- A stream that begins at schemas.SEQUENCE_EPOCH has an order but no clock: it is one session, never cut.
- Events that carry a tracker's session id share a session only with events of that id; those without one are streams
  of their own. The gap and the maximum duration hold inside: trackers differ in both, and an id can live for months.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import ibis
from ibis import Table

from pipelines.schemas import SEQUENCE_EPOCH
from pipelines.sessionize.splits import Boundaries

EPOCH_US: Final = int(SEQUENCE_EPOCH.timestamp()) * 1_000_000

Rule = Callable[..., Table]
Make = Callable[..., int]
"""(name, rule, values of the rule): keeps what the rule gives as a table, in an older one's place; returns its rows."""

_NAMING: Final = ("visitor_id", "channel", "event_id")
_BELONGING: Final = ("stream", "start_us")  # to one session, as silences alone tell them


@cache
def sql(rule: Rule, *values: Any, dialect: str = "duckdb") -> str:
    """Returns ``rule`` of these values as a query."""
    return str(ibis.to_sql(rule(*values), dialect=dialect, pretty=False))


def in_order() -> Table:
    """``arrived`` -> the numbers of its events, in order."""
    arrived = ibis.table({"number": "int64", "stream": "int64", "ts_us": "int64", "event_id": "string"}, "arrived")
    return arrived.order_by("stream", "ts_us", "event_id").select("number")


def steps(gap_us: int) -> Table:
    """``ordered`` -> where the session of each event starts by silences alone."""
    ordered = ibis.table({"stream": "int64", "place": "int64", "ts_us": "int64"}, "ordered")
    in_stream = ibis.window(group_by="stream", order_by="place")
    silences = ordered.mutate(
        silence_us=ordered.ts_us - ordered.ts_us.lag().over(in_stream),
        clockless=ordered.ts_us.min().over(group_by="stream") == EPOCH_US,
    )
    is_start = silences.silence_us.isnull() | ((silences.silence_us > gap_us) & ~silences.clockless)
    until_here = ibis.cumulative_window(group_by="stream", order_by="place")
    start_us = ibis.cases((is_start, silences.ts_us)).max().over(until_here)
    return silences.select("stream", "place", "ts_us", "clockless", start_us=start_us)


def cut(make: Make, gap_us: int, max_us: int) -> None:
    """``ordered`` -> ``steps``, ``overlong``, ``cuts``: all that ``starts`` reads.

    What is cut last depends on what was cut before, hundreds of times in a robot's year. So each event of an overlong
    session first learns where one that started there would be cut: a hop. With every hop as long as all before
    together, the cuts that are known double at each step.
    """
    make("steps", steps, gap_us)
    make("overlong", overlong, max_us)
    make("cuts", first_cuts)
    n_hops = make("hops", hops, max_us)
    while n_hops:
        make("cuts", more_cuts)
        n_hops = make("hops", longer_hops)


def overlong(max_us: int) -> Table:
    """``steps`` -> the events of those sessions that last too long."""
    found = _steps()
    timed = found.filter(~found.clockless).group_by(_BELONGING)
    lasting = timed.aggregate(lasts_us=found.ts_us.max() - found.ts_us.min())
    return found.semi_join(lasting.filter(lasting.lasts_us > max_us), _BELONGING).drop("clockless")


def first_cuts() -> Table:
    """``overlong`` -> ``cuts``, each a session's first: where it starts."""
    events = _overlong()
    return events.select("stream", "start_us", cut_us="start_us").distinct()


def hops(max_us: int) -> Table:
    """``overlong`` -> from when to when it is to the cut of a session that starts there, where there is one."""
    moments = _overlong().select("stream", "start_us", from_us="ts_us").distinct()
    too_late = ibis.range_window(group_by=_BELONGING, order_by=moments.from_us, following=(max_us + 1, None))
    found = moments.mutate(to_us=moments.from_us.min().over(too_late))
    return found.filter(found.to_us.notnull())


def more_cuts() -> Table:
    """``cuts`` -> those, and what lies a hop behind."""
    known, hop = _cuts(), _hops()
    found = known.inner_join(hop, [*_BELONGING, known.cut_us == hop.from_us])
    return known.union(found.select("stream", "start_us", cut_us="to_us"))


def longer_hops() -> Table:
    """``hops`` -> two at once, where there are two."""
    one = _hops()
    other = one.select("stream", "start_us", between_us="from_us", end_us="to_us")
    found = one.inner_join(other, [*_BELONGING, one.to_us == other.between_us])
    return found.select("stream", "start_us", "from_us", to_us="end_us")


def starts() -> Table:
    """``steps``, ``overlong``, ``cuts`` -> ``place`` and ``start_us`` of every event."""
    found, late, known = _steps(), _overlong(), _cuts()
    short = found.anti_join(known, _BELONGING).select("place", "start_us")
    marked = late.left_join(known, [*_BELONGING, late.ts_us == known.cut_us]).select(
        late.stream, late.place, late.start_us, known.cut_us
    )
    until_here = ibis.cumulative_window(group_by=_BELONGING, order_by="place")
    return short.union(marked.select("place", start_us=marked.cut_us.max().over(until_here)))


def session_ids() -> Table:
    """``begun`` -> the ids of sessions by visitor, channel and first event, in the order of the table."""
    columns = {
        "number": "int64",
        "start_us": "int64",
        "visitor_id": "string",
        "channel": "string",
        "event_id": "string",
    }
    begun = ibis.table(columns, "begun")
    named = begun.visitor_id + chr(31) + begun.channel + chr(31) + begun.event_id
    found = begun.select("number", "start_us", session_id=named.hexdigest("sha256").left(32))
    return found.order_by("start_us", "session_id").drop("start_us")


def identity() -> Table:
    """``events`` -> schemas.IDENTITY: a link holds until another customer's login on the same visitor."""
    time = "timestamp('UTC', 6)"
    events = ibis.table({"visitor_id": "string", "customer_id": "string", "event_id": "string", "ts": time}, "events")
    of_visitor = ibis.window(group_by="visitor_id", order_by=["ts", "event_id"])
    logins = events.filter(events.customer_id.notnull())
    before = logins.customer_id.lag().over(of_visitor)
    runs = logins.mutate(starts_run=~logins.customer_id.identical_to(before))
    runs = runs.filter(runs.starts_run)
    links = runs.select(
        "visitor_id",
        "customer_id",
        valid_from="ts",
        valid_to=runs.ts.lead().over(of_visitor),
        evidence_event_id="event_id",
    )
    return links.order_by("visitor_id", "valid_from", "evidence_event_id")


def membership(stitching: str, boundaries: Boundaries) -> Table:
    """``sessions`` (``start_us``, ``end_us``) and ``links`` -> customer and part of the split of each session.

    By `sessionize.stitching`: `asof` knows what was known when the session ended, so a later login changes no earlier
    session. `latest` rewrites the past: for analytics only, never for training. There is at most one link of each kind.
    """
    columns = {"number": "int64", "visitor_id": "string", "start_us": "int64", "end_us": "int64"}
    sessions = ibis.table(columns, "sessions")
    links = ibis.table({"visitor_id": "string", "customer_id": "string", "from_us": "int64", "to_us": "int64"}, "links")
    then = links.select(then_visitor="visitor_id", asof="customer_id", from_us="from_us", to_us="to_us")
    last = links.filter(links.to_us.isnull()).select(last_visitor="visitor_id", latest="customer_id")
    held = (then.from_us <= sessions.end_us) & (then.to_us.isnull() | (sessions.end_us < then.to_us))
    linked = sessions.left_join(then, [sessions.visitor_id == then.then_visitor, held])
    linked = linked.left_join(last, linked.visitor_id == last.last_visitor)
    customers = {"asof": linked.asof, "latest": linked.latest, "none": ibis.null("string")}
    return linked.order_by("number").select(
        customer_id=customers[stitching],
        split=_part(linked, boundaries),
        latest_differs=~linked.asof.identical_to(linked.latest),
    )


def _part(sessions: Table, at: Boundaries) -> ibis.Value:
    """What begins before a boundary and reaches into its embargo belongs to no part.

    Visitors without a clock go by the first 32 bits of a hash, as digits, which compare as the numbers do.
    """
    hashed = sessions.visitor_id.hexdigest("sha256").left(8)
    clockless = sessions.start_us == EPOCH_US
    return ibis.cases(
        (clockless & (hashed < _digits(at.test_share)), "test"),
        (clockless & (hashed < _digits(at.test_share + at.valid_share)), "valid"),
        (clockless, "train"),
        (sessions.start_us >= at.test_us, "test"),
        (sessions.end_us >= at.test_us - at.embargo_us, "embargo"),
        (sessions.start_us >= at.valid_us, "valid"),
        (sessions.end_us >= at.valid_us - at.embargo_us, "embargo"),
        else_="train",
    )


def _digits(share: float) -> str:
    return f"{min(round(share * 2**32), 2**32 - 1):08x}"


def _steps() -> Table:
    columns = {"stream": "int64", "place": "int64", "ts_us": "int64", "clockless": "boolean", "start_us": "int64"}
    return ibis.table(columns, "steps")


def _overlong() -> Table:
    return ibis.table({"stream": "int64", "place": "int64", "ts_us": "int64", "start_us": "int64"}, "overlong")


def _cuts() -> Table:
    return ibis.table({"stream": "int64", "start_us": "int64", "cut_us": "int64"}, "cuts")


def _hops() -> Table:
    return ibis.table({"stream": "int64", "start_us": "int64", "from_us": "int64", "to_us": "int64"}, "hops")
