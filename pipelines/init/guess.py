"""Which column is which: by what columns are called in the trackers that people use, and by what is in them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import duckdb

from pipelines.ingest import timestamps
from pipelines.params import Source
from pipelines.schemas import CHANNELS

Values = Mapping[str, Sequence[str | None]]

NAMES: Final[Mapping[str, str]] = {
    # Canonical name -> names of columns without punctuation, best first; a dotted path counts whole or by its end.
    "visitor_id": "visitorid userpseudoid anonymousid clientid cookieid visitor cookie domainuserid distinctid "
    "fullvisitorid visid deviceid browserid uid custvisid visidhigh userid",
    "ts": "ts timestamp eventtimestamp eventtime time datetime eventdatetime occurredat originaltimestamp sentat "
    "createdat devicecreatedtstamp derivedtstamp hittimegmt date eventdate at when",
    "event_id": "eventid messageid insertid hitid id uuid",
    "customer_id": "customerid userid login userlogin accountid memberid customer user",
    "received_ts": "receivedts receivedat collectortstamp servertimestamp loadedat",
    "channel": "channel platform",
    "event_type": "eventtype eventname event action type name",
    "url": "url pageurl pagelocation location href requesturl uri link",
    "page": "page pagepath path screenname screen pagename view",
    "title": "title pagetitle",
    "text": "text pagedescription description pagetext",
    "element": "element elementid target linktext buttonid clickid",
    "query": "query searchterm searchquery searchq keyword keywords q",
    "referrer": "referrer referer pagereferrer refererurl",
    "source": "utmsource source trafficsourcesource campaignsource contextcampaignsource",
    "medium": "utmmedium medium trafficsourcemedium campaignmedium contextcampaignmedium",
    "campaign": "utmcampaign campaign trafficsourcename campaignname contextcampaignname",
    "user_agent": "useragent ua agent contextuseragent",
    "device": "device devicecategory devicetype",
    "os": "os operatingsystem",
    "browser": "browser browsername webbrowser",
    "region": "region georegion geocountry country",
    "properties": "properties eventparams eventproperties params props data",
}
FORMATS: Final = (
    None, "epoch_s", "epoch_ms", "epoch_us", "%Y-%m-%d %H:%M:%S %Z", "%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p", "%d-%m-%Y %H:%M:%S", "%d/%b/%Y:%H:%M:%S %z", "%Y%m%d%H%M%S",
)  # fmt: skip
"""Ways of writing times that are tried, in the order in which they win when they fit equally well."""
MIN_PARSED: Final = 0.5  # of a column's values, for its name to be believed
MIN_PARSED_UNNAMED: Final = 0.9  # where the name says nothing
MIN_DISTINCT: Final = 0.95  # of a column's values, for it to identify events


@dataclass
class Guess:
    """A mapping, and why columns are not in it."""

    columns: dict[str, str] = field(default_factory=dict)  # canonical name -> column
    timestamp_format: str | None = None
    reasons: dict[str, str] = field(default_factory=dict)  # column -> why it is not mapped


def mapping(values: Values, connection: duckdb.DuckDBPyConnection) -> Guess:
    """Returns the mapping of ``values`` (columns and some of their texts) that fits best."""
    guess = Guess()
    _find_time(values, connection, guess)
    for name in NAMES:
        candidates = [column for column in _by_name(values, name) if column not in guess.columns.values()]
        for column in candidates if name not in guess.columns else ():
            if reason := _objection(name, column, values, connection, guess):
                guess.reasons[column] = reason
            else:
                guess.columns[name] = column
                break
    _explain(values, guess)
    return guess


def _explain(values: Values, guess: Guess) -> None:
    """Gives every column that is not mapped, and does not lie around or within one that is, a reason."""
    used = {*guess.columns.values()}
    around = {column for column in values if any(other.startswith(f"{column}.") for other in used)}
    within = tuple(f"{column}." for column in used)
    reasons = guess.reasons
    guess.reasons = {}
    for column, texts in values.items():
        if column in used | around or column.startswith(within):
            continue
        taken = next((name for name in NAMES if name in guess.columns and _by_name({column: []}, name)), None)
        if not any(texts):
            guess.reasons[column] = "is empty"
        elif column in reasons:
            guess.reasons[column] = reasons[column]
        elif taken:
            guess.reasons[column] = f"`{guess.columns[taken]}` fits {taken} better"
        elif not _is_branch(column, values):
            guess.reasons[column] = "no canonical column is called anything like it"


def _find_time(values: Values, connection: duckdb.DuckDBPyConnection, guess: Guess) -> None:
    named = _by_name(values, "ts")
    others = [column for column in values if column not in named and not _by_name({column: []}, "received_ts")]
    for columns, least in ((named, MIN_PARSED), (others, MIN_PARSED_UNNAMED)):
        for column in columns:
            share, written = max(
                ((_share_parsed(values[column], written, connection), written) for written in FORMATS),
                key=lambda one: one[0],
            )
            if share >= least and _is_fine(values[column]):
                guess.columns["ts"], guess.timestamp_format = column, written
                return
            if columns is named:
                guess.reasons[column] = "is called like a time, but most of its values are none, or days only"


def _share_parsed(texts: Sequence[str | None], written: str | None, connection: duckdb.DuckDBPyConnection) -> float:
    present = [text for text in texts if text]
    if not present:
        return 0.0
    source = Source(path="-", format="csv", columns={"visitor_id": "-", "ts": "-"}, timestamp_format=written)
    parsed = f"SELECT {timestamps.instant('text', source)} AS instant FROM (SELECT unnest($1::VARCHAR[]) AS text)"
    counted = connection.execute(f"SELECT count({timestamps.plausible('instant')}) FROM ({parsed})", [present])
    return float(counted.fetchall()[0][0]) / len(present)


def _is_fine(texts: Sequence[str | None]) -> bool:
    """Whether the times are finer than days: sessions cannot be told from days."""
    return any(text and (":" in text or (len(text) >= 10 and text.replace(".", "").isdigit())) for text in texts)


def _by_name(values: Mapping[str, object], name: str) -> list[str]:
    """Returns the columns that are called like canonical ``name``, best first."""
    known = NAMES[name].split()
    ranked = []
    for position, column in enumerate(values):
        whole, last = _plain(column), _plain(column.split(".")[-1])
        tails = (_plain(".".join(column.split(".")[start:])) for start in range(column.count(".") + 1))
        ranks = [known.index(tail) + (0 if tail == whole else 0.5) for tail in (*tails, last) if tail in known]
        if ranks:
            ranked.append((min(ranks), position, column))
    return [column for _, _, column in sorted(ranked)]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _is_branch(column: str, values: Values) -> bool:
    return any(other.startswith(f"{column}.") for other in values)


def _objection(
    name: str, column: str, values: Values, connection: duckdb.DuckDBPyConnection, guess: Guess
) -> str | None:
    """Returns why ``column`` cannot be ``name`` although it is called so; None when it can."""
    texts = [text for text in values[column] if text]
    if not texts:
        return "is empty"
    if name != "properties" and (_is_branch(column, values) or all(text[0] in "{[" for text in texts)):
        return f"holds objects or lists, not one value for {name}; only `properties` may"
    if name == "event_id" and len({*texts}) < MIN_DISTINCT * len(values[column]):
        return "is called like an event's id, but its values repeat, or are missing"
    if name == "channel" and not {text.lower() for text in texts} <= {*CHANNELS}:
        return f"is called like the channel, but holds other values than {' and '.join(CHANNELS)}"
    if name == "received_ts" and _share_parsed(texts, guess.timestamp_format, connection) < 1:
        return "is called like the time of receipt, but is written in another way than the time of the event"
    if name == "properties" and not all(text[0] in "{[" for text in texts):
        return "is called like the properties, but holds no JSON"
    return None
