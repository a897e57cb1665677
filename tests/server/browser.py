"""``make test-browser``: a person's clicks in a real Airflow and in Evidently's dashboard, by this system's Chromium.

A picture of every page goes to reports/screens/. The clone has a champion and two drift reports; its profile `fast`
computes one figure anew. The tests build on each other, in this order.
"""

import re
import shutil
import site
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from airflow_client import SETTLE_SECONDS, Server, free_port
from repositories import champion, change, repository_root
from tiny import REPOSITORY, child_environment, last_day

from pipelines import params, runs
from pipelines.monitor.stage import run as monitor
from pipelines.paths import Workspace
from pipelines.promote.stage import run as promote

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SCREENS = REPOSITORY / "reports" / "screens"
MILLISECONDS = 120_000  # a click or a page takes longer than that on no machine, however busy
STAGES = ("workspace", "ingest", "sessionize", "pretrain", "taxonomy", "distill", "evaluate", "gate", "promote")

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on the PATH: apt-get install chromium")


@pytest.fixture(scope="module")
def clone(tiny_run: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = repository_root(tmp_path_factory.mktemp("browser") / "clone", tiny_run)
    change(workspace, "retrain.fast", {"evaluate.n_bootstrap": 21})
    settings = params.load(workspace.params)
    promote(workspace, settings)
    for back in (1, 0):
        monitor(workspace, settings, None, last_day(workspace) - timedelta(days=back))
    return workspace


class Person:
    """Somebody at a browser."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.n_pictures = 0

    def picture(self, name: str) -> None:
        time.sleep(2)  # what moves comes to rest
        self.n_pictures += 1
        self.page.screenshot(path=SCREENS / f"{self.n_pictures:02}-{name}.png")

    def click(self, role: str, name: str) -> None:
        self.page.get_by_role(role, name=name, exact=True).first.click()

    def open_plugin(self, name: str) -> Any:
        """Opens a page of ours from the navigation; returns the frame that shows it."""
        self.click("button", "Plugins")
        self.click("menuitem", "Clicks to Intent")
        self.click("menuitem", name)
        frame = self.page.frame_locator("iframe")
        frame.get_by_role("heading", name=name, exact=True).wait_for()
        return frame


@pytest.fixture(scope="module")
def asked_for() -> list[str]:
    """The addresses beyond this machine that a page asked for."""
    return []


@pytest.fixture(scope="module")
def person(asked_for: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """A fresh browser; Playwright, which drives it, has an environment of its own."""
    (packages,) = (REPOSITORY / ".work" / "browser" / "lib").glob("python3*/site-packages")
    site.addsitedir(str(packages))
    from playwright.sync_api import sync_playwright

    shutil.rmtree(SCREENS, ignore_errors=True)
    SCREENS.mkdir(parents=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("profile"),
            executable_path=CHROMIUM,
            args=[*FLAGS],
            viewport={"width": 1440, "height": 900},
        )
        browser.set_default_timeout(MILLISECONDS)
        browser.on("request", lambda asked: None if at_home(asked.url) else asked_for.append(asked.url))
        yield Person(browser.pages[0])
        browser.close()


def in_sight(shown: Any) -> bool:
    """Whether a part of a page lies in the window without scrolling sideways."""
    box = shown.bounding_box()
    return bool(box["x"] + box["width"] <= shown.page.viewport_size["width"])


def at_home(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:", "blob:", "about:"))


def test_a_person_logs_in_with_the_generated_password(person: Person, server: Server) -> None:
    page = person.page
    page.goto(f"http://127.0.0.1:{server.port}/")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(server.password)
    person.picture("login")
    person.click("button", "Sign in")
    page.get_by_role("link", name="Dags", exact=True).first.click()
    for dag in ("retrain", "rollback", "monitor"):
        page.get_by_role("link", name=dag, exact=True).first.wait_for()
    person.picture("dags")


def test_the_graph_shows_the_stages_and_the_switch_turns_the_dag_on(person: Person, server: Server) -> None:
    page = person.page
    person.click("link", "retrain")
    page.get_by_role("button", name=re.compile("Show Graph")).click()
    for stage in STAGES:
        page.locator(".react-flow__node").get_by_text(stage, exact=True).wait_for()
    person.picture("graph")
    page.get_by_test_id("toggle-pause").first.click()
    run = server.first_run("retrain", "scheduled")
    assert server.wait_until_over("retrain", run) == "success"
    assert set(server.tasks("retrain", run).values()) == {"skipped"}


def test_the_form_starts_a_run_with_what_was_chosen_there(person: Person, server: Server, clone: Workspace) -> None:
    page = person.page
    person.click("button", "Trigger Dag")
    form = page.get_by_role("dialog")
    form.get_by_role("combobox").first.click()
    page.get_by_role("option", name="fast", exact=True).click()
    person.picture("form")
    form.get_by_test_id("trigger-dag-submit").click()
    run = server.first_run("retrain", "manual")
    server.question(run, "approve")
    (begun,) = (one for one in runs.known(clone) if one.name == runs.name_of(run))
    assert (begun.profile, begun.cause) == ("fast", "person")


def test_a_click_approves_it_and_the_champion_changes(person: Person, server: Server, clone: Workspace) -> None:
    page, (run,) = person.page, server.runs("retrain", "manual")
    time.sleep(SETTLE_SECONDS)
    person.click("button", "Browse")
    person.click("menuitem", "Required Actions")
    page.get_by_role("link", name=re.compile(r"^The new champion\?")).wait_for()
    person.picture("required-actions")
    page.get_by_role("link", name=re.compile(r"^The new champion\?")).click()
    page.get_by_text("No worse than champion 0001-").wait_for()
    assert in_sight(page.get_by_role("cell", name="no worse", exact=True).first), "the outcome, beside the graph too"
    person.picture("approval")
    person.click("button", "Approve")
    assert server.wait_until_over("retrain", run) == "success"
    assert champion(clone)["git_tag"] == "champion/0002"
    person.picture("approved")


def test_the_pages_of_the_navigation_lead_to_the_reports(person: Person, clone: Workspace) -> None:
    shown = person.open_plugin("Champion")
    shown.get_by_text(champion(clone)["version"], exact=True).wait_for()
    person.picture("champion")
    shown = person.open_plugin("Retrainings")
    shown.get_by_text("Skipped: no new data").wait_for()
    person.picture("retrainings")
    shown.get_by_role("link").first.click()
    shown.get_by_role("heading", name="Retraining", exact=True).wait_for()
    person.picture("retraining")
    shown.get_by_role("link", name="gate", exact=True).click()
    shown.get_by_text("No worse than champion 0001-").first.wait_for()
    person.picture("gate")


def test_a_drift_report_draws_itself_there(person: Person, clone: Workspace) -> None:
    shown = person.open_plugin("Drift")
    assert shown.get_by_role("link").count() == 2
    person.picture("drift")
    shown.get_by_role("link").first.click()
    shown.get_by_text("session embeddings: distance in limits").wait_for()
    person.picture("drift-report")
    shown.get_by_text("Tests", exact=True).click()
    person.picture("drift-tests")


def test_the_dashboard_draws_the_days(person: Person, clone: Workspace) -> None:
    """As `make drift-ui` starts it."""
    page, port = person.page, free_port()
    command = ["evidently", "ui", "--workspace", "reports/evidently", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, cwd=clone.root, env=child_environment()) as dashboard:
        try:
            until_it_answers(page, f"http://127.0.0.1:{port}/")
            person.picture("evidently")
            page.get_by_role("link", name="Drift", exact=True).first.click()
            page.get_by_text("What sessions are about").wait_for()
            page.locator(".MuiLineElement-root").first.wait_for()
            person.picture("dashboard")
        finally:
            dashboard.terminate()


def until_it_answers(page: Any, url: str) -> None:
    from playwright.sync_api import Error

    for _ in range(MILLISECONDS // 1000):
        try:
            page.goto(url)
        except Error:
            time.sleep(1)
        else:
            return
    raise AssertionError(f"{url} does not answer")


def test_no_page_asked_for_anything_from_elsewhere(asked_for: list[str]) -> None:
    assert not asked_for
