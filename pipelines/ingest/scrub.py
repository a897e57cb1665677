"""Personal data out of free text, as DuckDB macros: each find is replaced by its kind in brackets.

Finds e-mail addresses, phone numbers, card-like numbers, social security numbers, IBANs and IP addresses, plain or
URL-encoded (also twice). Does not find names, postal addresses, or numbers glued to letters or underscores, which are
taken for tokens such as ``order_4711``. A bare number of 10 to 19 digits is taken for a phone or card number, epoch
seconds excepted: text is rather scrubbed too much than too little.
"""

from typing import Final

import duckdb

GAP: Final = r"[ +.\-()/]{0,2}"  # `+` is a space in a query string
OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])"
GROUP: Final = r"[0-9A-Fa-f]{1,4}"
NO_ADDRESS: Final = r"\s@,;:\"'<>()\[\]{}|\\/?&=#%"

# Lengths of the national account part by country: SWIFT IBAN Registry, release 97.
IBAN_LENGTHS: Final = {
    11: "NO", 12: "BE", 14: "DK FI FK FO GL NL SD", 15: "MK SI", 16: "AT BA EE KZ LT LU MN XK",
    17: "CH CR HR LI LV", 18: "BG BH DE GB GE IE ME RS VA", 19: "AE GI IL IQ SO TL",
    20: "AD CZ ES MD OM PK RO SA SE SK TN VG", 21: "LY PT ST", 22: "IS TR", 23: "BI DJ FR GR IT MC MR SM",
    24: "AL AZ BY CY DO GT HN HU LB NI PL SV", 25: "BR EG PS QA UA", 26: "JO KW MU YE", 27: "MT SC", 28: "LC", 29: "RU",
}  # fmt: skip


def _iban() -> str:
    forms = []
    for length, countries in IBAN_LENGTHS.items():
        whole, rest = divmod(length, 4)
        printed = rf"(?: ?[A-Z0-9]{{4}}){{{whole}}}" + (rf" ?[A-Z0-9]{{{rest}}}" if rest else "")
        forms.append(rf"(?:{countries.replace(' ', '|')})[0-9]{{2}}(?:{printed})")
    typed = [rf"(?i:{countries.replace(' ', '|')})[0-9]{{2}}(?i:[A-Z0-9]{{{length}}})"
             for length, countries in IBAN_LENGTHS.items() if length > 12]  # fmt: skip
    # Typed in lower case only without spaces, or any words would do; Belgium's and Norway's are digits throughout.
    return rf"\b(?:{'|'.join(forms)}|{'|'.join(typed)}|(?i:BE)[0-9]{{14}}|(?i:NO)[0-9]{{13}})\b"


PATTERNS: Final = (  # in this order: an IBAN holds what looks like a card, a card what looks like a phone
    ("email", rf"[^{NO_ADDRESS}]+@[^{NO_ADDRESS}]+\.\pL{{2,}}"),
    ("iban", _iban()),
    ("phone", rf"\+[ +\-.()]*[1-9](?:{GAP}[0-9]){{6,14}}\b|\b00[1-9](?:{GAP}[0-9]){{7,13}}\b"),  # international
    ("card", r"\b[0-9](?:[ +.\-]?[0-9]){12,18}\b"),
    ("ssn", r"\b[0-9]{3}[ +\-][0-9]{2}[ +\-][0-9]{4}\b"),
    (
        "ip",
        rf"\b(?:{OCTET}\.){{3}}{OCTET}\b|\b(?:{GROUP}:){{7}}{GROUP}\b|"
        rf"\b(?:{GROUP}:){{1,7}}:(?:{GROUP}(?::{GROUP}){{0,6}}\b)?|::(?:{GROUP}:){{0,6}}{GROUP}\b",
    ),
    (
        "phone",
        "|".join(
            (
                r"\(0?[0-9]{2,4}\)[ +.\-]?[0-9]{3,4}[ +.\-]?[0-9]{3,4}\b",  # (020) 7946 0958
                r"\b0[0-9]{2,4}[ +.\-/][0-9]{3,4}[ +.\-]?[0-9]{3,5}\b",  # 020 7946 0958, 0171 1234567
                r"\b0[1-9](?:[ +.\-][0-9]{2}){4}\b",  # 06 12 34 56 78
                r"\b(?:1[ +.\-])?[2-9][0-9]{2}[ +.\-][0-9]{3}[ +.\-][0-9]{4}\b",  # 212-555-0123
                r"\b(?:[02-9][0-9]{9}|1[0-4][0-9]{8}|[0-9]{11,12})\b",  # bare; 15... to 19... are epoch seconds
            )
        ),
    ),
)
KINDS: Final = tuple(dict.fromkeys(kind for kind, _ in PATTERNS))

