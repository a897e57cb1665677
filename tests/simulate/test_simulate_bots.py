"""Machines: what they look like, and how much of the traffic is theirs."""

import re
from collections import defaultdict

import numpy as np
import pytest
from simulated import Line, block_of, lives, moment, truth

from pipelines.paths import Workspace
from pipelines.simulate.bots import Bots
from pipelines.simulate.content import world


def test_10_to_15_percent_of_the_events_are_machines() -> None:
    block, n_people = block_of(), 300  # the repository's numbers; people are alike, so some stand for all
    human = sum(len(done.events) for life in lives("default", n_people) for done in life) / n_people * block.people
    bots = Bots(world(), 7, block.days, block.people)
    machine = sum(len(run.events) for number in range(bots.n_bots) for run in bots.live(number))
    assert 0.1 < machine / (machine + human) < 0.15


def test_every_second_one_says_that_it_is_one(bank: Workspace, lines: list[Line]) -> None:
    declared = {row["client_id"]: row["declared"] for row in truth(bank, "bots")}
    assert sorted(declared.values()) == [False] * (len(declared) // 2) + [True] * (len(declared) // 2)
    agents = {line["client"]["id"]: line["client"]["ua"] for line in lines}
    for client, agent in agents.items():
        assert bool(re.search("bot|crawl|spider", agent, re.IGNORECASE)) == declared.get(client, False)


def test_the_others_read_hundreds_of_pages_without_a_pause_and_no_person_does(
    bank: Workspace, lines: list[Line]
) -> None:
    declared = {row["client_id"]: row["declared"] for row in truth(bank, "bots")}
    times = defaultdict(list)
    for line in lines:
        times[line["client"]["id"]].append(moment(line["sent_at"]).timestamp())
    fast = {client for client, found in times.items() if len(found) > 200 and np.median(np.diff(sorted(found))) < 1.5}
    assert fast == {client for client, says_so in declared.items() if not says_so}


def test_a_wave_is_slow_and_each_of_its_machines_comes_once() -> None:
    bots = Bots(world(), 7, 49, 100)
    runs = [bots.wave(number, 40) for number in range(200)]
    assert all(len(run) == 1 for run in runs)
    events = [run[0].events for run in runs]
    assert len({found[0].client.id for found in events}) == 200
    assert {found[0].sent_ms // 86_400_000 for found in events} == set(range(40, 49))
    gaps = np.concatenate([np.diff([event.sent_ms for event in found]) for found in events])
    assert gaps.min() >= 3000
    assert min(len(found) for found in events) >= 4
    assert max(len(found) for found in events) <= 30


@pytest.mark.parametrize(("n_people", "n_bots"), [(1, 2), (399, 2), (400, 4), (4000, 22)])
def test_more_people_more_machines(n_people: int, n_bots: int) -> None:
    assert Bots(world(), 7, 49, n_people).n_bots == n_bots
