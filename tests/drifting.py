"""Observed sessions whose distributions are known, for the tests of what compares them."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from pipelines.drift.observed import OBSERVED

MONDAY = datetime(2026, 1, 5, 12, tzinfo=UTC)


def observed(
    n_sessions: int,
    seed: int,
    *,
    loans: float = 0.3,
    unseen: float = 0.0,
    n_days: int = 28,
    first_day: int = 0,
    n_visitors: int | None = None,
    sticky: bool = False,
) -> pa.Table:
    """Returns sessions of n_days days, by start, with a share of `loans` among the intents and of an unseen page.

    Args:
        n_sessions: rows.
        seed: of all draws.
        loans: share of one intent.
        unseen: share of sessions that saw a page which others never see.
        n_days: they start at noon of these.
        first_day: after MONDAY.
        n_visitors: who share the sessions; None: each has one.
        sticky: a visitor has one intent and one region for all sessions.
    """
    draw = np.random.default_rng(seed)
    visitors = draw.integers(n_visitors, size=n_sessions) if n_visitors else np.arange(n_sessions)
    days = np.sort(draw.integers(n_days, size=n_sessions)) + first_day
    n_own = visitors.max() + 1 if sticky else n_sessions
    own = {
        "intent": draw.choice(["loans", "cards"], n_own, p=[loans, 1 - loans]),
        "region": draw.choice(["north", "south", "east"], n_own),
    }
    places = visitors if sticky else np.arange(n_sessions)
    rows = {
        "session_id": [f"{seed}-{n}" for n in range(n_sessions)],
        "visitor_id": [f"{seed}-{visitor}" for visitor in visitors],
        "channel": draw.choice(["web", "app"], n_sessions),
        "start_ts": [MONDAY + timedelta(days=int(day)) for day in days],
        "n_events": draw.geometric(0.2, n_sessions),
        "seconds_per_event": draw.exponential(30, n_sessions),
        "pages": [["/", "/new"] if new else ["/"] for new in draw.random(n_sessions) < unseen],
        "event_types": [["page_view"]] * n_sessions,
        "entry": draw.choice(["(direct)", "search"], n_sessions),
        **{name: ["x"] * n_sessions for name in ("device", "os", "browser")},
        "region": own["region"][places],
        "missing": [[]] * n_sessions,
        "gaps": [[]] * n_sessions,
        "cell": draw.integers(4, size=n_sessions),
        "distance_band": draw.integers(3, size=n_sessions),
        "intent": own["intent"][places],
        "confidence": draw.uniform(0, 1, n_sessions),
        "abstained": draw.random(n_sessions) < 0.1,
    }
    return pa.table({name: pa.array(values) for name, values in rows.items()}).select(OBSERVED.names).cast(OBSERVED)
