"""`/metrics`: figures for Prometheus, taken from the database when they are asked for, so that every process agrees."""

import shutil
import time
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from cqia_site import health
from cqia_site.celery import app, last_run
from cqia_site.dashboard import figures, keeping
from exports.models import Release
from ingest.models import Job


class Figures(Collector):
    """Everything that is worth an alarm or a curve."""

    def collect(self) -> Iterator[Metric]:
        """Yield each family of figures."""
        up = GaugeMetricFamily("cqia_up", "Whether a part of the system answers.", labels=["part"])
        for name, check in health.CHECKS.items():
            up.add_metric([name], float(check()))
        yield up
        yield _by_state("cqia_records", "Records by state; what was taken down or back is left out.", figures.states())
        yield _by_state("cqia_jobs", "Imports by state.", keeping.numbers(Job.objects.all()))
        yield _by_state("cqia_releases", "Releases by state.", keeping.numbers(Release.objects.all()))
        yield GaugeMetricFamily("cqia_claims", "Records that somebody holds now.", value=figures.claims_now())
        usage = shutil.disk_usage(settings.DATA_DIR)
        yield GaugeMetricFamily("cqia_disk_free_bytes", "Room left under the data folder.", value=usage.free)
        yield GaugeMetricFamily("cqia_disk_bytes", "Size of the disk of the data folder.", value=usage.total)
        runs = GaugeMetricFamily("cqia_last_run_seconds", "Seconds since a periodic task ran.", labels=["task"])
        for entry in app.conf.beat_schedule.values():
            at = last_run(entry["task"])
            if at is not None:
                runs.add_metric([entry["task"]], time.time() - at)
        yield runs


def _by_state(name: str, about: str, numbers: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, about, labels=["state"])
    for state, number in numbers.items():
        family.add_metric([state], number)
    return family


REGISTRY = CollectorRegistry()
REGISTRY.register(Figures())


class AsAsked(BaseContentNegotiation):
    """Whatever a scraper says that it accepts, it gets the one text that there is."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:  # noqa: ARG002, ANN401  nothing is parsed
        """Take the first."""
        return next(iter(parsers))

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002  the signature of the framework
        renderers: Iterable[Any],
        format_suffix: str | None = None,  # noqa: ARG002
    ) -> tuple[Any, str]:
        """Take the first: it renders refusals."""
        first = next(iter(renderers))
        return first, first.media_type


class MetricsView(APIView):
    """The figures, for whoever has a token."""

    content_negotiation_class = AsAsked
    schema = None

    def get(self, request: Request) -> HttpResponse:  # noqa: ARG002  the signature of the framework
        """Answer in Prometheus' text format."""
        return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_PLAIN_0_0_4)
