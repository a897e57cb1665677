"""Personal data leave texts, plain and encoded; what only looks like them stays."""

import json
from collections.abc import Iterator

import duckdb
import pytest

from pipelines.ingest import scrub


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        scrub.define(opened)
        yield opened


def scrubbed(connection: duckdb.DuckDBPyConnection, text: str, field: str = "query") -> str:
    """The text as the stage would store it: rules run only on what is suspect."""
    connection.execute("CREATE OR REPLACE TEMP TABLE given AS SELECT $1 AS field, $2 AS plain", [field, text])
    connection.execute("CREATE OR REPLACE TEMP TABLE suspects AS FROM given WHERE is_suspect(plain)")
    for name, query in scrub.steps("suspects"):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")
    found = connection.execute("SELECT clean FROM scrubbed").fetchall()
    return str(found[0][0]) if found else text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("mail jane.doe+x@mail.example.org now", "mail [email] now"),
        ("jürgen@bücher.example", "[email]"),
        ("jane%40mail.example", "[email]"),
        ("jane%2540mail.example", "[email]"),
        ("+44 20 7946 0958", "[phone]"),
        ("%2B44%2020%207946%200958", "[phone]"),
        ("tel+%2B44+20+7946+0958", "tel[phone]"),
        ("call (212) 555-0123 today", "call [phone] today"),
        ("212-555-0123", "[phone]"),
        ("2125550123", "[phone]"),
        ("06 12 34 56 78", "[phone]"),
        ("0049 170 1234567", "[phone]"),
        ("card 4111 1111 1111 1111.", "card [card]."),
        ("3782-822463-10005", "[card]"),
        ("4111%201111%201111%201111", "[card]"),
        ("4111111111111111,4012888888881881", "[card],[card]"),
        ("ssn 912-34-5678", "ssn [ssn]"),
        ("912%2D34%2D5678", "[ssn]"),
        ("to DE89 3704 0044 0532 0130 00 please", "to [iban] please"),
        ("gb82west12345698765432", "[iban]"),
        ("NO9386011117947", "[iban]"),
        ("from 192.0.2.140:443", "from [ip]:443"),
        ("2001:db8:85a3:0:0:8a2e:370:7334", "[ip]"),
        ("fe80::1ff:fe23:4567:890a and ::1", "[ip] and [ip]"),
    ],
)
def test_personal_data_are_replaced_by_their_kind(connection: duckdb.DuckDBPyConnection, text: str, clean: str) -> None:
    assert scrubbed(connection, text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "mortgage rates 2026",
        "2026-01-05 10:05:03",
        "1767607200",  # epoch seconds
        "version 1.2.3",
        "order_4711000000000000",
        "e6443f59-294f-4b66-ab15-700fd1b31d9b",
        "12345678-1234-1234-1234-1234567890ab",
        "be12 more than words",
        "de20 this that more some thing",
        "100% fixed at 3.141592653589793",
        "std::vector",
        "09:30-17:00",
        "caf%C3%A9 %ZZ %FF",
        "a @ b",
        "",
    ],
)
def test_what_only_looks_like_them_stays(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    assert scrubbed(connection, text) == text


@pytest.mark.parametrize(
    ("properties", "clean"),
    [
        ({"n": 4111111111111111, "f": [0.14285714285714285, 1e-7]}, {"n": "[card]", "f": [0.14285714285714285, 1e-7]}),
        ({"to": "jane@mail.example", "n": 3}, {"to": "[email]", "n": 3}),
        ([2125550123, -2125550123], ["[phone]", "-[phone]"]),
        ({"t": 1767607200}, {"t": 1767607200}),
        ({"q": "jane%40mail.example"}, {"q": "[email]"}),
        ({"q": "a, 4111111111111111"}, {"q": "a, [card]"}),
    ],
)
def test_properties_stay_json(connection: duckdb.DuckDBPyConnection, properties: object, clean: object) -> None:
    text = json.dumps(properties, separators=(",", ":"))
    assert json.loads(scrubbed(connection, text, "properties")) == clean


def test_properties_that_decoding_would_break_become_one_json_text(connection: duckdb.DuckDBPyConnection) -> None:
    clean = scrubbed(connection, '{"q":"say %22hi%22 to jane%40mail.example"}', "properties")
    assert "jane" not in clean
    assert isinstance(json.loads(clean), str)
