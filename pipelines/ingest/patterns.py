"""The forms in which personal data are written, as RE2 patterns: by kind, in the order in which they are looked for.

Sources: SWIFT IBAN Registry, release 97 (IBAN); ISO/IEC 7812 (card numbers); ITU-T E.164 and E.123 (telephone numbers);
the national forms of the numbering plans of the United States, Canada, the United Kingdom, Germany, France, Spain,
Italy, the Netherlands, Switzerland, Sweden, Japan, China, India, Brazil and Australia; RFC 5322, 4291 (mail, IPv6).
"""

from typing import Final

# What people and machines put between two groups of digits; `+` is a space in a query string.
SIGN: Final = r"[\s+.\-\x{00A0}\x{2007}\x{2009}\x{2010}-\x{2015}\x{202F}\x{2212}]"
GAP: Final = r"[\s+.\-()/\x{00A0}\x{2007}\x{2009}\x{2010}-\x{2015}\x{202F}\x{2212}]{0,2}"
OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
GROUP: Final = r"[0-9A-Fa-f]{1,4}"
NO_ADDRESS: Final = r"\s@,;:\"'<>()\[\]{}|\\/?&=#%"

# Lengths of the national account part by country: SWIFT IBAN Registry, release 97.
IBAN_LENGTHS: Final = {
    11: "NO", 12: "BE", 14: "DK FI FK FO GL NL SD", 15: "MK SI", 16: "AT BA EE KZ LT LU MN XK",
    17: "CH CR HR LI LV", 18: "BG BH DE GB GE IE ME RS VA", 19: "AE GI IL IQ SO TL",
    20: "AD CZ ES MD OM PK RO SA SE SK TN VG", 21: "LY PT ST", 22: "IS TR", 23: "BI DJ FR GR IT MC MR SM",
    24: "AL AZ BY CY DO GT HN HU LB NI PL SV", 25: "BR EG PS QA UA", 26: "JO KW MU YE", 27: "MT SC", 28: "LC", 29: "RU",
}  # fmt: skip

SECRETS: Final = (
    "passw(?:or)?d|passwd|pwd|passphrase|pin|otp|cvv|cvc|secret|token|(?:access|auth|id|refresh|session)_?token|auth|"
    "j?session_?id|phpsessid|sid|first_?name|last_?name|full_?name|given_?name|family_?name|maiden_?name|surname|"
    "dob|date_?of_?birth|birth_?da(?:te|y)"
)
"""Parameters whose value is personal whatever it looks like."""


def _iban() -> str:
    forms = []
    for length, countries in IBAN_LENGTHS.items():
        either = countries.replace(" ", "|")
        whole, rest = divmod(length, 4)
        printed = rf"(?:{SIGN}?[A-Z0-9]{{4}}){{{whole}}}" + (rf"{SIGN}?[A-Z0-9]{{{rest}}}" if rest else "")
        forms.append(rf"(?:{either})[0-9]{{2}}(?:{printed})")
        # In lower case with spaces any words would do, were it not for digits after the code of the bank.
        digits = rf"(?:{SIGN}?[0-9]{{4}}){{{whole - 1}}}" + (rf"{SIGN}?[0-9]{{{rest}}}" if rest else "")
        forms.append(rf"(?i:{either})[0-9]{{2}}{SIGN}?[A-Za-z0-9]{{4}}{digits}")
        if length > 12:  # Belgium's and Norway's are digits throughout
            forms.append(rf"(?i:{either})[0-9]{{2}}(?i:[A-Z0-9]{{{length}}})")
    return rf"\b(?:{'|'.join(forms)})\b"


def _after(words: str, least: int, most: int) -> str:
    """A number of ``least`` to ``most`` digits right after one of ``words``, which group 1 keeps."""
    filler = r"(?:[\s_.:=#\"'\\\-/(+\x{2}]|numbers?|num|no|nr|nummer|code|is|was|id|of|my|the|to|%3[AaDd])*"
    return rf"((?:^|[^\pL])(?i:(?:{words}){filler}))[0-9](?:{SIGN}?[0-9]){{{least - 1},{most - 1}}}\b"


ACCOUNT_WORDS: Final = (
    "accounts?|acct?s?|a/c|konto|kontonummer|kontonr|compte|cuenta|conto|rekening|iban|routing|aba|rtn|"
    "sort[ _+-]?code|sortcode|bsb|blz|bankleitzahl|customers?|clients?|kundennummer"
)
PHONE_WORDS: Final = "phones?|telephone|tel|mobile|cell|cellphone|call|fax|handy|telefon|whatsapp|sms|msisdn"
SSN_WORDS: Final = "ssn|social[ _+-]?security|sozialversicherung|sin|itin|tin|tax[ _+-]?id|steuer-?id"
CARD_WORDS: Final = "cards?|pan|cc|kreditkarte|carte|visa|mastercard|amex|maestro"

WORDS: Final = (
    ("ssn", SSN_WORDS, 9, 11), ("card", CARD_WORDS, 12, 19), ("account", ACCOUNT_WORDS, 6, 20),
    ("phone", PHONE_WORDS, 7, 20),
)  # fmt: skip
CONTEXTS: Final = tuple((kind, _after(words, least, most)) for kind, words, least, most in WORDS)
"""Numbers that only the word before them gives away."""

