"""The workbench: one record to read, edit, label and decide on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from review import access, claims, decisions
from review.forms import DecisionForm, RecordForm
from review.models import Decision, Record
from review.refused import Refused
from review.views import queue
from review.views.answers import Request, SeeOther, for_reviewers, page, refusal
from review.views.desk import Desk, choices, find_record, lay_out, lay_out_again, vocabulary

if TYPE_CHECKING:
    from review.models import Claim

TEMPLATE = "review/workbench.html"
