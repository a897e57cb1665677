"""Page templates and stored URLs."""

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.ingest import pages


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        pages.define(opened)
        yield opened


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://Bank.example/Loans/Home/?rate=3#top", "/loans/home"),
        ("https://bank.example", "/"),
        ("https://bank.example?x=1", "/"),
        ("//bank.example/a", "/a"),
        ("/", "/"),
        ("/a//b/", "/a/b"),
        ("/accounts/12345/cards/7", "/accounts/:id/cards/:id"),
        ("/a/E6443F59-294F-4b66-ab15-700fd1b31d9b/b", "/a/:id/b"),
        ("/doc/9f86d081884c7d659a2feaa0c55ad015", "/doc/:id"),
        ("/t/dGhpcyBpcyBhIHRva2VuMTIz/x", "/t/:id/x"),
        ("/order-1234567/view", "/order-:id/view"),
        ("/loans/used-cars-2026", "/loans/used-cars-2026"),
        ("/help/how-to-open-a-401k-account", "/help/how-to-open-a-401k-account"),
        ("/facade/effaced", "/facade/effaced"),
        ("/a;jsessionid=9F86D081/b", "/a/b"),
        ("/caf%C3%A9%3Fq=1", "/café"),
        ("/bad%FFbyte", "/bad%ffbyte"),
        ("app://bank/home", "/home"),
        ("/news/2026-01-31/rates", "/news/:id/rates"),
        ("/call/212-555-0123", "/call/:id"),
        ("/t/aGVsbG8gd29ybGQ-dG9rZW4gMTIzNDU2", "/t/:id"),
        ("/t/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhYmMifQ.c2lnbmF0dXJl/x", "/t/:id/x"),
        ("/(S(lit3py55t21z5v55vlm25s55))/orders", "/orders"),
        ("/a%3Bjsessionid=9F86D081/b", "/a/b"),
        (
            "/help/how-to-open-a-401k-account-in-2026-and-what-you-need",
            "/help/how-to-open-a-401k-account-in-2026-and-what-you-need",
        ),
        ("/a%252Fb", "/a/b"),
    ],
)
def test_the_page_is_the_path_without_what_identifies(
    connection: duckdb.DuckDBPyConnection, url: str, page: str
) -> None:
    assert connection.execute("SELECT page_of_url($1)", [url]).fetchall() == [(page,)]


@pytest.mark.parametrize(
    ("given", "page"), [("/A/12?x", "/a/:id"), ("https://h/B/", "/b"), ("Home screen?", "Home screen?"), (None, None)]
)
def test_a_named_page_is_a_template_too_and_a_screen_keeps_its_name(
    connection: duckdb.DuckDBPyConnection, given: str | None, page: str | None
) -> None:
    assert connection.execute("SELECT page_template($1::VARCHAR)", [given]).fetchall() == [(page,)]


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        (
            "https://u:p@bank.example/a?q=jo&utm_source=x&utm_medium=y#f",
            "https://bank.example/a?utm_source=x&utm_medium=y",
        ),
        ("/a?next=/b?utm_source=x", "/a"),
        ("/a;sid=1/b?x=1", "/a/b"),
        ("https://bank.example/@jo", "https://bank.example/@jo"),
        ("/a#utm_source=x", "/a"),
        ("/plain", "/plain"),
        (
            "https://bank.example/a?utm_email=jo&utm_source=x&utm_term=y#f",
            "https://bank.example/a?utm_source=x&utm_term=y",
        ),
        ("/a?name=jo&email=e&phone=1&dob=d&ssn=s&token=t&session=z&password=p", "/a"),
        ("/a%3Bjsessionid=1/b", "/a/b"),
        ("/(S(abc))/b", "/b"),
        ("//u:p@q@bank.example/a", "//bank.example/a"),
    ],
)
def test_urls_keep_no_parameters_but_those_of_campaigns(
    connection: duckdb.DuckDBPyConnection, url: str, clean: str
) -> None:
    assert connection.execute("SELECT clean_url($1)", [url]).fetchall() == [(clean,)]


HOSTILE = st.text(st.sampled_from("aZ09/%25F3Bb?#;:@()&=-._~e +İé"), max_size=40)


@settings(deadline=None, max_examples=40)  # DuckDB plans each query anew
@given(HOSTILE | st.builds("https://bank.example/{}".format, HOSTILE) | st.builds("/{}".format, HOSTILE))
def test_a_template_of_a_template_and_a_clean_url_of_a_clean_url_are_the_same(
    connection: duckdb.DuckDBPyConnection, url: str
) -> None:
    query = "SELECT page_template(page_template($1)) = page_template($1), clean_url(clean_url($1)) = clean_url($1)"
    assert connection.execute(query, [url]).fetchall() == [(True, True)]


def test_a_stored_url_keeps_the_parameters_that_are_allowed_as_well() -> None:
    with duckdb.connect() as connection:
        pages.define(connection, ["product", "v.2"])
        given = "https://bank.example/a?product=card&v.2=b&vx2=c&utm_source=mail&name=jo"
        found = connection.execute("SELECT clean_url($1)", [given]).fetchall()
    assert found == [("https://bank.example/a?product=card&v.2=b&utm_source=mail",)]
