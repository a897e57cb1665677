"""What a product manager would call a topic: names, descriptions, keywords, categories out of titles and searches."""

import math
import re
from collections import Counter
from collections.abc import Sequence

from pipelines.taxonomy.document import Category, Intent, slug
from pipelines.taxonomy.quoting import Quotable
from pipelines.taxonomy.topics import Topic
from pipelines.taxonomy.words import content_words, spoken

N_EXAMPLES = 12
N_QUERIES = 5
N_KEYWORDS = 10
MAX_SEARCH_WORDS = 6
MAX_NAME = 100
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


def categories(topics: Sequence[Topic], sites: set[str], may: Quotable) -> list[Category]:
    """Returns the topics as intents in categories, each in the order given.

    Args:
        topics: groups of pages and searches.
        sites: parts of titles that are the site's name.
        may: what may be quoted.
    """
    words_of = [_words(topic, may) for topic in topics]
    spread = Counter(word for words in words_of for word in words)
    taken: set[str] = set()
    grouped: dict[str, list[Intent]] = {}
    for topic, words, category in zip(topics, words_of, _category_names(topics, words_of, sites), strict=True):
        telling = {word: weight * math.log(1 + len(topics) / spread[word]) for word, weight in words.items()}
        keywords = sorted(telling, key=lambda word: (-telling[word], word))[:N_KEYWORDS]
        grouped.setdefault(category, []).append(_intent(topic, keywords, sites, may, taken))
    ids: set[str] = set()
    return [
        Category(
            id=slug(name, ids), name=name, description=_listed([intent.name for intent in intents]), intents=intents
        )
        for name, intents in grouped.items()
    ]


def _words(topic: Topic, may: Quotable) -> Counter[str]:
    """How much each word that may be quoted is the topic's: once a page, and once a search by how many make it."""
    words: Counter[str] = Counter()
    for subject in topic:
        words.update(word for word in content_words(subject.words) if word in may.words)
    return words


def _intent(topic: Topic, keywords: list[str], sites: set[str], may: Quotable, taken: set[str]) -> Intent:
    pages = [one for one in topic if not one.is_search and may.text(spoken(one.key, sites))]
    titles = list(dict.fromkeys(spoken(page.key, sites) for page in pages))
    queries = [one.key for one in topic if one.is_search and may.text(one.key) and _brief(one.key)][:N_QUERIES]
    if pages:
        name = _name(pages, sites)
        description = f"Visitors who look at {_listed(titles[:4])}"
        description += f", or search for {_listed([f'“{query}”' for query in queries[:3]])}" if queries else ""
    else:
        shown = queries[:1] or [", ".join(keywords[:3])]
        name = shown[0].capitalize() or "Without a name"
        about = (
            _listed([f"“{query}”" for query in queries[:3]]) or _listed(keywords[:6]) or "what few others search for"
        )
        description = f"Visitors who search for {about}"
    return Intent(
        id=slug(name, taken),
        name=name[:MAX_NAME],
        description=description + ".",
        examples=titles[:N_EXAMPLES] + queries,
        keywords=keywords,
    )


def _brief(query: str) -> bool:
    """A search that reads like prose names no need and may be hostile."""
    return len(query.split()) <= MAX_SEARCH_WORDS


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


def _category_names(topics: Sequence[Topic], words_of: Sequence[Counter[str]], sites: set[str]) -> list[str]:
    """What the site calls the area that most of a topic lies in, else the channel; words where nothing has an area."""
    if not any(subject.area for topic in topics for subject in topic):
        return _by_words(words_of)
    n_in_area = Counter(subject.area for topic in topics for subject in topic)
    return [_by_area(topic, topics, n_in_area, sites) for topic in topics]


def _by_words(words_of: Sequence[Counter[str]]) -> list[str]:
    """Each topic under the word that most topics share with it."""
    spread = Counter(word for words in words_of for word in set(dict(words.most_common(3))))
    chosen = [min(dict(words.most_common(3)), key=lambda w: (-spread[w], w), default="") for words in words_of]
    common = Counter(chosen)
    return [word.capitalize() if word and common[word] > 1 else "Others" for word in chosen]


def _by_area(topic: Topic, topics: Sequence[Topic], n_in_area: Counter[str], sites: set[str]) -> str:
    weights: Counter[str] = Counter()
    for subject in topic:
        if not subject.is_search:
            weights[subject.area if n_in_area[subject.area] > 1 else ""] += subject.n_sessions
    area = max(sorted(weights), key=lambda name: weights[name], default="")
    if not area:
        app = sum(one.app_share * one.n_sessions for one in topic) / sum(one.n_sessions for one in topic)
        return APP if app > 0.5 else WEBSITE
    hubs = [one for members in topics for one in members if one.path == f"/{area}"]
    return spoken(hubs[0].key, sites) if hubs else spoken(f"/{area}", sites)


def _trimmed(title: str) -> str:
    return re.sub(r"\s+(today|now|online)$", "", title.rstrip(" ?!.:"), flags=re.IGNORECASE)


def _lowered(title: str) -> str:
    """The title within a sentence: a first word like "ATM" or "iPhone" stays as it is."""
    first, _, rest = title.partition(" ")
    return title if first[1:] != first[1:].lower() else f"{first.lower()} {rest}".strip()


def _listed(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""
