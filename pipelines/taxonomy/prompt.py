"""Prompts: instructions of ours alone in the system message, material as one JSON document in the user's, never mixed.

Whatever a page or a search says stands inside a string value of that document.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from pipelines.taxonomy.question import Message

FOLDER = Path(__file__).parent / "prompts"


def messages(name: str, settings: Mapping[str, int], material: Mapping[str, object]) -> list[Message]:
    """Returns the conversation that puts ``material`` under the instructions of prompts/``name``.md.

    Args:
        name: of the file.
        settings: numbers that the instructions state, by their {name}.
        material: what is read; the part that most requests share comes first, so that a provider can reuse it.
    """
    instructions = (FOLDER / f"{name}.md").read_text(encoding="utf-8").format_map(settings)
    return [{"role": "system", "content": instructions.strip()}, {"role": "user", "content": as_json(material)}]


def as_json(value: object) -> str:
    """Returns ``value`` as compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