FIRST: Final = (
    ("email", rf"[^{NO_ADDRESS}]+(?:@|&#(?:0*64|[xX]0*40);)[^{NO_ADDRESS}]+\.\pL{{2,}}"),
    ("email", rf"[^{NO_ADDRESS}]+(?: +@ *| *@ +)[^{NO_ADDRESS}.]+(?:\.[^{NO_ADDRESS}.]+)*\.\pL{{2,}}"),
    ("email", rf"[^{NO_ADDRESS}]+ ?@ ?[^{NO_ADDRESS}.]+(?: \. [^{NO_ADDRESS}.]+)* \. \pL{{2,}}"),
    (
        "email",
        rf"(?i)[^{NO_ADDRESS}]+[ +]?[\[({{]at[\])}}][ +]?[^{NO_ADDRESS}]+(?:[ +]?[\[({{]dot[\])}}][ +]?|\.)\pL{{2,}}",
    ),
    ("iban", _iban()),
    # As printed on a card: a mistyped one is personal too.
    (
        "card",
        rf"\b[0-9]{{4}}(?:(?:{SIGN}|_)[0-9]{{4}}){{3}}(?:(?:{SIGN}|_)[0-9]{{1,3}})?\b|"
        rf"\b3[0-9]{{3}}{SIGN}[0-9]{{6}}{SIGN}[0-9]{{4,5}}\b",
    ),
)
GROUPED: Final = (
    # International, with its sign or two noughts.
    ("phone", rf"\+[ +\-.()]*[1-9](?:{GAP}[0-9]){{6,14}}\b|\b00[1-9](?:{GAP}[0-9]){{7,13}}\b"),
    # 20-00-00 55779911: a British sort code and account
    ("account", rf"\b[0-9]{{2}}-[0-9]{{2}}-[0-9]{{2}}{SIGN}[0-9]{{8}}\b"),
    (
        "phone",
        "|".join(
            (
                rf"\(0?[0-9]{{2,4}}\){SIGN}?[0-9]{{3,5}}{SIGN}?[0-9]{{3,5}}\b",  # (020) 7946 0958, (212) 555-0123
                rf"\(0[0-9]{{1,4}}\){SIGN}?[0-9]{{3}}(?:{SIGN}[0-9]{{2,3}}){{2}}\b",  # (044) 668 18 00
                rf"\b0[0-9](?:{SIGN}[0-9]{{2,3}}){{4}}\b",  # 06 12 34 56 78
                rf"\b0[0-9]{{1,2}}{SIGN}[0-9]{{3}}(?:{SIGN}[0-9]{{2,3}}){{2}}\b",  # 08-465 004 02, 070-174 06 05
                rf"\b0[0-9]{{1,4}}(?:{SIGN}|/)[0-9]{{3,5}}{SIGN}?[0-9]{{2,5}}\b",  # 020 7946 0958, 030/23125012
                rf"\b(?:1{SIGN})?[2-9][0-9]{{2}}(?:{SIGN}|/)?[0-9]{{3}}{SIGN}[0-9]{{4}}\b",  # 212-555-0123
                rf"\b[2-9][0-9]{{2}}{SIGN}[0-9]{{7}}\b",  # 212 5550123
                rf"\b[6-9][0-9]{{2}}(?:{SIGN}[0-9]{{3}}){{2}}\b",  # 612 345 678
                rf"\b[6-9][0-9]{{4}}{SIGN}[0-9]{{5}}\b",  # 98765 43210
                rf"\b1[3-9][0-9](?:{SIGN}[0-9]{{4}}){{2}}\b",  # 138 0013 8000
                rf"\b[1-9][0-9]{SIGN}9?[0-9]{{4}}-[0-9]{{4}}\b",  # 11 91234-5678
            )
        ),
    ),
    ("ssn", rf"\b[0-9]{{3}}{SIGN}[0-9]{{2}}{SIGN}[0-9]{{4}}\b"),
    (
        "ip",
        rf"(?:::|\b(?:{GROUP}:){{1,6}}:?)(?:{GROUP}:){{0,5}}(?:{OCTET}\.){{3}}{OCTET}\b|"
        rf"\b(?:{OCTET}\.){{3}}{OCTET}\b|\bip-(?:{OCTET}-){{3}}{OCTET}\b|\b(?:{GROUP}:){{7}}{GROUP}\b|"
        rf"\b(?:{GROUP}:){{1,7}}:(?:{GROUP}(?::{GROUP}){{0,6}}\b)?|::(?:{GROUP}:){{0,6}}{GROUP}\b",
    ),
)
LONG: Final = rf"\b[0-9]{{13,19}}\b|\b[0-9](?:{SIGN}?[0-9]){{12,18}}\b"
"""Long enough for a card: the check digit decides what it is."""
CLOCK: Final = "1(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"
"""A time in milli-, micro- or nanoseconds since 1970; no card of these lengths begins with 1."""
BARE: Final = (
    # 15... to 19... with ten digits are seconds since 1970
    ("phone", r"\b(?:[02-9][0-9]{9}|1[0-4][0-9]{8}|[0-9]{11,12}|0[1-9][0-9]{7})\b|\b[0-9](?:[ .\-][0-9]){9,11}\b"),
    ("ssn", r"\b[0-9]{9}\b"),
)
KINDS: Final = (*dict.fromkeys(kind for kind, _ in FIRST + GROUPED + BARE), "parameter")

# What every find of every kind contains, cheap to look for; most values end here.
SUSPECT: Final = (
    rf"@|&#|%[0-9A-Fa-f]{{2}}|::|\bip-[0-9]|[0-9](?:{GAP}[0-9]){{5}}|[0-9]\.[0-9]{{1,3}}\.[0-9]{{1,3}}\.[0-9]|:{GROUP}:{GROUP}:"
    rf"|[0-9]{{4}}_[0-9]{{4}}|[A-Za-z]{{2}}[0-9]{{2}}{SIGN}?[A-Za-z]{{4}}|(?i)[\[({{]at[\])}}]|(?:{SECRETS})\"?\s?[=:]"
)