# What every find of every kind contains, cheap to look for; most values end here.
SUSPECT: Final = (
    rf"@|%[0-9A-Fa-f]{{2}}|::|[0-9](?:{GAP}[0-9]){{6}}|[0-9]\.[0-9]{{1,3}}\.[0-9]{{1,3}}\.[0-9]|:{GROUP}:{GROUP}:"
    r"|[A-Za-z]{2}[0-9]{2} ?[A-Za-z]{4}"
)
# What would be taken for a card or phone number is glued together while the patterns run: a word has no number in it.
GLUE: Final = "zQglueQz"
FRACTION: Final = r"\b([0-9]{1,2})\.([0-9]{7,})"  # 0.14285714285714285
UUID: Final = r"\b([0-9A-Fa-f]{8})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{4})-([0-9A-Fa-f]{12})\b"
GLUED_UUID: Final = "-".join((rf"\1{GLUE}", rf"{GLUE}\2{GLUE}", rf"{GLUE}\3{GLUE}", rf"{GLUE}\4{GLUE}", rf"{GLUE}\5"))


def define(connection: duckdb.DuckDBPyConnection) -> None:
    """Defines the macros ``is_suspect``, ``scrub_plain``, ``decoded``, ``quote_numbers`` and ``mask`` of a text.

    Each names its argument once: DuckDB repeats what is passed as often as a macro names it, patterns included.
    """
    cleaned = f"regexp_replace(v, '{FRACTION}', '\\1.{GLUE}\\2', 'g')"
    cleaned = f"regexp_replace({cleaned}, '{UUID}', '{GLUED_UUID}', 'g')"
    for kind, pattern in PATTERNS:
        cleaned = f"regexp_replace({cleaned}, '{_quoted(pattern)}', '[{kind}]', 'g')"
    identifiers = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|\b[0-9A-Fa-f]{8,}\b"
    for macro in (
        f"is_suspect(v) AS regexp_matches(v, '{_quoted(SUSPECT)}')",
        f"scrub_plain(v) AS replace({cleaned}, '{GLUE}', '')",
        "decoded(v) AS coalesce(TRY(url_decode(url_decode(v))), TRY(url_decode(v)))",
        # A bare number in JSON must become a string before a word can take its place.
        r"""quote_numbers(v) AS regexp_replace(v, '([:\[,]\s*)(-?[0-9]{9,}(?:\.[0-9]+)?)', '\1"\2"', 'g')""",
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
    read = f"SELECT *, CASE WHEN contains(plain, '%') THEN decoded(plain) END AS read FROM {suspects}"
    tried = """SELECT *, scrub_plain(plain) AS direct, scrub_plain(read) AS indirect,
        CASE WHEN field = 'properties' THEN scrub_plain(quote_numbers(plain)) END AS quoted FROM suspects_read"""
    scrubbed = """SELECT * EXCLUDE (read, direct, indirect, quoted, best), CASE WHEN best = plain THEN plain
            WHEN field <> 'properties' OR json_valid(best) THEN best
            WHEN direct = best AND json_valid(quoted) THEN quoted ELSE to_json(best)::VARCHAR END AS clean
        FROM (SELECT *, CASE WHEN indirect <> read THEN indirect ELSE direct END AS best FROM suspects_tried)"""
    return (("suspects_read", read), ("suspects_tried", tried), ("scrubbed", scrubbed))


def _quoted(pattern: str) -> str:
    return pattern.replace("'", "''")
