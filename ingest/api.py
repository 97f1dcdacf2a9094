"""The REST interface for those who bring data in. Every answer is JSON."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ingest import jobs, mappings, overview
from ingest.forms import PageForm, QuotaHandler, SubmissionForm, sources_for
from ingest.models import Job
from review import access
from review.models import Scope
from review.refused import Ground, Refused
from review.text.strict import printable
from review.tokens import BearerAuthentication, HasScope

if TYPE_CHECKING:
    from review.models import User

FILE = "file"
"""The name under which each file is sent."""
STATUS = {Ground.FORBIDDEN: 403, Ground.CONFLICT: 409, Ground.INVALID: 400}


class MayImport(BasePermission):
    """The bearer is still a manager: a token reaches no further than the person who holds it."""

    def has_permission(self, request: Request, view: APIView) -> bool:  # noqa: ARG002  the signature of DRF
        """Tell whether the bearer may go on."""
        return access.can_manage(request.user)


class ImportView(APIView):
    """What the views of this module share: who may, and what is read."""

    authentication_classes = (BearerAuthentication,)
    permission_classes = (HasScope, MayImport)
    parser_classes = (MultiPartParser,)
    scopes = (Scope.INGEST_WRITE,)


class JobList(ImportView):
    """Imports: those there are, and a new one."""

    def get(self, request: Request) -> Response:
        """Answer with jobs, the newest first, and the address of the next page."""
        form = PageForm(request.query_params)
        if not form.is_valid():
            raise ValidationError({"detail": _("`before` is the number of a job.")})
        found, following = overview.page_of_jobs(_bearer(request), before=form.cleaned_data["before"])
        more = reverse("ingest-jobs", query={"before": following}) if following else None
        return Response({"jobs": [overview.described(job) for job in found], "next": more})

    def post(self, request: Request) -> Response:
        """Take in files (each named `file`) as one job and answer with it: 202, for the work is done later."""
        quota = QuotaHandler(request._request, settings.INGEST_MAX_UPLOAD_BYTES)  # noqa: SLF001  DRF's name for it
        request.upload_handlers.insert(0, quota)
        form = SubmissionForm(request.POST)
        if quota.skipped:
            return Response({"detail": _("The files are too large together.")}, status=413)
        _refuse_unknown(request)
        if not form.is_valid():
            fields = {name: [str(error) for error in errors] for name, errors in form.errors.items()}
            raise ValidationError({"detail": _("The form cannot be taken as it is."), **fields})
        try:
            job = _submitted(request, form)
        except Refused as refused:
            return Response({"detail": str(refused), **refused.fields}, status=STATUS[refused.ground])
        except OSError as error:
            return Response({"detail": _("The disk refuses (%(why)s).") % {"why": error.strerror}}, status=507)
        said = overview.described(_found(request, job.pk))
        return Response(said, status=202, headers={"Location": reverse("ingest-job", args=[job.pk])})


class JobDetail(ImportView):
    """One import."""

    def get(self, request: Request, pk: int) -> Response:
        """Answer with how far it is and what became of its records."""
        return Response(overview.described(_found(request, pk)))


class JobVerb(ImportView):
    """Something that is done to an import; the answer is how it stands then."""

    verb: ClassVar[Callable[..., None]]

    def post(self, request: Request, pk: int) -> Response:
        """Do it; 409 where the import is not in a state for it."""
        try:
            type(self).verb(_found(request, pk), by=_bearer(request))
        except Refused as refused:
            return Response({"detail": str(refused)}, status=STATUS[refused.ground])
        return Response(overview.described(_found(request, pk)))


class JobPause(JobVerb):
    """Let an import rest."""

    verb = staticmethod(jobs.pause)


class JobResume(JobVerb):
    """Let an import go on."""

    verb = staticmethod(jobs.resume)


class JobCancel(JobVerb):
    """Stop an import."""

    verb = staticmethod(jobs.cancel)


def _bearer(request: Request) -> "User":
    return cast("User", request.user)


def _refuse_unknown(request: Request) -> None:
    """Refuse a field that nothing is done with: one that is misspelt would be lost without a word."""
    known = (FILE, *SubmissionForm.base_fields)
    for name in (*request.POST, *request.FILES):
        if name not in known:
            message = _("There is no field “%(name)s”. Known are: %(known)s.")
            raise ValidationError({"detail": message % {"name": printable(name), "known": ", ".join(known)}})


def _submitted(request: Request, form: SubmissionForm) -> Job:
    said, by = form.cleaned_data, _bearer(request)
    source = sources_for(by).filter(slug=said.pop("source")).first()
    if source is None:
        raise Refused(_("There is no such source."), ground=Ground.INVALID)
    files = [(file.name or "-", file) for file in request.FILES.getlist(FILE)]
    mapping = mappings.given(said.pop("mapping"), source=source)
    return jobs.submit(source=source, files=files, by=by, mapping=mapping, **said)


def _found(request: Request, pk: int) -> Job:
    job = overview.jobs_for(_bearer(request)).with_counts().filter(pk=pk).first()
    if job is None:
        raise NotFound(_("There is no such job."))
    return job
