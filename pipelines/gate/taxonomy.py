"""How a challenger's taxonomy differs from the champion's, as lines that a person reads before approving."""

from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import TableError
from pipelines.verdict import TaxonomyChange


def change(former: Path | None, present: Path) -> TaxonomyChange:
    """Returns what an approval of the taxonomy at ``present`` would change; without a ``former`` one all is new.

    Raises:
        TableError: a file is missing or no taxonomy.
    """
    after, before = _intents(present), _intents(former) if former else {}
    added = [f"added: {after[intent]} ({intent})" for intent in after if intent not in before]
    retired = [f"retired: {before[intent]} ({intent})" for intent in before if intent not in after]
    renamed = [
        f"renamed: {before[intent]} to {after[intent]} ({intent})"
        for intent in before
        if intent in after and before[intent] != after[intent]
    ]
    lines = [*added, *retired, *renamed]
    return TaxonomyChange(changed=former is not None and bool(lines), lines=lines)


def _intents(path: Path) -> dict[str, str]:
    """The name of each intent, by its id."""
    try:
        values: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {intent["id"]: intent["name"] for category in values["categories"] for intent in category["intents"]}
    except (OSError, yaml.YAMLError, TypeError, KeyError):
        raise TableError(f"{path.name} is missing or no taxonomy: run `python -m pipelines taxonomy` again") from None
