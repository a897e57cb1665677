"""Which sessions are read and labelled."""

import numpy as np
import pytest

from pipelines.taxonomy import sampling

QUOTA = sampling.Quota(n_read=20, n_label=100, uniform_share=0.0, n_clusters=4)


def unbalanced(n_sessions: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings of four clusters, one of them holding 1 session in 40; splits; channels; clusters."""
    cluster = np.where(np.arange(n_sessions) % 40 == 0, 3, np.arange(n_sessions) % 3)
    embeddings = (np.eye(4)[cluster] * 10 + np.random.default_rng(0).normal(size=(n_sessions, 4))).astype(np.float32)
    splits = np.repeat(["train", "valid", "test", "embargo"], n_sessions // 4)
    channels = np.where(np.arange(n_sessions) % 5 == 0, "app", "web")
    return embeddings, splits, channels, cluster


def test_what_is_read_covers_the_clusters_evenly_and_is_of_the_training_part() -> None:
    embeddings, splits, channels, cluster = unbalanced()
    drawn = sampling.draw(embeddings, splits, channels, QUOTA, seed=7)
    assert len(drawn.read) == 20
    assert set(splits[drawn.read]) == {"train"}
    counts = np.bincount(cluster[drawn.read], minlength=4)
    assert (
        counts[3] == 3
    )  # all that the rare cluster has in the training part, where a uniform draw would give half a one
    assert counts[:3].min() >= 5


def test_what_is_labelled_keeps_the_proportions_of_splits_and_channels() -> None:
    embeddings, splits, channels, _ = unbalanced()
    drawn = sampling.draw(embeddings, splits, channels, QUOTA, seed=7)
    shares = {
        (split, channel): int(((splits[drawn.label] == split) & (channels[drawn.label] == channel)).sum())
        for split in np.unique(splits)
        for channel in ("app", "web")
    }
    assert sum(shares.values()) == 100
    assert {key for key, count in shares.items() if count} == {
        (s, c) for s in sampling.LABELLED_SPLITS for c in ("app", "web")
    }
    assert all(
        count == pytest.approx(100 / 3 * (0.2 if key[1] == "app" else 0.8), abs=1)
        for key, count in shares.items()
        if key[0] != "embargo"
    )


def test_the_same_seed_draws_the_same_and_another_seed_another_sample() -> None:
    embeddings, splits, channels, _ = unbalanced()
    mixed = sampling.Quota(20, 100, 0.5, 4)
    first, again, other = (sampling.draw(embeddings, splits, channels, mixed, seed) for seed in (7, 7, 8))
    assert first.label.tolist() == again.label.tolist()
    assert first.read.tolist() == again.read.tolist()
    assert first.label.tolist() != other.label.tolist()


def test_a_uniform_share_of_one_ignores_the_clusters() -> None:
    embeddings, splits, channels, cluster = unbalanced(4000)
    drawn = sampling.draw(embeddings, splits, channels, sampling.Quota(200, 10, 1.0, 4), seed=7)
    assert np.bincount(cluster[drawn.read], minlength=4)[3] < 20  # 5 expected; 50 by clusters


def test_a_part_smaller_than_asked_for_is_taken_whole() -> None:
    embeddings, splits, channels, _ = unbalanced()
    drawn = sampling.draw(embeddings, splits, channels, sampling.Quota(10**6, 10**6, 0.3, 500), seed=7)
    assert drawn.read.tolist() == np.flatnonzero(splits == "train").tolist()
    assert drawn.label.tolist() == np.flatnonzero(splits != "embargo").tolist()


def test_the_second_labelling_takes_test_sessions_up_to_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "MAX_SECOND", 3)
    splits = np.array(["test", "train"] * 10)
    chosen = sampling.second(np.arange(20), splits, seed=1)
    assert len(chosen) == 3
    assert set(splits[chosen]) == {"test"}
