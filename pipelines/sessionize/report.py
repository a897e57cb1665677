"""reports/sessionize.json: what was cut, what a look into the future would have leaked, what a partial run changed."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from pipelines import schemas
from pipelines.errors import TableError
from pipelines.params import Sessionize
from pipelines.sessionize.membership import Tally


def rules_of(params: Sessionize) -> dict[str, Any]:
    """Returns the params on which it depends what a session is: a partial run must keep them."""
    return params.model_dump(mode="json", include={"gap_seconds", "max_duration_seconds", "session_property"})


def counted(
    house: duckdb.DuckDBPyConnection, tally: Tally, params: Sessionize, partial: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Returns the report; ``partial`` is what a run with ``--since`` kept and changed, None after a full run."""
    return {
        "rules": rules_of(params),
        "events": tally.of["events"],
        "sessions": tally.by_split.total(),
        "by_split": {name: tally.by_split[name] for name in schemas.SPLITS},
        "single_event_sessions": tally.of["single_event"],
        "stitching": params.stitching,
        "of_a_known_customer": tally.of["known"],
        # sessions that `stitching: latest` would give another customer than what was known at their end
        "latest_would_leak": {
            "sessions": tally.leaked.total(),
            **{name: tally.leaked[name] for name in schemas.SPLITS},
        },
        "identity": _identity(house),
        "since": partial,
    }


def check_former(report: Path, sessions: Path, params: Sessionize) -> None:
    """Checks that the former sessions can be added to.

    Raises:
        TableError: there are none, or they were cut by other rules.
    """
    if not (report.exists() and sessions.exists()):
        raise TableError("--since adds to sessions that are not there: run sessionize without it first")
    if json.loads(report.read_text(encoding="utf-8"))["rules"] != rules_of(params):
        raise TableError(
            "--since adds to sessions that were cut by other rules than params.yaml has now: run sessionize without it"
        )


def _identity(house: duckdb.DuckDBPyConnection) -> dict[str, int]:
    query = """
        SELECT (SELECT count(*) FROM identity),
            (SELECT count(*) FROM (SELECT 1 FROM identity GROUP BY visitor_id HAVING count(DISTINCT customer_id) > 1)),
            (SELECT count(*) FROM (SELECT 1 FROM identity GROUP BY customer_id HAVING count(DISTINCT visitor_id) > 1))
    """
    names = ("links", "visitors_of_several_customers", "customers_of_several_visitors")
    return dict(zip(names, house.execute(query).fetchall()[0], strict=True))
