"""The taxonomy as a document: categories of intents with stable ids, kept as YAML that a person reads and edits."""

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipelines.errors import TeacherError, UnusableError
from pipelines.schemas import OTHER

Name = Annotated[str, Field(min_length=1, max_length=100)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]

MAX_SLUG = 48
EXAMPLE = "artifacts/taxonomy/taxonomy.yaml"

Labels = dict[str, float]
"""The intents of one session: scores in (0, 1] by intent id, the strongest first."""

NOTHING_APPROVED = (
    "# Nothing is approved yet: `python -m pipelines approve` puts artifacts/taxonomy/taxonomy.yaml here,\n"
    "# and every later run uses it.\n"
)
"""What taxonomy.yaml holds before the first approval. DVC has no optional dependencies, so the file must be there."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Intent(_Part):
    """One thing that a visitor wants.

    ``keywords`` and ``examples`` are words, page titles and searches that give it away; ``include`` and ``exclude`` are
    notes on what belongs here and what goes to a neighbour.
    """

    id: Slug
    name: Name
    description: str
    include: list[str] = []
    exclude: list[str] = []
    examples: list[str]
    keywords: list[str]


class Category(_Part):
    """Intents that belong together."""

    id: Slug
    name: Name
    description: str
    intents: Annotated[list[Intent], Field(min_length=1)]


class Document(_Part):
    """taxonomy.yaml. ``version`` is a hash of the categories: the same content, the same version.

    ``formerly`` maps labels of ``parent_version`` to these: by old id, the shares of its sessions by new id.
    """

    version: str
    parent_version: str | None
    model: str
    formerly: dict[str, dict[str, float]] = {}
    categories: Annotated[list[Category], Field(min_length=1)]

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        if OTHER in self.intent_ids:
            raise ValueError(f"the id `{OTHER}` is kept for what the taxonomy does not cover")
        for ids in ([intent.id for intent in self.intents], [category.id for category in self.categories]):
            if len(set(ids)) != len(ids):
                raise ValueError("an id is given twice")
        return self

    @property
    def intents(self) -> list[Intent]:
        return [intent for category in self.categories for intent in category.intents]

    @property
    def intent_ids(self) -> list[str]:
        return [intent.id for intent in self.intents]

    def supported(self, labels: Sequence[Sequence[str]], min_sessions: int) -> "Document":
        """Returns the taxonomy without the intents that come first in fewer than ``min_sessions`` of the ``labels``.

        Raises:
            UnusableError: no intent is left.
        """
        support = Counter(given[0] for given in labels if given)
        kept = []
        for category in self.categories:
            intents = [intent for intent in category.intents if support[intent.id] >= min_sessions]
            if intents:
                kept.append(category.model_copy(update={"intents": intents}))
        if not kept:
            raise UnusableError(
                f"none of {len(self.intents)} intents leads in taxonomy.min_sessions ({min_sessions}) of the "
                f"{len(labels)} sessions read: lower it, or raise taxonomy.n_read"
            )
        return self.with_categories(kept)

    def changed(self, change: Callable[[Intent], Intent]) -> "Document":
        """Returns the taxonomy with every intent replaced by ``change`` of it, and the version that this makes."""
        return self.with_categories(
            [
                category.model_copy(update={"intents": [change(intent) for intent in category.intents]})
                for category in self.categories
            ]
        )

    def with_categories(self, categories: list[Category]) -> "Document":
        """Returns the taxonomy with these categories, and the version that this makes."""
        return self.model_copy(update={"version": _version(categories), "categories": categories})

    def to_yaml(self) -> str:
        return yaml.safe_dump(self.model_dump(), sort_keys=False, allow_unicode=True, width=120)


def document(categories: list[Category], model: str, parent_version: str | None = None) -> Document:
    """Returns the taxonomy of ``categories`` with its version."""
    return Document(version=_version(categories), parent_version=parent_version, model=model, categories=categories)


def approved(path: Path) -> Document | None:
    """Returns the taxonomy that a person approved, or None when the file is absent or holds comments only.

    A file edited after it was made gets the version of its new content, with the one it states as its parent.

    Raises:
        TeacherError: the file is not such a document; the message names the field.
    """
    if not path.exists():
        return None
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        if content is None:
            return None
        stated = Document.model_validate(content)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise TeacherError(f"{path.name}{where}: not valid YAML; compare with {EXAMPLE}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise TeacherError(f"{path.name}: `{where}`: {problem['msg']}; compare with {EXAMPLE}") from None
    version = _version(stated.categories)
    if version == stated.version:
        return stated
    return stated.model_copy(update={"version": version, "parent_version": stated.version})


def slug(name: str, taken: set[str]) -> str:
    """Returns a short id of ``name``, the same for the same name unless it is in ``taken``, and adds it there."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", ascii_name)
    kept = [word for word in words if word not in {"and", "the", "of", "a", "s", "for", "to"}] or words
    while len("-".join(kept)) > MAX_SLUG and len(kept) > 1:
        kept.pop()
    base = "-".join(kept)[:MAX_SLUG] or "intent-" + hashlib.sha256(name.encode()).hexdigest()[:8]
    chosen, number = base, 2
    while chosen in taken or chosen == OTHER:
        chosen, number = f"{base}-{number}", number + 1
    taken.add(chosen)
    return chosen


def _version(categories: list[Category]) -> str:
    content = json.dumps([category.model_dump() for category in categories], sort_keys=True)
    return "taxonomy-" + hashlib.sha256(content.encode()).hexdigest()[:12]
