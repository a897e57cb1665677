"""The tables that cross a stage boundary, as Arrow schemas. Times are UTC; ids are strings."""

from datetime import UTC, datetime
from typing import Final

import pyarrow as pa

TIMESTAMP: Final = pa.timestamp("us", tz="UTC")

SEQUENCE_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""First instant of every visit of a ``sequences`` source, which has an order but no clock: sessions that start
here are split by visitor hash, not by time."""

CHANNELS: Final = ("web", "app")
SPLITS: Final = ("train", "valid", "test", "embargo")

EVENTS: Final = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("visitor_id", pa.string(), nullable=False),  # keyed hash of cookie or device
        pa.field("customer_id", pa.string()),  # keyed hash of the login; on authenticated events only
        pa.field("ts", TIMESTAMP, nullable=False),
        pa.field("received_ts", TIMESTAMP),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("event_type", pa.string(), nullable=False),
        pa.field("page", pa.string()),  # URL path, or screen, with the ids in it replaced: the template
        pa.field("url", pa.string()),  # scrubbed
        pa.field("title", pa.string()),
        pa.field("text", pa.string()),
        pa.field("element", pa.string()),
        pa.field("query", pa.string()),  # site search, scrubbed
        pa.field("referrer", pa.string()),
        pa.field("source", pa.string()),
        pa.field("medium", pa.string()),
        pa.field("campaign", pa.string()),
        pa.field("device", pa.string()),
        pa.field("os", pa.string()),
        pa.field("browser", pa.string()),
        pa.field("region", pa.string()),
        pa.field("properties", pa.string()),  # JSON text
    ]
)

QUARANTINE: Final = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("line", pa.int64(), nullable=False),  # 1-based; the row's number where a file has no lines
        pa.field("reason", pa.string(), nullable=False),
        pa.field("excerpt", pa.string()),  # at most 200 characters, scrubbed
    ]
)

SESSION_EVENT: Final = pa.struct(
    [
        pa.field("ts", TIMESTAMP),
        pa.field("event_type", pa.string()),
        pa.field("page", pa.string()),
        pa.field("element", pa.string()),
        pa.field("query", pa.string()),
        pa.field("referrer", pa.string()),
        pa.field("dwell_seconds", pa.float32()),  # until the session's next event; null on the last
    ]
)

SESSIONS: Final = pa.schema(
    [
        pa.field("session_id", pa.string(), nullable=False),
        pa.field("visitor_id", pa.string(), nullable=False),
        pa.field("customer_id", pa.string()),  # as of the session's end
        pa.field("channel", pa.string(), nullable=False),
        pa.field("start_ts", TIMESTAMP, nullable=False),
        pa.field("end_ts", TIMESTAMP, nullable=False),
        pa.field("n_events", pa.int32(), nullable=False),
        pa.field("events", pa.list_(SESSION_EVENT), nullable=False),
        pa.field("split", pa.string(), nullable=False),
    ]
)

REPLACED: Final = pa.schema(
    [
        pa.field("session_id", pa.string(), nullable=False),  # no longer in SESSIONS
        pa.field("replaced_by", pa.string()),  # the session that now holds its first event; null: none does
    ]
)

FACTS: Final = pa.schema(
    [
        pa.field("session_id", pa.string(), nullable=False),
        pa.field("entry", pa.string(), nullable=False),  # source, or the host that the first event was referred by
        *(pa.field(name, pa.string()) for name in ("device", "os", "browser", "region")),  # the first that is known
        pa.field("missing", pa.list_(pa.string()), nullable=False),  # columns of EVENTS that no event of it fills
        pa.field("gaps", pa.list_(pa.string()), nullable=False),  # areas that referred its page views and sent nothing
    ]
)
"""What monitoring reads of a session beyond SESSIONS."""

PAGES: Final = pa.schema(
    [
        pa.field("page", pa.string(), nullable=False),
        pa.field("channel", pa.string(), nullable=False),
        pa.field("title", pa.string()),
        pa.field("text", pa.string()),
        pa.field("n_events", pa.int64(), nullable=False),
    ]
)

IDENTITY: Final = pa.schema(
    [
        pa.field("visitor_id", pa.string(), nullable=False),
        pa.field("customer_id", pa.string(), nullable=False),
        pa.field("valid_from", TIMESTAMP, nullable=False),
        pa.field("valid_to", TIMESTAMP),  # null: still valid
        pa.field("evidence_event_id", pa.string(), nullable=False),
    ]
)

EMBEDDINGS: Final = pa.schema(
    [
        pa.field("session_id", pa.string(), nullable=False),
        pa.field("embedding", pa.list_(pa.float32()), nullable=False),
        pa.field("encoder_version", pa.string(), nullable=False),
    ]
)

OTHER: Final = "other"
"""Among the intents of a labelled session: a need that no intent of the taxonomy covers; never one of its ids."""

LABELS: Final = pa.schema(
    [
        pa.field("session_id", pa.string(), nullable=False),
        pa.field("intents", pa.list_(pa.string()), nullable=False),
        pa.field("scores", pa.list_(pa.float32()), nullable=False),  # soft, one an intent of `intents`
        pa.field("taxonomy_version", pa.string(), nullable=False),
        pa.field("model", pa.string(), nullable=False),
    ]
)

INTENTS: Final = pa.schema(
    [
        pa.field("session_id", pa.string(), nullable=False),
        pa.field("intents", pa.list_(pa.string()), nullable=False),  # above their thresholds, most probable first
        pa.field("probabilities", pa.list_(pa.float32()), nullable=False),  # all of them, in the student's order
        pa.field("abstained", pa.bool_(), nullable=False),
        pa.field("encoder_version", pa.string(), nullable=False),
        pa.field("taxonomy_version", pa.string(), nullable=False),
        pa.field("student_version", pa.string(), nullable=False),
    ]
)
