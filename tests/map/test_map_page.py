"""The page: safe, alone, and with colours that mean what the legend says."""

import json
import re

import numpy as np

from pipelines.map.page import FAINT, PALETTE, REST, Colouring, Point, coloured, page
from pipelines.map.projection import projected


def content(text: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.DOTALL)
    assert found
    values: dict[str, object] = json.loads(found[1])
    return values


def test_the_commonest_kinds_have_colours_and_the_rest_is_grey() -> None:
    values = [f"kind {number}" for number in range(10) for _ in range(10 - number)]
    values += ["none"] * 20
    found = coloured("Intent", values, "another", "none")
    assert list(found.kinds) == [f"kind {number}" for number in range(7)] + ["another", "none"]
    assert list(found.colours) == [*PALETTE, REST, FAINT]
    assert list(found.counts) == [10, 9, 8, 7, 6, 5, 4, 3 + 2 + 1, 20]
    assert sum(found.counts) == len(found.of) == len(values)
    assert list(coloured("Channel", ["web", "app", "web"], "another", "none").kinds) == ["web", "app"]


def test_a_hostile_page_name_is_only_text_and_nothing_is_loaded() -> None:
    hostile = "</script><script>alert(1)</script><img src=https://example.org/x>"
    colouring = Colouring.of_values("Outcome", ["none", "none"], {"some": REST, "none": FAINT})
    points = [Point(0.0, 1.0, "Mon 09:00 UTC", [hostile] * 20, []), Point(1.0, 0.0, "Mon 09:00 UTC", ["/"], ["Cards"])]
    text = page(points, [colouring], n_sessions=9, simulated=True)
    assert hostile not in text
    assert not re.search(r"(?:src|href|url|import|fetch)\s*[=(:]", text.split('id="content"')[0])
    shown = content(text)
    [first, _] = shown["points"]  # type: ignore[misc]
    assert first["path"] == [hostile] * 14  # type: ignore[has-type]
    assert first["more"] == 6  # type: ignore[has-type]
    assert shown["simulated"] is True


def test_near_embeddings_lie_near_on_the_plane() -> None:
    draw = np.random.default_rng(0)
    groups = np.repeat(np.eye(3) * 10, 20, axis=0) + draw.normal(size=(60, 3)) / 10
    places = projected(groups.astype(np.float32), seed=1)
    assert places.min() == 0
    assert places.max() == 1
    assert np.array_equal(places, projected(groups.astype(np.float32), seed=1))
    centres = places.reshape(3, 20, 2).mean(axis=1)
    nearest = np.linalg.norm(places[:, None] - centres, axis=2).argmin(axis=1)
    assert np.array_equal(nearest, np.repeat(np.arange(3), 20))
    assert projected(groups[:3].astype(np.float32), seed=1).shape == (3, 2)
