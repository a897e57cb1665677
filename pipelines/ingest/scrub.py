"""Personal data out of free text, as DuckDB macros: each find is replaced by its kind in brackets.

Finds e-mail addresses, phone and card numbers, social security and account numbers, IBANs, IP addresses and the values
of parameters that are personal by name; plain, URL-encoded (up to three times), spaced, dotted or dashed. What is not
found: docs/privacy.md. The rules for bare runs of digits:

- 13 to 19 digits are a card when the check digit (Luhn) is right, else an account number; a time in milli-, micro- or
  nanoseconds stays. Grouped as on a card they are a card in any case: a mistyped card number is personal too.
- 10 to 12 digits are a phone number, unless they are seconds since 1970; 9 digits a social security number.
- 6 digits or more after a word such as *account*, *sort code* or *phone* are what the word says.

In ``properties`` (JSON) a value that is nothing but such a number is more often the id that joins two events: unless
its name says otherwise it becomes a keyed hash, which nobody can read and which joins as before.
"""

from typing import Final

import duckdb

from pipelines.ingest import patterns
from pipelines.ingest.patterns import CLOCK, LONG, SECRETS

KINDS: Final = patterns.KINDS

# What would be taken for a card or phone number is glued together while the patterns run: a word has no number in it.
GLUE: Final = "zQglueQz"
_UUID: Final = r"\b([0-9A-Fa-f]{8})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{12})\b"
_DAY, _MONTH, _YEAR = "0?[1-9]|[12][0-9]|3[01]", "0?[1-9]|1[0-2]", "19[0-9]{2}|20[0-9]{2}"
GLUED: Final = (
    (r"\b([0-9]{1,2})\.([0-9]{7,})", rf"\1.{GLUE}\2"),  # 0.14285714285714285
    (_UUID, "-".join((rf"\1{GLUE}", rf"{GLUE}\2{GLUE}", rf"{GLUE}\3{GLUE}", rf"{GLUE}\4{GLUE}", rf"{GLUE}\5"))),
    (rf"\b({_YEAR})-({_MONTH})-({_DAY})\b", rf"\1{GLUE}-{GLUE}\2{GLUE}-{GLUE}\3{GLUE}"),  # 2026-01-31
    (rf"\b({_DAY})([./-])({_MONTH})([./-])({_YEAR})\b", rf"\1{GLUE}\2{GLUE}\3{GLUE}\4{GLUE}\5{GLUE}"),  # 31.01.2026
)
YEARS: Final = (  # rates+2026+2027; not before contexts are read, since a number may begin like a year
    (rf"(\pL)\+({_YEAR})\b", rf"\1+{GLUE}\2"),
    (rf"({GLUE}(?:{_YEAR}))\+({_YEAR})\b", rf"\1+{GLUE}\2"),
)
MEASURES: Final = (
    "[a-z_]*(?:amount|price|balance|revenue|cents|duration|millis|bytes|timestamp|time|_at|_ms|_us|_ns|ts)"
)
"""Names of JSON values that count something: their numbers, up to twelve digits, stay."""
STRING: Final = r"(?:\"(?:[^\"\\]|\\.)*\"|-?[0-9][0-9.]*)"


def define(connection: duckdb.DuckDBPyConnection) -> None:
    """Defines the macros ``is_suspect``, ``scrub_plain``, ``mask`` and those that ``steps`` needs.

    Each names its argument once: DuckDB repeats what is passed as often as a macro names it, patterns included.
    ``hash_numbers`` needs the macro ``keyed_hash``.
    """
    identifiers = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|\b[0-9A-Fa-f]{8,}\b"
    for macro in (
        f"is_suspect(v) AS regexp_matches(v, '{_quoted(patterns.SUSPECT)}')",
        *_judging(),
        f"scrub_plain(v) AS replace({_scrubbing()}, '{GLUE}', '')",
        *_decoding(),
        *_of_json(),
        # For excerpts: besides personal data, whatever could identify somebody.
        f"mask(v) AS regexp_replace(regexp_replace(scrub_plain(v), '{identifiers}', '[token]', 'g'), "
        "'[0-9]{5,}', '[digits]', 'g')",
        "form(v) AS regexp_replace(v, '\\pL', 'x', 'g')",
        "occurrences(v, kind) AS (length(v) - length(replace(v, kind, ''))) // length(kind)",
    ):
        connection.execute(f"CREATE TEMP MACRO {macro}")


