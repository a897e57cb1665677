"""URLs without what they may carry, and the page template behind a URL, as DuckDB macros."""

import duckdb


def define(connection: duckdb.DuckDBPyConnection) -> None:
    """Defines ``clean_url(url)`` and ``page_template(url_or_path)``."""
    # Without user:password@, path parameters, fragment, and query parameters except utm_*.
    connection.execute(r"""CREATE TEMP MACRO clean_url(v) AS CASE
        WHEN v IS NULL OR NOT regexp_matches(v, '[?#;@]') THEN v ELSE
        regexp_replace(regexp_replace(regexp_extract(v, '^[^?#]*'), '^([A-Za-z][A-Za-z0-9+.-]*:)?//[^/@]*@', '\1//'),
            ';[^/]*', '', 'g')
        || CASE WHEN regexp_matches(v, '^[^?#]*[?](?:[^#]*[&;])?utm_[a-z_]+=') THEN '?' || array_to_string(
            regexp_extract_all(regexp_extract(v, '[?]([^#]*)', 1), '(?:^|[&;])(utm_[a-z_]+=[^&;]*)', 1), '&')
            ELSE '' END
        END""")
    connection.execute(r"""CREATE TEMP MACRO url_path(v) AS regexp_replace(regexp_extract(
        regexp_replace(v, '^(?:[A-Za-z][A-Za-z0-9+.-]*:)?//[^/?#]*', ''), '^[^?#]*'), ';[^/]*', '', 'g')""")
    # A segment is an identifier: digits; hexadecimal with digits; a uuid; or long, and for a good part digits.
    connection.execute(r"""CREATE TEMP MACRO is_identifier(s) AS
        regexp_full_match(s, '[0-9]+')
        OR (length(s) >= 8 AND regexp_full_match(s, '[0-9a-f-]+') AND regexp_matches(s, '[0-9]'))
        OR (length(s) >= 16 AND regexp_full_match(s, '[0-9a-z_~.=-]+')
            AND 4 * length(regexp_replace(s, '[^0-9]', '', 'g')) >= length(s))
        OR (length(s) >= 24 AND regexp_full_match(s, '[0-9a-z_=]+') AND regexp_matches(s, '[0-9]'))""")
    connection.execute(r"""CREATE TEMP MACRO path_template(p) AS coalesce(nullif(rtrim(array_to_string(list_transform(
        string_split(regexp_replace(p, '/+', '/', 'g'), '/'),
        lambda s: CASE WHEN NOT regexp_matches(s, '[0-9]') THEN s WHEN is_identifier(s) THEN ':id'
                  ELSE regexp_replace(s, '[0-9]{5,}', ':id', 'g') END), '/'), '/'), ''), '/')""")
    connection.execute("""CREATE TEMP MACRO page_of_url(v) AS CASE WHEN v IS NOT NULL THEN path_template(lower(
        CASE WHEN contains(v, '%') THEN url_path(coalesce(TRY(url_decode(url_path(v))), url_path(v)))
        ELSE url_path(v) END))
        END""")
    # What is no URL is the name of a screen and stays as it is.
    connection.execute(r"""CREATE TEMP MACRO page_template(v) AS CASE
        WHEN regexp_matches(v, '^(/|[A-Za-z][A-Za-z0-9+.-]*://)') THEN page_of_url(v) ELSE v END""")
