"""What leaves the system: policies, releases and what they froze, the files that were written, who is told."""

from exports.models.artifact import PATH, Artifact, Download
from exports.models.part import ReleasePart
from exports.models.policy import Mix, Policy, check_is_flag
from exports.models.release import (
    BAD_VERSION,
    FROZEN,
    FROZEN_SINCE,
    INTERNAL,
    NOT_INTERNAL,
    VERSION,
    Release,
    ReleaseQuerySet,
    ReleaseRow,
)
from exports.models.webhook import Delivery, Event, Webhook

__all__ = [
    "BAD_VERSION",
    "FROZEN",
    "FROZEN_SINCE",
    "INTERNAL",
    "NOT_INTERNAL",
    "PATH",
    "VERSION",
    "Artifact",
    "Delivery",
    "Download",
    "Event",
    "Mix",
    "Policy",
    "Release",
    "ReleasePart",
    "ReleaseQuerySet",
    "ReleaseRow",
    "Webhook",
    "check_is_flag",
]
