"""Personal data that belong to nobody, in every form and surrounding in which ``benchmarks.scrub`` plants them.

Sources of what belongs to nobody: RFC 2606 (example domains), RFC 5737 and 3849 (network addresses for documentation),
the numbers that regulators keep for fiction (NANPA 555-0100 to 555-0199; Ofcom 020 7946 0xxx, 01632 960xxx, 07700
900xxx; BNetzA 030 23125xxx, 0171 39200xx; ARCEP 01 99 00 xx xx, 06 39 98 xx xx; ACMA 0491 57x xxx, 02 5550 xxxx; PTS
070-174 06 xx), the card networks' published test numbers, taxpayer numbers 9xx with a group from 01 to 49 (never a
Social Security number), IBANs with wrong check digits.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, quote_plus

from pipelines.ingest.patterns import IBAN_LENGTHS

CARDS: Final = (
    "4111111111111111", "4012888888881881", "4222222222222", "5555555555554444", "5105105105105100",
    "2223003122003222", "378282246310005", "371449635398431", "6011111111111117", "6011000990139424",
    "30569309025904", "38520000023237", "3530111333300000", "3566002020360505", "6200000000000005",
    "6759649826438453", "6205500000000000004",
)  # fmt: skip
SEPARATORS: Final = (" ", "-", ".", "\u00a0", "\u2011")
ENCODINGS: Final[dict[str, Callable[[str], str]]] = {
    "plain": lambda value: value,
    "encoded": lambda value: quote(value, safe=""),
    "encoded_plus": lambda value: quote_plus(value, safe=""),
    "double_encoded": lambda value: quote(quote(value, safe=""), safe=""),
    "every_character": lambda value: "".join(f"%{byte:02X}" for byte in value.encode()),
}
SURROUNDINGS: Final = (  # (field, text around the value)
    ("query", "{}"),
    ("query", "please change it to {} today"),
    ("query", "I wrote ({}), twice."),
    ("title", "Ihre Daten: {}; danke"),
    ("text", "<b>{}</b>"),
    ("text", "x={}&y=2"),
    ("element", "button|{}|send"),
    ("campaign", "spring,{}"),
    ("url", "https://site.test/a?utm_term={}&utm_source=mail"),
    ("url", "https://site.test/a/{}/edit?lang=en"),
    ("url", "https://site.test/a?email={0}&token={0}&q={0}#{0}"),
    ("page", "/a/{}/edit"),
    ("referrer", "https://site.test/read?utm_content={}"),
    ("properties", '{{"note":"call {} now","n":3}}'),
    ("properties", '{{"a":{{"b":["{}"]}}}}'),
)
ENCODED_ONLY: Final = ("url", "page", "referrer")
"""Where a browser encodes what people type: a plain blank or slash there would end the value."""
IN_NUMBERS: Final = (("properties", '{{"n":{},"m":1.5}}'), ("properties", '{{"tags":["a",{}]}}'))
PARAMETERS: Final = ("password", "token", "dob", "first_name", "lastname", "surname", "session_id", "cvv", "pin")


@dataclass(frozen=True)
class Planted:
    """One value in its place."""

    kind: str
    form: str
    encoding: str
    field: str
    text: str
    value: str


def plant(n_each: int, seed: int) -> Iterator[Planted]:
    """Yields ``n_each`` values of every kind, form, encoding and surrounding."""
    draws = random.Random(seed)
    for (kind, form), make in FORMS.items():
        for name, encode in ENCODINGS.items():
            places = [place for place in SURROUNDINGS if name != "plain" or place[0] not in ENCODED_ONLY]
            places += IN_NUMBERS if form == "bare" and name == "plain" else []
            for field, around in places:
                for _ in range(n_each):
                    value = make(draws)
                    yield Planted(kind, form, name, field, around.format(encode(value)), value)


def _email(local: str) -> Callable[[random.Random], str]:
    def make(draws: random.Random) -> str:
        first, last = draws.choice(("jane", "omar", "lucía", "wei")), draws.choice(("miller", "haddad", "o-neil"))
        domain = draws.choice(("example.com", "mail.example.org", "bank.example", "bücher.example"))
        return local.format(first, last, draws.randrange(1000), domain)

    return make


def _digits(form: str) -> Callable[[random.Random], str]:
    """A number of this form: # is any digit, ~ a separator."""

    def make(draws: random.Random) -> str:
        separator = draws.choice(SEPARATORS)
        return "".join(str(draws.randrange(10)) if c == "#" else separator if c == "~" else c for c in form)

    return make


def _card(form: str) -> Callable[[random.Random], str]:
    def make(draws: random.Random) -> str:
        number, separator = draws.choice(CARDS), "" if form == "bare" else draws.choice(SEPARATORS)
        if form == "singly":
            return " ".join(number)
        sizes = (4, 6, 5) if len(number) == 15 else (4, 6, 4) if len(number) == 14 else (4,) * 5
        groups, rest = [], number
        for size in sizes:
            groups, rest = [*groups, rest[:size]], rest[size:]
        return separator.join(group for group in groups if group)

    return make


