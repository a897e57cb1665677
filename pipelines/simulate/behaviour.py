"""The numbers of behaviour.yaml, typed. Each is explained there and in docs/decisions/0002-demo-bank.md."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Table = Annotated[list[float], Field(min_length=2)]  # equally spaced quantiles, ascending
Share = Annotated[float, Field(ge=0, le=1)]


class Numbers(BaseModel):
    """A block of behaviour.yaml: frozen, without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PeopleNumbers(Numbers):
    """Who the people are."""

    ages: dict[str, Share]
    holdings: dict[str, list[Share]]
    app_share_of_customers: Share
    login_habit: Table
    devices: dict[str, Share]
    main_device: Share
    shares_a_device: Share
    activity: Table


class NeedNumbers(Numbers):
    """How needs come and go."""

    rest_days: Table
    second_rest_days: Table
    leads_to: float
    ends_when_granted: Share
    lasts: dict[str, Table]


class Weekdays(Numbers):
    """How much of a weekday's traffic each day has, Monday first."""

    web: list[Share]
    app: list[Share]


class ClockNumbers(Numbers):
    """When people come."""

    hours: list[float]
    weekdays: Weekdays
    gap: Table
    paydays: list[int]
    payday_pull: Share
    pause_seconds: Table


class ServiceGap(Numbers):
    """Days between visits without a need."""

    customer: float
    other: float


class LoginShares(Numbers):
    """Chance to log in, a session of a customer."""

    service: Share
    need: Share


class WebNumbers(Numbers):
    """How a website visit goes."""

    bounce_share: Share
    pages: Table
    dwell_seconds: dict[str, float]
    dwell: Table
    noise: Share
    other_need: Share
    revisit: Share
    same_area: float
    search: Share
    common_query: Share
    hostile_query: Share
    typo: Share
    question_fits: float
    hostile_title: Share
    click: Share
    campaign_fits: Share
    service_gap_days: ServiceGap
    login: LoginShares
    keeps: dict[str, Table]
    steps: dict[str, dict[str, float]]


class AppNumbers(Numbers):
    """How an app visit goes."""

    gap_days: float
    shown: int
    no_click: float
    positions: list[float]
    taste: Table
    habit: float
    home_again: Share
    screens: Table
    dwell: Table


class StartShares(Numbers):
    """Chance that a web session leads to an application."""

    bounce: Share
    longer: Share


class ApplicationNumbers(Numbers):
    """Who applies, when and where."""

    start: StartShares
    delay_hours: Table
    submit: Share
    in_app: Share
    look_first: Share
    login: Share
    form_seconds: Table
    decision_days: Table
    approved: Share
    outcome_in_app: Share


class Late(Numbers):
    """Events that arrive late."""

    share: Share
    hours: Table


class Clock(Numbers):
    """Devices whose clock is off."""

    share: Share
    minutes: Table


class Renamed(Numbers):
    """A field of the tracker's ``search`` block that gets another name."""

    after_share: Share
    before: str
    after: str


class TrackerNumbers(Numbers):
    """What the tracker does to events on their way."""

    delay_seconds: Table
    late: Late
    duplicates: Share
    no_id: Share
    clock: Clock
    renamed: Renamed
    malformed: Share
    personal: Share


class DeclaredBotNumbers(Numbers):
    """Pages of a run, and seconds between two of them."""

    pages: Table
    seconds: Table


class UndeclaredBotNumbers(DeclaredBotNumbers):
    """Scrapers that pass for browsers."""

    days: list[int]


class BotNumbers(Numbers):
    """Traffic of machines."""

    people_per_bot: int
    declared: DeclaredBotNumbers
    undeclared: UndeclaredBotNumbers
    wave: DeclaredBotNumbers


class ByPageNumbers(Numbers):
    """The world ``counts``: what seeing a page does."""

    days: float
    most: int
    factor: float
    start: Share


class ScenarioNumbers(Numbers):
    """What scenarios change in a session that they touch."""

    launch_campaign: str
    launch_lands: Share
    launch_steps: Share
    shifts_to: list[str]
    dead_area: str
    renamed_events: dict[str, str]


class Behaviour(Numbers):
    """All of behaviour.yaml."""

    people: PeopleNumbers
    needs: NeedNumbers
    clock: ClockNumbers
    web: WebNumbers
    app: AppNumbers
    applications: ApplicationNumbers
    tracker: TrackerNumbers
    bots: BotNumbers
    by_page: ByPageNumbers
    scenarios: ScenarioNumbers
