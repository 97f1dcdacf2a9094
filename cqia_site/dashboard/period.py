"""The days that a page is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

USUAL_DAYS = 14
MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class Period:
    """From the first day to the last, both included, by the time zone of the installation."""

    first: date
    last: date
    problem: str = ""
    """What was wrong with the days that were asked for."""

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]

    @property
    def begin(self) -> datetime:
        return midnight(self.first)

    @property
    def end(self) -> datetime:
        return midnight(self.last + timedelta(days=1))

    @property
    def query(self) -> str:
        return f"from={self.first}&to={self.last}"


def midnight(day: date) -> datetime:
    """Return the moment at which a day begins here."""
    return timezone.make_aware(datetime.combine(day, time()))


def usual(problem: str = "") -> Period:
    """Return the last two weeks."""
    today = timezone.localdate()
    return Period(today - timedelta(days=USUAL_DAYS - 1), today, problem)


def said(query: Mapping[str, str]) -> tuple[str, str]:
    """Return the first and the last day of a period as they stand in an address, empty where none is asked for."""
    given = asked_for(query)
    return ("", "") if given == usual(given.problem) else (given.first.isoformat(), given.last.isoformat())


def asked_for(query: Mapping[str, str]) -> Period:
    """Return the period that an address asks for (`from`, `to`), the usual one where it asks for none or nonsense."""
    asked = (query.get("from", ""), query.get("to", ""))
    if asked == ("", ""):
        return usual()
    try:
        first, last = (parse_date(text) for text in asked)
    except ValueError:
        first = last = None
    if first is None or last is None:
        return usual(_("Give both days as year, month and day, such as 2026-03-01."))
    if not timedelta() <= last - first < timedelta(days=MOST_DAYS):
        return usual(_("The first day comes before the last one, at most a year."))
    return Period(first, last)
