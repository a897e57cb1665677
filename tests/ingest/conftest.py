"""Every test of ingest hashes ids under a key of its own."""

import pytest
from ingested import KEY


@pytest.fixture(autouse=True)
def _id_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKS_ID_KEY", KEY)
