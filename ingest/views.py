"""Importing by page: files are sent, looked at, confirmed; and the job that they become is followed to its end."""

from collections import Counter
from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from functools import wraps
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ingest import jobs, mappings, overview, preview, prompts, staging, wordings, workers
from ingest import rejects as rejects_file
from ingest.forms import FilesForm, ImportForm, PageForm, QuotaHandler, ReasonForm, TemplatesForm, sources_for
from ingest.models import Job, Mapping
from ingest.staging import Staging
from review.models import Retraction, Source
from review.refused import Refused
from review.text.rules import RULES
from review.text.strict import Malformed, parse
from review.views.answers import Request, SeeOther, for_managers, go_to, page, refusal

SAID = tuple(ImportForm.base_fields)


# Jobs


@require_safe
@for_managers
def show_jobs(request: Request) -> HttpResponse:
    """List the imports, the newest first."""
    form = PageForm(request.GET)
    form.is_valid()
    before = form.cleaned_data.get("before")
    found, following = overview.page_of_jobs(request.user, before=before)
    context = {
        "rows": [(job, overview.progress(job)) for job in found],
        "following": following,
        "is_first": before is None,
        "is_open": any(job.is_open for job in found),
        "workers": workers.for_those_waiting(),
    }
    return page(request, "ingest/jobs.html", context)


@require_safe
@for_managers
def show_job(request: Request, pk: int) -> HttpResponse:
    """Show how far a job is and what became of its records; htmx asks again and again until it has ended."""
    return _show_job(request, _job(request, pk))


@require_safe
@for_managers
def download_rejects(request: Request, pk: int) -> HttpResponseBase:
    """Send the file of refused records."""
    job = _job(request, pk)
    if (
        rejects_file.find(job) is None
        and overview.rejects(job).exists()
        and job.uploads.exclude(removed_at=None).exists()
    ):
        problem = _("The files of this job are not kept any more. Import them again: what is in counts as unchanged.")
        return _show_job(request, job, problem=problem, status=410)
    path = rejects_file.at_hand(job)
    if path is None:
        raise Http404
    name = f"rejects-{job.pk}.jsonl"
    return FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type="application/jsonl")


@require_safe
@for_managers
def confirm_cancel(request: Request, pk: int) -> HttpResponse:
    """Say what it means to stop the job."""
    job = _job(request, pk)
    if not job.is_open:
        return SeeOther(_address(job))
    return page(request, "ingest/cancel.html", {"job": job, "progress": overview.progress(job)})


@require_safe
@for_managers
def confirm_retract(request: Request, pk: int) -> HttpResponse:
    """Say what it means to take the import back."""
    job = _job(request, pk)
    if Retraction.objects.filter(batch=job.batch_id).exists():
        return SeeOther(_address(job))
    context = {"job": job, "consequences": overview.consequences(job.batch), "form": ReasonForm()}
    return page(request, "ingest/retract.html", context)


@require_POST
@for_managers
def cancel(request: Request, pk: int) -> HttpResponse:
    """Stop a job."""
    job = _job(request, pk)
    return _done(request, job, lambda: jobs.cancel(job, by=request.user), _("The job is stopped."))


@require_POST
@for_managers
def pause(request: Request, pk: int) -> HttpResponse:
    """Let a job rest."""
    job = _job(request, pk)
    return _done(request, job, lambda: jobs.pause(job, by=request.user), _("The job rests until it is resumed."))


@require_POST
@for_managers
def resume(request: Request, pk: int) -> HttpResponse:
    """Let a job go on."""
    job = _job(request, pk)
    return _done(request, job, lambda: jobs.resume(job, by=request.user), _("The job goes on where it stopped."))


@require_POST
@for_managers
def retract(request: Request, pk: int) -> HttpResponse:
    """Take an import back."""
    job, form = _job(request, pk), ReasonForm(request.POST)
    if not form.is_valid():
        context = {"job": job, "consequences": overview.consequences(job.batch), "form": form}
        return page(request, "ingest/retract.html", context, status=422)
    reason = form.cleaned_data["reason"]
    return _done(
        request, job, lambda: jobs.retract(job, by=request.user, reason=reason), _("The import is taken back.")
    )


# The prompt templates of a source


@require_http_methods(["GET", "HEAD", "POST"])
@for_managers
def templates(request: Request, slug: str) -> HttpResponse:
    """Show the prompt templates of a source and what they make; change them, or try other ones first."""
    source = get_object_or_404(sources_for(request.user), slug=slug)
    if request.method != "POST":
        return _show_templates(request, source, TemplatesForm(source=source))
    form = TemplatesForm(_templates_sent(request), source=source)
    if not form.is_valid():
        return _show_templates(request, source, form, status=422)
    faults = wordings.faults_of(source, form.templates)
    for name, fault in faults.items():
        form.add_error(name, fault)
    if faults or "try" in request.POST:
        return _show_templates(request, source, form, tried=form.templates, status=422 if faults else 200)
    try:
        wordings.set_templates(source, by=request.user, templates=form.templates, seen=form.cleaned_data["seen"])
    except Refused as refused:
        return _show_templates(request, source, form, problem=str(refused), status=refusal(refused))
    messages.success(request, _("The templates are changed, for imports to come."))
    return go_to(request, reverse("ingest:templates", args=[slug]))