def steps(suspects: str) -> tuple[tuple[str, str], ...]:
    """Returns the temporary tables, in order, that end in ``scrubbed``: (name, query).

    Args:
        suspects: a table of (field, plain, ...), in which field ``properties`` is JSON. ``scrubbed`` has its columns
            and ``clean``, which is ``plain`` where nothing was found, and JSON again where ``plain`` was.
    """
    hashed = f"SELECT *, CASE WHEN field = 'properties' THEN hash_numbers(plain) ELSE plain END AS held FROM {suspects}"
    read = "SELECT *, CASE WHEN contains(held, '%') THEN decoded(held) END AS read FROM suspects_hashed"
    # One column of all texts: DuckDB would read the patterns again for each column.
    texts = """SELECT rowid AS id, 'direct' AS form, held AS text FROM suspects_read
        UNION ALL SELECT rowid, 'indirect', read FROM suspects_read WHERE read IS NOT NULL
        UNION ALL SELECT rowid, 'quoted', quote_numbers(held) FROM suspects_read WHERE field = 'properties'"""
    tried = "SELECT id, form, scrub_plain(text) AS text FROM suspects_texts"
    forms = ", ".join(f"max(text) FILTER (form = '{form}') AS {form}" for form in ("direct", "indirect", "quoted"))
    scrubbed = f"""SELECT * EXCLUDE (held, read, direct, indirect, quoted, best), CASE WHEN best = plain THEN plain
            WHEN field <> 'properties' OR json_valid(best) THEN best
            WHEN direct = best AND json_valid(quoted) THEN quoted ELSE to_json(best)::VARCHAR END AS clean
        FROM (SELECT suspects_read.*, direct, indirect, unquote_numbers(quoted) AS quoted,
                CASE WHEN indirect <> read THEN indirect ELSE direct END AS best
            FROM suspects_read JOIN (SELECT id, {forms} FROM suspects_tried GROUP BY id) ON id = suspects_read.rowid)"""
    return (
        ("suspects_hashed", hashed), ("suspects_read", read), ("suspects_texts", texts), ("suspects_tried", tried),
        ("scrubbed", scrubbed),
    )  # fmt: skip


def _scrubbing() -> str:
    """SQL: ``v`` with every find replaced, and glue in it."""
    sql = "v"
    for pattern, glued in GLUED:
        sql = _replaced(sql, pattern, glued)
    for kind, pattern in patterns.FIRST:
        sql = _replaced(sql, pattern, f"[{kind}]")
    sql = _replaced(sql, rf"(\b(?i:{SECRETS})=)[^&\s\"'<>;]+", r"\1[parameter]")
    for kind, pattern in patterns.CONTEXTS:
        sql = _replaced(sql, pattern, rf"\1[{kind}]")
    for pattern, glued in YEARS:
        sql = _replaced(sql, pattern, glued)
    for kind, pattern in patterns.GROUPED:
        sql = _replaced(sql, pattern, f"[{kind}]")
    sql = f"judge_numbers({sql})"
    for kind, pattern in patterns.BARE:
        sql = _replaced(sql, pattern, f"[{kind}]")
    return sql


