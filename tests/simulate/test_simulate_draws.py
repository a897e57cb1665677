"""Draws that come out alike on every CPU."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.simulate.draws import Draws, Purpose, Weighted


class Scripted(Draws):
    """Draws with known uniforms."""

    def __init__(self, *uniforms: float) -> None:
        self.uniform = iter(uniforms).__next__


@pytest.mark.parametrize(("uniform", "drawn"), [(0.0, 10.0), (0.25, 15.0), (0.5, 20.0), (0.75, 60.0), (0.999, 99.84)])
def test_a_quantile_table_is_straight_between_its_points(uniform: float, drawn: float) -> None:
    assert Scripted(uniform).quantile([10, 20, 100]) == pytest.approx(drawn)


@pytest.mark.parametrize(("uniform", "drawn"), [(0.0, "a"), (0.24, "a"), (0.26, "c"), (0.999999, "c")])
def test_weights_share_the_uniform_and_zero_is_never_drawn(uniform: float, drawn: str) -> None:
    assert Scripted(uniform).pick(Weighted(["a", "b", "c"], [1, 0, 3])) == drawn


def test_letters_are_letters() -> None:
    assert Scripted(0.0, 0.5, 0.99999).letters(9) == "aaa" + "naa" + "zzz"


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=9).map(sorted), st.floats(0, 1, exclude_max=True))
def test_a_quantile_lies_within_its_table(table: list[float], uniform: float) -> None:
    assert table[0] <= Scripted(uniform).quantile(table) <= table[-1] * (1 + 1e-12)


def test_streams_differ_by_seed_purpose_and_number_and_repeat_exactly() -> None:
    keys = [(7, Purpose.WEB, 1), (7, Purpose.WEB, 2), (7, Purpose.APP, 1), (8, Purpose.WEB, 1)]
    firsts = [Draws(*key).uniform() for key in keys]
    assert len(set(firsts)) == len(keys)
    assert firsts == [Draws(*key).uniform() for key in keys]


def test_uniforms_are_those_of_the_generator_across_blocks() -> None:
    draws = Draws(7, Purpose.WEB, 3)
    expected = np.random.Generator(np.random.PCG64(np.random.SeedSequence(7, spawn_key=(1, 3)))).random(300)
    assert [draws.uniform() for _ in range(300)] == expected.tolist()


def test_uuids_look_like_uuids_and_differ() -> None:
    draws = Draws(7, Purpose.WEB, 0)
    ids = sorted(draws.uuid() for _ in range(50))
    assert all([len(part) for part in one.split("-")] == [8, 4, 4, 4, 12] for one in ids)
    assert all(one != other for one, other in pairwise(ids))
