"""Personal data planted in addresses, searches and referrers, all from ranges that belong to nobody.

Sources: RFC 2606 (example domains), RFC 5737 and 3849 (network addresses for documentation), 555-0100 to 555-0199
(telephone numbers for fiction), the card networks' published test numbers. Social Security numbers never begin with 9;
taxpayer numbers do, but never have a group from 01 to 49.
"""

from collections.abc import Callable
from urllib.parse import quote, quote_plus

from pipelines.simulate.draws import Draws
from pipelines.simulate.record import Event

_FIRST = ("jane", "omar", "lucia", "wei", "priya", "tom", "ana", "noah")
_LAST = ("miller", "haddad", "rossi", "chen", "patel", "baker", "silva", "berg")
_DOMAINS = ("example.com", "example.org", "mail.example")
_AREA_CODES = ("212", "305", "415", "617", "702")
_CARDS = (
    "4111 1111 1111 1111",
    "4012 8888 8888 1881",
    "5555 5555 5555 4444",
    "5105 1051 0510 5100",
    "3782 822463 10005",
)
_NETWORKS = ("192.0.2.", "198.51.100.", "203.0.113.")


def plant(event: Event, number: int, draws: Draws) -> tuple[Event, list[str]]:
    """Returns ``event`` with a piece of personal data, and each form in which it can be read there.

    Args:
        event: one of a person's on the website; what is neither a page view nor a search stays as it is.
        number: how many were planted before: kinds take turns.
        draws: of this person.
    """
    place = _PLACES.get(event.name)
    if place is None:
        return event, []
    name = list(_KINDS)[number % len(_KINDS)]
    value = _KINDS[name](draws)
    changed, written = place(event, name, value, draws)
    return changed, [value] if written == value else [value, written]


def _email(draws: Draws) -> str:
    return f"{draws.one_of(_FIRST)}.{draws.one_of(_LAST)}{draws.integer(100)}@{draws.one_of(_DOMAINS)}"


def _phone(draws: Draws) -> str:
    area, line = draws.one_of(_AREA_CODES), f"555-01{draws.integer(100):02d}"
    return draws.one_of((f"({area}) {line}", f"{area}-{line}", f"+1 {area} {line.replace('-', ' ')}"))


def _card(draws: Draws) -> str:
    number = draws.one_of(_CARDS)
    return draws.one_of((number, number.replace(" ", ""), number.replace(" ", "-")))


def _ssn(draws: Draws) -> str:
    return f"9{draws.integer(100):02d}-{1 + draws.integer(49):02d}-{draws.integer(10000):04d}"


def _address(draws: Draws) -> str:
    if draws.chance(0.2):
        return f"2001:db8::{draws.integer(65536):x}:{1 + draws.integer(65535):x}"
    return f"{draws.one_of(_NETWORKS)}{1 + draws.integer(254)}"


_KINDS: dict[str, Callable[[Draws], str]] = {
    "email": _email, "phone": _phone, "card": _card, "ssn": _ssn, "ip": _address,
}  # fmt: skip


def _in_search(event: Event, name: str, value: str, draws: Draws) -> tuple[Event, str]:
    query = draws.one_of((f"my {name} is {value}", f"change {name} {value}", value))
    return event._replace(query=query), value


def _in_url(event: Event, name: str, value: str, draws: Draws) -> tuple[Event, str]:
    written = draws.one_of((quote, quote_plus))(value, safe="")
    if event.referrer and draws.chance(0.3):
        return event._replace(referrer=f"https://mail.example/read?{name}={written}"), written
    mark = "&" if "?" in event.url else "?"
    return event._replace(url=f"{event.url}{mark}{name}={written}"), written


_PLACES: dict[str, Callable[[Event, str, str, Draws], tuple[Event, str]]] = {
    "search": _in_search,
    "page_view": _in_url,
}