def _judging() -> tuple[str, ...]:
    """``judge_numbers``: the long numbers of a text by what their check digit says."""
    doubled = "translate(regexp_replace(r, '.(.)', '\\1', 'g'), '0123456789', '0246813579')"
    return (
        # ISO/IEC 7812-1, annex B: from the right, every second digit is doubled and its digits are added
        "checks(r) AS list_sum(list_transform(string_split(regexp_replace(r, '(.).', '\\1', 'g') || "
        f"{doubled}, ''), lambda c: c::UTINYINT)) % 10 = 0",
        "passes_luhn(d) AS checks(reverse(lpad(d, 20, '0')))",
        f"""judge_number(n) AS CASE WHEN regexp_full_match(n, '{CLOCK}') THEN n
            WHEN passes_luhn(regexp_replace(n, '[^0-9]', '', 'g')) THEN '[card]' ELSE '[account]' END""",
        rf"""judge_numbers(v) AS list_aggregate(list_transform(
            string_split(regexp_replace(v, '{_quoted(LONG)}', chr(1) || '\0' || chr(1), 'g'), chr(1)),
            lambda s: CASE WHEN regexp_full_match(s, '{_quoted(LONG)}') THEN judge_number(s) ELSE s END),
            'string_agg', '')""",
    )


def _decoding() -> tuple[str, ...]:
    """``decoded``: what percent signs stand for, three times over; bytes that are no text stay encoded."""
    return (
        r"decoded(v) AS list_reduce(['', '', ''], lambda t, _: coalesce(TRY(url_decode(t)), "
        r"url_decode(regexp_replace(t, '%([89A-Fa-f][0-9A-Fa-f])', '%25\1', 'g'))), v)",
    )


def _of_json() -> tuple[str, ...]:
    """Macros for JSON text: a value that is a number becomes a keyed hash, one that is personal by name is dropped."""
    held = _replaced("v", rf"(\"(?i:{MEASURES})\"\s*:\s*)([0-9]{{9,12}})\b", rf"\1{GLUE}\2")
    held = _replaced(held, rf"(\"(?i:{SECRETS})\"\s*:\s*){STRING}", '\\1"[parameter]"')
    for kind, words, least, most in patterns.WORDS:
        name = rf"\"(?i:{words})[ _-]?(?i:numbers?|num|no|nr)?\""
        number = f"[0-9]{{{least},{most}}}"
        held = _replaced(held, rf"({name}\s*:\s*)(?:\"{number}\"|{number})(\s*[,}}])", rf'\1"[{kind}]"\2')
    marked = _replaced(held, r"([:\[,]\s*)(\"[0-9]{9,19}\")", "\\1\x01\\2\x01")
    for _ in range(2):  # a comma belongs to one element of a list, not to the next as well
        marked = _replaced(marked, r"([:\[,]\s*)([0-9]{9,19})(\s*[,\]}])", "\\1\x01\\2\x01\\3")
    hashed = rf"""list_aggregate(list_transform(string_split({marked}, '{chr(1)}'), lambda s, i:
        CASE WHEN i % 2 = 1 OR regexp_full_match(s, '"?(?:{CLOCK}|1[5-9][0-9]{{8}})"?') THEN s
        ELSE '"id_' || keyed_hash('property', trim(s, '"')) || '"' END), 'string_agg', '')"""
    return (
        f"marked_numbers(v) AS {hashed}",
        f"sound(new, old) AS CASE WHEN json_valid(replace(new, '{GLUE}', '')) THEN new ELSE old END",
        "hash_numbers(v) AS sound(marked_numbers(v), v)",
        # A bare number in JSON must become a string before a word can take its place; one that stays, a number again.
        r"quote_numbers(v) AS regexp_replace(v, '([:\[,]\s*)(-?[0-9]{6,}(?:\.[0-9]+)?)', '\1"
        f'"{chr(2)}\\2{chr(2)}"'
        "', 'g')",
        f"unquote_numbers(v) AS replace(regexp_replace(v, '\"{chr(2)}(-?[0-9.]+){chr(2)}\"', '\\1', 'g'), "
        f"'{chr(2)}', '')",
    )


def _replaced(sql: str, pattern: str, replacement: str) -> str:
    return f"regexp_replace({sql}, '{_quoted(pattern)}', '{_quoted(replacement)}', 'g')"


def _quoted(pattern: str) -> str:
    return pattern.replace("'", "''")
