"""Who is to be forgotten: which visitors, on a shared one from when to when, and which rows of a table are theirs."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.ingest.forgotten import Line

HASH_LENGTH = 32


@dataclass(frozen=True, order=True)
class Link:
    """A visitor was known to be a customer from ``since`` (included) to ``until`` (excluded; None: still)."""

    visitor: str
    since: datetime
    until: datetime | None
    customer: str


@dataclass(frozen=True)
class Span:
    """The time in which a visitor that others use too was this person's; None is an open side."""

    visitor: str
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True)
class Person:
    """A customer with all visitors linked to them, or one visitor alone.

    Attributes:
        customer: keyed hash; None when a visitor was named.
        visitors: keyed hashes of those that nobody else was ever linked to: all of theirs goes.
        spans: of shared visitors; before a visitor's first link, the time is the first owner's.
    """

    customer: str | None
    visitors: frozenset[str]
    spans: tuple[Span, ...] = ()

    @property
    def lines(self) -> list[Line]:
        """What the list of the forgotten needs to know of them."""
        own = [Line("customer", self.customer)] if self.customer else []
        spans = [Line("visitor", span.visitor, span.since, span.until) for span in self.spans]
        return [*own, *(Line("visitor", visitor) for visitor in sorted(self.visitors)), *spans]


def keyed_hash(secret: bytes, purpose: str, text: str) -> str:
    """Returns what the macro of this name in ``ingest.ids`` does."""
    return hmac.new(secret, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()[:HASH_LENGTH]


def of_customer(customer: str, links: Iterable[Link]) -> Person:
    """Returns the person behind ``customer`` as ``links`` know them."""
    by_visitor: dict[str, list[Link]] = {}
    for link in sorted(set(links), key=lambda link: (link.visitor, link.since, link.customer)):
        by_visitor.setdefault(link.visitor, []).append(link)
    own = {visitor: found for visitor, found in by_visitor.items() if any(link.customer == customer for link in found)}
    alone = frozenset(visitor for visitor, found in own.items() if {link.customer for link in found} == {customer})
    spans = [
        Span(visitor, None if link is found[0] else link.since, link.until)
        for visitor, found in own.items()
        if visitor not in alone
        for link in found
        if link.customer == customer
    ]
    return Person(customer, alone, tuple(spans))


def events_of(person: Person, events: pa.Table) -> pa.ChunkedArray:
    """Returns which ``events`` are the person's; one with another login never is, unless a visitor was named."""
    unsigned = pc.is_null(events.column("customer_id"))
    mask = _is_theirs(person, events)
    for span in person.spans:
        within = pc.and_(pc.equal(events.column("visitor_id"), span.visitor), unsigned)
        if span.since:
            within = pc.and_(within, pc.greater_equal(events.column("ts"), _instant(span.since)))
        if span.until:
            within = pc.and_(within, pc.less(events.column("ts"), _instant(span.until)))
        mask = pc.or_(mask, within)
    return mask


def sessions_of(person: Person, sessions: pa.Table) -> pa.ChunkedArray:
    """Returns which ``sessions`` hold something of the person's: also those that change hands in the middle."""
    mask = _is_theirs(person, sessions)
    for span in person.spans:
        within = pc.equal(sessions.column("visitor_id"), span.visitor)
        if span.since:
            within = pc.and_(within, pc.greater_equal(sessions.column("end_ts"), _instant(span.since)))
        if span.until:
            within = pc.and_(within, pc.less(sessions.column("start_ts"), _instant(span.until)))
        mask = pc.or_(mask, within)
    return mask


def links_of(person: Person, identity: pa.Table) -> pa.ChunkedArray:
    """Returns which rows of ``identity`` name the person."""
    return _is_theirs(person, identity)


def _is_theirs(person: Person, rows: pa.Table) -> pa.ChunkedArray:
    mask = pc.is_in(rows.column("visitor_id"), pa.array(sorted(person.visitors), pa.string()))
    if person.customer:
        signed = pc.fill_null(pc.equal(rows.column("customer_id"), person.customer), False)
        mask = pc.or_(mask, signed)
    return mask


def _instant(moment: datetime) -> pa.Scalar:
    return pa.scalar(moment, pa.timestamp("us", tz="UTC"))
