"""URLs without what they may carry, and the page template behind a URL, as DuckDB macros.

The rules, each with a test. Of a URL stay scheme, host and path, and the parameters of the allow-list; user and
password, fragment, path parameters (``;jsessionid=...``), sessions in brackets (``/(S(...))/``) and all other
parameters go. Of a page stays the path in lower case without a trailing slash, percent signs decoded, and in it ``:id``
stands for a segment that is an identifier:

- digits only; a date; a hexadecimal number or uuid of 8 characters or more with a digit in it;
- 16 characters or more, a quarter of them digits; 24 letters and digits with a digit; 20 characters or more that change
  twice from letter to digit and twice from lower to upper case; an IBAN; three parts joined by dots that begin with
  ``ey`` (JWT);
- of any other segment, each run of five digits or more, and of nine with blanks, dots, dashes or brackets between them.

Words with a number (``401k``, ``used-cars-2026``) stay. A token shorter than 24 characters without a quarter of digits,
or without any digit, is taken for a word. Templates of templates are the same templates.
"""

import re
from collections.abc import Sequence
from typing import Final

import duckdb

PARAMETERS: Final = (
    "utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id", "utm_source_platform",
    "utm_creative_format", "utm_marketing_tactic",
)  # fmt: skip
"""The query parameters that a stored URL keeps in any case: those of campaigns. All values are scrubbed."""
PATH_PARAMETERS: Final = r"(?:;|%3[Bb])[^/]*|/\([A-Za-z]\([^/]*\)\)"


def define(connection: duckdb.DuckDBPyConnection, more: Sequence[str] = ()) -> None:
    """Defines ``clean_url(url)``, ``page_of_url(url)`` and ``page_template(url_or_path)``.

    Args:
        connection: gets the macros.
        more: query parameters that a stored URL keeps besides ``PARAMETERS``.
    """
    kept = rf"(?:{'|'.join(map(re.escape, (*PARAMETERS, *more)))})="
    connection.execute(rf"""CREATE TEMP MACRO clean_url(v) AS CASE
        WHEN v IS NULL OR NOT regexp_matches(v, '[?#;@(]|%3[Bb]') THEN v ELSE
        regexp_replace(regexp_replace(regexp_extract(v, '^[^?#]*'), '^([A-Za-z][A-Za-z0-9+.-]*:)?//[^/]*@', '\1//'),
            '{PATH_PARAMETERS}', '', 'g')
        || CASE WHEN regexp_matches(v, '^[^?#]*[?](?:[^#]*[&;])?{kept}') THEN '?' || array_to_string(
            regexp_extract_all(regexp_extract(v, '[?]([^#]*)', 1), '(?:^|[&;])({kept}[^&;]*)', 1), '&')
            ELSE '' END
        END""")
    connection.execute(rf"""CREATE TEMP MACRO url_path(v) AS regexp_replace(regexp_extract(
        regexp_replace(v, '^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*', ''), '^[^?#]*'), '{PATH_PARAMETERS}', '', 'g')""")
    connection.execute(r"""CREATE TEMP MACRO is_identifier(s) AS
        regexp_full_match(s, '[0-9]+')
        OR (length(s) >= 8 AND regexp_full_match(s, '[0-9A-Fa-f-]+') AND regexp_matches(s, '[0-9]'))
        OR (length(s) >= 16 AND regexp_full_match(s, '[0-9A-Za-z_~.=-]+')
            AND 4 * length(regexp_replace(s, '[^0-9]', '', 'g')) >= length(s))
        OR (length(s) >= 24 AND regexp_full_match(s, '[0-9A-Za-z_=]+') AND regexp_matches(s, '[0-9]'))
        OR (length(s) >= 20 AND regexp_full_match(s, '[0-9A-Za-z_~=-]+')
            AND regexp_matches(s, '[A-Za-z][0-9].*[A-Za-z][0-9]') AND regexp_matches(s, '[a-z][A-Z].*[a-z][A-Z]'))
        OR regexp_full_match(s, '(?i)[a-z]{2}[0-9]{2}[ +.-]?[0-9a-z]{4}(?:[ +.-]?[0-9]{1,4}){2,}')
        OR regexp_full_match(s, '(?i)ey[0-9a-z_-]{10,}[.][0-9a-z_-]{10,}[.][0-9a-z_-]*')""")
    connection.execute(r"""CREATE TEMP MACRO path_template(p) AS coalesce(nullif(rtrim(lower(array_to_string(
        list_transform(string_split(regexp_replace(p, '/+', '/', 'g'), '/'),
        lambda s: CASE WHEN NOT regexp_matches(s, '[0-9]') THEN s WHEN is_identifier(s) THEN ':id' ELSE
            regexp_replace(s, '[0-9](?:[ +().-]{0,2}[0-9]){8,}|[0-9]{5,}', ':id', 'g') END), '/')), '/'), ''), '/')""")
    # Decoded three times, as personal data are looked for; bytes that are no text stay encoded.
    # By a list, so that the argument is named once: DuckDB repeats what is passed as often as a macro names it.
    connection.execute("""CREATE TEMP MACRO decoded_path(v) AS list_reduce(['', '', ''],
        lambda path, _: coalesce(TRY(url_decode(path)), path), v)""")
    connection.execute("""CREATE TEMP MACRO page_of_url(v) AS CASE WHEN v IS NOT NULL THEN path_template(
        CASE WHEN contains(v, '%') THEN url_path(decoded_path(url_path(v))) ELSE url_path(v) END)
        END""")
    # What is no URL is the name of a screen and stays as it is.
    connection.execute(r"""CREATE TEMP MACRO page_template(v) AS CASE
        WHEN regexp_matches(v, '^(/|[A-Za-z][A-Za-z0-9+.-]*://)') THEN page_of_url(v) ELSE v END""")