def _iban(form: str) -> Callable[[random.Random], str]:
    def make(draws: random.Random) -> str:
        length = draws.choice(sorted(IBAN_LENGTHS))
        country = draws.choice(IBAN_LENGTHS[length].split())
        letters = "ABCD" if country in ("GB", "NL", "IE", "BG", "RO", "LV", "GI", "MT") else ""
        national = letters + "".join(str(draws.randrange(10)) for _ in range(length - len(letters)))
        wrong = 2 + (98 - int("".join(str(int(c, 36)) for c in national + country + "00")) % 97 - 1) % 96
        number = f"{country}{wrong:02}{national}"
        number = number.lower() if form.startswith("lower") else number
        if form.endswith("bare"):
            return number
        separator = draws.choice(SEPARATORS[:4])
        return separator.join(number[start : start + 4] for start in range(0, len(number), 4))

    return make


def _ssn(form: str) -> Callable[[random.Random], str]:
    def make(draws: random.Random) -> str:
        parts = f"9{draws.randrange(100):02}", f"{1 + draws.randrange(49):02}", f"{draws.randrange(10000):04}"
        return ("" if form == "bare" else draws.choice(SEPARATORS)).join(parts)

    return make


def _account(phrase: str, form: str) -> Callable[[random.Random], str]:
    number = _digits(form)
    return lambda draws: f"{phrase}{number(draws)}"


def _address(form: str) -> Callable[[random.Random], str]:
    def make(draws: random.Random) -> str:
        network = draws.choice(("192.0.2.", "198.51.100.", "203.0.113."))
        fourth, groups = str(1 + draws.randrange(254)), [f"{draws.randrange(1, 65536):x}" for _ in range(6)]
        return {
            "v4": network + fourth,
            "v4_dashed": f"ip-{network}{fourth}".replace(".", "-"),
            "v6": ":".join(["2001", "db8", *groups]),
            "v6_short": f"2001:db8::{groups[0]}:{groups[1]}",
            "v6_capitals": f"2001:DB8::{groups[0]}".upper(),
            "v4_in_v6": f"::ffff:{network}{fourth}",
        }[form]

    return make


def _parameter(name: str) -> Callable[[random.Random], str]:
    return lambda draws: f"{name}={draws.choice(('Hunter', 'Zebra', 'Quartz'))}{draws.randrange(10**6):06}"


FORMS: Final[dict[tuple[str, str], Callable[[random.Random], str]]] = {
    ("email", "plain"): _email("{0}.{1}{2}@{3}"),
    ("email", "tagged"): _email("{0}_{1}+tag{2}@{3}"),
    ("email", "spaced"): _email("{0}.{1}{2} @ {3}"),
    ("email", "at_dot"): _email("{0}.{1}{2} [at] example [dot] com"),
    ("phone", "us"): _digits("212~555~01##"),
    ("phone", "us_brackets"): _digits("(415) 555-01##"),
    ("phone", "us_one"): _digits("1~617~555~01##"),
    ("phone", "us_international"): _digits("+1 702 555 01##"),
    ("phone", "bare"): _digits("30555501##"),
    ("phone", "uk"): _digits("020 7946 0###"),
    ("phone", "uk_mobile"): _digits("07700~900###"),
    ("phone", "uk_brackets"): _digits("(01632) 960###"),
    ("phone", "uk_international"): _digits("+44 (0)20 7946 0###"),
    ("phone", "de"): _digits("030/23125###"),
    ("phone", "de_mobile"): _digits("0171~39200##"),
    ("phone", "de_noughts"): _digits("0049 30 23125 ###"),
    ("phone", "fr"): _digits("01~99~00~##~##"),
    ("phone", "fr_mobile"): _digits("06399#####"),
    ("phone", "au"): _digits("0491~570~###"),
    ("phone", "au_brackets"): _digits("(02) 5550 ####"),
    ("phone", "se"): _digits("070-174 06 ##"),
    ("phone", "after_a_word"): _digits("phone 555-01##"),
    ("card", "bare"): _card("bare"),
    ("card", "grouped"): _card("grouped"),
    ("card", "singly"): _card("singly"),
    ("iban", "printed"): _iban("printed"),
    ("iban", "unspaced"): _iban("upper bare"),
    ("iban", "lower_printed"): _iban("lower printed"),
    ("iban", "lower_unspaced"): _iban("lower bare"),
    ("ssn", "bare"): _ssn("bare"),
    ("ssn", "grouped"): _ssn("grouped"),
    ("account", "number"): _account("account number is ", "00######"),
    ("account", "short"): _account("acct: ", "0#####"),
    ("account", "grouped"): _account("Konto-Nr. ", "00##~####~##"),
    ("account", "routing"): _account("routing ", "00#######"),
    ("account", "sort_code"): _account("sort code ", "00-##-##"),
    ("account", "uk_pair"): _account("", "00-##-## 00######"),
    ("account", "glued"): _account("account_", "00######"),
    ("ip", "v4"): _address("v4"),
    ("ip", "v4_dashed"): _address("v4_dashed"),
    ("ip", "v6"): _address("v6"),
    ("ip", "v6_short"): _address("v6_short"),
    ("ip", "v6_capitals"): _address("v6_capitals"),
    ("ip", "v4_in_v6"): _address("v4_in_v6"),
    **{("parameter", name): _parameter(name) for name in PARAMETERS},
}
