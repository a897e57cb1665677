"""The words of a rendered row, and what a page is called. English only: stems, stop words and verbs are English."""

import re
from collections import Counter
from collections.abc import Iterable

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from pipelines.taxonomy.rendering import Row

Content = tuple[str | int | None, ...]

FRONT_DOOR = frozenset(
    {"", "home", "index", "frontpage", "start", "login", "logon", "logout", "signin", "search", "thankyou", "thanks"}
)
"""Last parts of paths that everybody passes whatever they want: no evidence of an intent."""

SITE_NAME_SHARE = 0.3  # a part of titles that this share of them repeats is the site's name
_SEPARATOR = re.compile(r"\s*\|\s*|\s+[-–—·»]\s+")
_TELLING = frozenset(
    {"amount", "bill", "computer", "detail", "fire", "interest", "move", "system"}
)  # on sklearn's list
_STOP_WORDS = (ENGLISH_STOP_WORDS - _TELLING) | {"html", "htm", "php", "aspx", "www", "page", "today"}


def content(row: Row) -> Content:
    """Returns what of ``row`` says anything of an intent: rows of the same content are evidence of the same."""
    return row.get("page"), row.get("title"), row.get("search")


def page_key(row: Row) -> str | None:
    """Returns what the row's page is known by, its title or else its path; None for a front door or no page."""
    path, title = row.get("page"), row.get("title")
    if path is not None and re.sub(r"\.\w+$|[-_]", "", str(path).strip("/").split("/")[-1].casefold()) in FRONT_DOOR:
        return None
    key = title or path
    return None if key is None else str(key)


def search_key(row: Row) -> str | None:
    """Returns what the row searches for, whatever its capitals; None without a search."""
    return str(row["search"]).casefold() if "search" in row else None


def area(row: Row) -> str:
    """Returns the first part of the row's path, the site's own division; empty without a path."""
    return str(row.get("page", "")).strip("/").split("/")[0]


def title_parts(title: str) -> list[str]:
    """Returns the title and the parts that it is put together from (page, section, site)."""
    parts = [part for part in _SEPARATOR.split(title) if part]
    return [title] if len(parts) < 2 else [title, *parts]


def site_names(titles: Iterable[str]) -> set[str]:
    """Returns the parts that many of the distinct ``titles`` share."""
    distinct = set(titles)
    parts = Counter(part for title in distinct for part in set(title_parts(title)[1:]))
    return {part for part, count in parts.items() if count >= max(2, SITE_NAME_SHARE * len(distinct))}


def spoken(key: str, sites: set[str]) -> str:
    """Returns a page's key as a person says it: its title without the site's name, or the words of its path."""
    if key.startswith("/"):
        words = re.sub(r"[-_+.]|html?$", " ", key.strip("/").split("/")[-1]).split()
        return " ".join(words).capitalize() or key
    kept = [part for part in title_parts(key)[1:] or [key] if part not in sites]
    return kept[0] if kept else key


def content_words(text: str) -> list[str]:
    """Returns the stems of the words that say something."""
    words = re.findall(r"[^\W\d_]{3,}|\d+[^\W\d_]+", text.casefold())
    return [stem(word) for word in words if word not in _STOP_WORDS]


def row_words(row: Row) -> list[str]:
    """Returns the stems of a row's title, path and search."""
    return content_words(" ".join(str(row[name]) for name in ("title", "page", "search") if name in row))


def stem(word: str) -> str:
    """Returns the singular, roughly: enough to make "loans" and "loan" one word."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
