"""The benchmark of the taxonomy on made-up questions: what it reads, counts and says when there is nothing to read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks import taxonomy
from benchmarks.question_models import clustered, named, word_vectors
from benchmarks.questions import Questions, in_words, read_questions

ASKED = {
    "card_lost?": ["I lost my card", "my card is lost", "lost the card, what now", "where is my lost card"],
    "top_up": ["top up by transfer", "how do I top up", "the top up failed", "can I top up in cash"],
}


@pytest.fixture
def questions(tmp_path: Path) -> Questions:
    lines = [f'"{text}\n",{intent}' for intent, texts in ASKED.items() for text in texts]
    (tmp_path / "test.csv").write_text("text,category\n" + "\n".join(lines) + "\n")
    return read_questions(tmp_path, "test")


def test_a_question_is_a_session_of_one_search(questions: Questions) -> None:
    assert len(questions) == 8
    assert questions.sessions[0].rows() == [
        {"step": 1, "type": "search", "page": "/search", "search": "I lost my card"}
    ]
    assert questions.texts[0] == "i lost my card"
    assert questions.intents[[0, -1]].tolist() == ["card_lost?", "top_up"]
    assert in_words("card_lost?") == "Card lost"


def test_a_perfect_grouping_scores_one_and_other_is_no_intent(questions: Questions) -> None:
    row = taxonomy.grouped_row([np.array(["a"] * 4 + ["other"] * 4)], questions, seed=7)
    assert (row["v_measure"], row["nmi"], row["adjusted_rand"]) == pytest.approx((1, 1, 1))
    assert (row["n_intents"], row["coverage"]) == (1, 0.5)


def test_macro_f1_by_hand(questions: Questions) -> None:
    row = taxonomy.named_row(np.array(["card_lost?"] * 4 + ["", "card_lost?", "top_up", "top_up"]), questions, seed=7)
    assert row["macro_f1"] == pytest.approx((8 / 9 + 4 / 6) / 2)
    assert row["accuracy"] == pytest.approx(6 / 8)
    assert row["macro_f1_low"] <= row["macro_f1"] <= row["macro_f1_high"]


def test_clusters_are_called_after_their_commonest_label(questions: Questions) -> None:
    vectors = word_vectors(questions.texts, questions.texts)
    groups, again = clustered(*vectors, 2, seed=0)
    assert groups.tolist() == again.tolist()
    assert named(groups, questions.intents, again).tolist() == questions.intents.tolist()


def test_the_gold_names_make_a_taxonomy(questions: Questions) -> None:
    made, name_of = taxonomy.gold_taxonomy(questions)
    assert [intent.name for intent in made.intents] == ["Card lost", "Top up"]
    assert list(name_of.values()) == ["card_lost?", "top_up"]


def test_without_the_questions_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CLICKS_DATA", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["taxonomy"])
    refused: Callable[..., None] = lambda *_: pytest.fail("written")  # noqa: E731
    monkeypatch.setattr(taxonomy, "write_columns", refused)
    taxonomy.main()
    assert "skipped: no Banking77" in capsys.readouterr().out
