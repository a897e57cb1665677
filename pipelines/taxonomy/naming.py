"""What a product manager would call a topic: names, descriptions, keywords, categories out of titles and searches."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from pipelines.taxonomy.document import Category, Intent, slug
from pipelines.taxonomy.topics import Topic
from pipelines.taxonomy.words import content_words, spoken

N_EXAMPLES = 12
N_KEYWORDS = 10
MAX_NAME_WORDS = 9
APP = "App services"
WEBSITE = "Website services"
_QUESTION = re.compile(r"\?|^(what|how|when|why|where|which|who|should|can|do|does|is|are)\b", re.IGNORECASE)
_MEANS = frozenset({"calculator", "tool", "guide", "finder", "planner", "basic", "form", "application", "apply"})
_VERB = re.compile(
    r"^(apply|buy|check|choose|compare|contact|create|deposit|discover|dispute|download|explore|find|get|help|learn|lock|log|"
    r"make|manage|open|order|pay|plan|read|refinance|register|renew|report|reset|roll|save|see|send|set|sign|start|switch|"
    r"take|tell|track|transfer|try|update|use|view|watch)\b",
    re.IGNORECASE,
)


def categories(topics: Sequence[Topic], searches: Sequence[Mapping[str, int]], sites: set[str]) -> list[Category]:
    """Returns the topics as intents in categories, each in the order given.

    Args:
        topics: groups of pages.
        searches: for each topic, how many sessions about it searched for what.
        sites: parts of titles that are the site's name.
    """
    words_of = [Counter(word for page in topic for word in content_words(page.words)) for topic in topics]
    spread = Counter(word for words in words_of for word in words)
    n_in_area = Counter(page.area for topic in topics for page in topic)
    taken: set[str] = set()
    grouped: dict[str, list[Intent]] = {}
    for topic, words, searched in zip(topics, words_of, searches, strict=True):
        grouped.setdefault(_category_name(topic, topics, n_in_area, sites), []).append(
            _intent(topic, words, searched, spread, sites, taken)
        )
    ids: set[str] = set()
    return [
        Category(
            id=slug(name, ids), name=name, description=_listed([intent.name for intent in intents]), intents=intents
        )
        for name, intents in grouped.items()
    ]


def _intent(
    topic: Topic,
    words: Counter[str],
    searched: Mapping[str, int],
    spread: Counter[str],
    sites: set[str],
    taken: set[str],
) -> Intent:
    titles = list(dict.fromkeys(spoken(page.key, sites) for page in topic))
    name = _name(topic, sites)
    queries = [query for query, _ in sorted(searched.items(), key=lambda item: (-item[1], item[0]))][:5]
    weights = Counter(words)
    for query, count in searched.items():
        weights.update(dict.fromkeys(content_words(query), count))
    telling = {word: weight / spread[word] if spread[word] else weight for word, weight in weights.items()}
    keywords = sorted(telling, key=lambda word: (-telling[word], word))[:N_KEYWORDS]
    description = f"Visitors who look at {_listed(titles[:4])}"
    if queries:
        description += f", or search for {_listed([f'“{query}”' for query in queries[:3]])}"
    return Intent(
        id=slug(name, taken),
        name=name,
        description=description + ".",
        examples=titles[:N_EXAMPLES] + queries,
        keywords=keywords,
    )


def _name(topic: Topic, sites: set[str]) -> str:
    """One title that speaks for the topic, and a second one where it has more to say: "Insurance and travel cover"."""
    shared = Counter(word for page in topic for word in set(content_words(spoken(page.key, sites))))
    ranked = sorted(topic, key=lambda page: (-_fitness(spoken(page.key, sites), page.n_sessions, shared), page.key))
    first = _trimmed(spoken(ranked[0].key, sites))
    said = set(content_words(first))
    for page in ranked[1:]:
        second = _trimmed(spoken(page.key, sites))
        words = set(content_words(second))
        new = words - said
        if said < words and re.search(r"\b(and|or)\b", second):
            return second  # "Car and personal loans" says "Personal loans" as well
        fits = (
            2 * len(new) >= len(words)
            and len(f"{first} {second}".split()) < MAX_NAME_WORDS
            and page.n_sessions * 5 >= ranked[0].n_sessions
        )
        if new and fits and not _QUESTION.search(second) and bool(_VERB.search(first)) == bool(_VERB.search(second)):
            return f"{first} and {_lowered(second)}"
    return first


def _fitness(title: str, n_sessions: int, shared: Counter[str]) -> float:
    """Visited, short, about what its neighbours are about; no question, and no mere means to an end."""
    words = content_words(title)
    if not words:
        return 0.0
    common = sum(shared[word] > 1 for word in words) / len(words)
    aside = 0.4 if _QUESTION.search(title) or _MEANS & set(words) else 1.0
    return math.sqrt(n_sessions) * (0.4 + common) * aside / math.sqrt(max(2, len(title.split())))


def _category_name(topic: Topic, topics: Sequence[Topic], n_in_area: Counter[str], sites: set[str]) -> str:
    """What the site calls the area that most of the topic lies in, else the channel."""
    weights: Counter[str] = Counter()
    for page in topic:
        weights[page.area if n_in_area[page.area] > 1 else ""] += page.n_sessions
    area = max(sorted(weights), key=lambda name: weights[name])
    if not area:
        app = sum(page.app_share * page.n_sessions for page in topic) / sum(page.n_sessions for page in topic)
        return APP if app > 0.5 else WEBSITE
    hubs = [page for pages in topics for page in pages if page.path == f"/{area}"]
    return spoken(hubs[0].key, sites) if hubs else spoken(f"/{area}", sites)


def _trimmed(title: str) -> str:
    return re.sub(r"\s+(today|now|online)$", "", title.rstrip(" ?!.:"), flags=re.IGNORECASE)


def _lowered(title: str) -> str:
    """The title within a sentence: a first word like "ATM" or "iPhone" stays as it is."""
    first, _, rest = title.partition(" ")
    return title if first[1:] != first[1:].lower() else f"{first.lower()} {rest}".strip()


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