def _templates_sent(request: Request) -> QueryDict:
    """Return the form as it was sent, without what it says was there before where that is not clean JSON."""
    sent = request.POST.copy()
    try:
        parse(sent.get("seen", "").encode())
    except Malformed:
        sent["seen"] = ""
    return sent


def _show_templates(  # noqa: PLR0913  what the page may have to say
    request: Request,
    source: Source,
    form: TemplatesForm,
    *,
    tried: MappingOf[str, list[str]] | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    try:
        kinds = prompts.kinds_of(source.slug, source.templates if tried is None else tried)
    except prompts.Unsound as unsound:
        kinds, problem = (), problem or unsound.message(get_language() or "")
    made = {kind.name: prompts.examples(kind) for kind in kinds}
    rows = [(form[kind.name], made.get(kind.name, []), kind.name in source.templates) for kind in form.kinds]
    context = {"source": source, "form": form, "rows": rows, "problem": problem}
    return page(request, "ingest/templates.html", context, status=status)


# Files that are to become a job


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@for_managers
def new(request: Request) -> HttpResponse:
    """Invite to send files; take them in, so far to look at them."""
    if request.method != "POST":
        return _invite(request, ImportForm(by=request.user, initial=request.GET.dict()))
    quota = QuotaHandler(request, settings.INGEST_MAX_UPLOAD_BYTES)
    request.upload_handlers.insert(0, quota)
    return _receive(request, quota=quota)


@csrf_protect  # here, not around `new`: to look for the token is to read the files, and the quota must be set by then
def _receive(request: Request, *, quota: QuotaHandler) -> HttpResponse:
    form, files = ImportForm(request.POST, by=request.user), FilesForm(files=request.FILES)
    if quota.skipped:
        return _invite(request, form, problem=_too_large(), status=422)
    if not files.is_valid():
        return _invite(request, form, problem=str(files.errors["uploads"][0]), status=422)
    try:
        staged = staging.stage(files.cleaned_data["uploads"], by=request.user, said=_said(request))
    except Refused as refused:
        return _invite(request, form, problem=str(refused), status=refusal(refused))
    except OSError as error:
        return _invite(request, form, problem=_disk(error), status=409)
    return go_to(request, reverse("ingest:staged", args=[staged.key]))


def staged_by_key(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Give the view what the person sent under the key; where that is an import by now, or gone, say so instead."""

    @wraps(view)
    def found(request: Request, key: UUID, **of_address: int) -> HttpResponse:
        if job := staging.job_of(key, by=request.user):
            if request.method == "POST":
                messages.info(request, _("These files are an import already."))
            return go_to(request, _address(job))
        staged = staging.find(key, by=request.user)
        if staged is None:
            return page(request, "ingest/gone.html", {}, status=404)
        return view(request, staged, **of_address)

    return found


@require_http_methods(["GET", "HEAD", "POST"])
@for_managers
@staged_by_key
def look(request: Request, staged: Staging) -> HttpResponse:
    """Show what was recognised, and what would enter; look again with what was said since, or at samples of a rule."""
    if request.method != "POST":
        return _show_look(request, staged, ImportForm(staged.said, by=request.user))
    staging.say(staged, _said(request))
    rule = request.POST.get("rule", "")
    samples = f"?rule={rule}#trials" if rule in RULES else ""
    return go_to(request, reverse("ingest:staged", args=[staged.key]) + samples)


@require_POST
@for_managers
@staged_by_key
def submit(request: Request, staged: Staging) -> HttpResponse:
    """Make the files a job."""
    staged = staging.say(staged, _said(request))
    form = ImportForm(staged.said, by=request.user)
    if not form.is_valid():
        return _show_look(request, staged, form, status=422)
    found = _look_at(staged, form)
    if not found.is_readable:
        return _show_look(request, staged, form, found=found, status=422)
    said = form.cleaned_data
    try:
        job = staging.submit(staged, by=request.user, source=said["source"], said=said)
    except Refused as refused:
        return _show_look(request, staged, form, found=found, problem=str(refused), status=refusal(refused))
    except OSError as error:
        return _show_look(request, staged, form, found=found, problem=_disk(error), status=409)
    return go_to(request, _address(job))


@require_POST
@for_managers
@staged_by_key
def leave_out(request: Request, staged: Staging, number: int) -> HttpResponse:
    """Forget one of several files."""
    staging.leave_out(staging.say(staged, _said(request)), number)
    return go_to(request, reverse("ingest:staged", args=[staged.key]))


@require_POST
@for_managers
@staged_by_key
def discard(request: Request, staged: Staging) -> HttpResponse:
    """Forget the files."""
    staging.discard(staged)
    messages.info(request, _("The files are discarded; nothing was imported."))
    return go_to(request, reverse("ingest:jobs"))


# What the views share


def _job(request: Request, pk: int) -> Job:
    return get_object_or_404(overview.jobs_for(request.user).with_counts(), pk=pk)


def _address(job: Job) -> str:
    return reverse("ingest:job", args=[job.pk])


def _to_upload_again(job: Job) -> str:
    """Return the address at which the files of a job are sent again, with the encoding that they seem to be in."""
    said = {"source": job.source.slug, "format": job.format, "encoding": job.error_parameters.get("guess", "")}
    return reverse("ingest:new", query={name: value for name, value in said.items() if value})


def _show_job(request: Request, job: Job, *, problem: str = "", status: int = 200) -> HttpResponse:
    rejects = overview.rejects(job)
    context = {
        "job": job,
        "progress": overview.progress(job),
        "counts": overview.counts(job),
        "workers": workers.expected_for(job),
        "rights": overview.rights(job),
        "mapping": preview.written(job.options["mapping"]) if job.options.get("mapping") else "",
        "trouble": preview.trouble_of(job),
        "can_go_on": overview.can_go_on(job),
        "again": _to_upload_again(job),
        "problem": problem,
    }
    if not (request.htmx and job.is_open):
        context |= {
            "rejects": rejects[: overview.SHOWN_REJECTS],
            "unknown_keys": job.unknown_keys().most_common(),
            "dropped": job.dropped_because().most_common(),
            "repairs": [(RULES[rule], number) for rule, number in _repairs(job)],
            "flags": overview.flags(job),
            "templates": job.tally().get("template", Counter()).most_common(),
            "scores": overview.by_score(job.tally().get("score", Counter())),
            "retraction": Retraction.objects.select_related("by").filter(batch=job.batch_id).first(),
        }
    return page(request, "ingest/job.html", context, status=status)


def _repairs(job: Job) -> list[tuple[str, int]]:
    """Return what repairs did in a job, by the rules that there still are."""
    done: Counter[str] = job.tally().get("repair", Counter())
    return [(rule, number) for rule, number in done.most_common() if rule in RULES]


def _done(request: Request, job: Job, verb: Callable[[], object], said: str) -> HttpResponse:
    """Do what was asked of a job, and lead back to it; where it is refused, show the job with the reason."""
    try:
        verb()
    except Refused as refused:
        return _show_job(request, _job(request, job.pk), problem=str(refused), status=refusal(refused))
    messages.info(request, said)
    return go_to(request, _address(job))


def _invite(request: Request, form: ImportForm, *, problem: str = "", status: int = 200) -> HttpResponse:
    context = {"form": form, "problem": problem, "limit": settings.INGEST_MAX_UPLOAD_BYTES, "too_large": _too_large()}
    return page(request, "ingest/new.html", context, status=status)


def _said(request: Request) -> MappingOf[str, str]:
    """Return what the form says; a button may name the encoding in which to read the files, or a mapping to take up."""
    said = {name: request.POST.get(name, "") for name in SAID}
    if "read_as" in request.POST:
        said["encoding"] = request.POST["read_as"]
    if kept := _kept_mapping(request):
        said |= {"mapping": preview.written(kept.spec), "mapping_name": kept.name}
    return said


def _kept_mapping(request: Request) -> Mapping | None:
    """Return the mapping that a button asks for, of a source that the person may import into."""
    name, slug = request.POST.get("take", ""), request.POST.get("source", "")
    if not name or "\0" in name + slug:
        return None
    source = sources_for(request.user).filter(slug=slug).first()
    return mappings.kept_for(source).filter(name=name).first() if source else None


def _look_at(staged: Staging, form: ImportForm, rule: str = "") -> preview.Preview:
    files = [preview.Given(file.number, file.name, staged.here(file), file.size) for file in staged.files]
    said = form.cleaned_data
    source: Source | None = said.get("source")
    read_as = {name: said.get(name, "") for name in ("format", "encoding")}
    return preview.look_at(files, source=source, mapping=said.get("mapping"), rule=rule, **read_as)


def _show_look(  # noqa: PLR0913  what the page may have to say
    request: Request,
    staged: Staging,
    form: ImportForm,
    *,
    found: preview.Preview | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    form.is_valid()
    found = found or _look_at(staged, form, request.GET.get("rule", ""))
    source = form.cleaned_data.get("source")
    context = {"staged": staged, "form": form, "preview": found, "problem": problem}
    context |= {"kept": mappings.kept_for(source) if source else (), "proposal": preview.proposal(found)}
    return page(request, "ingest/look.html", context, status=status)


def _too_large() -> str:
    limit = filesizeformat(settings.INGEST_MAX_UPLOAD_BYTES)
    return _(
        "The files are larger than %(limit)s together. Send them in parts, or import them on the machine with "
        "manage.py ingest."
    ) % {"limit": limit}


def _disk(error: OSError) -> str:
    return _("The files could not be stored (%(reason)s). Nothing was imported; free some space and try again.") % {
        "reason": error.strerror or type(error).__name__
    }
