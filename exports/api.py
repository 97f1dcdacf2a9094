"""The REST interface for those who take data out. Every answer is JSON, a stream of JSON lines, or a file."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from django.db import InterfaceError, OperationalError
from django.db.models import Exists
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView

from exports import aliases, feed, ranges, storage
from exports.downloads import record_download
from exports.facts import MANIFEST, moment
from exports.filters import RecordFilters
from exports.models import PATH, VERSION, Artifact, Download, Policy, Release, ReleaseQuerySet
from exports.options import CQIA
from exports.pace import paced
from exports.policies import DEFAULT
from exports.rows import live_lines
from exports.tokens import BearerAuthentication, HasScope, has_scope
from exports.writers import WRITERS
from review.models import Label, Record, Scope
from review.refused import Refused

if TYPE_CHECKING:
    from review.models import User

BLOCK_BYTES = 256 * 1024
TYPES = {
    ".jsonl": "application/jsonl; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
}


class AlwaysJson(BaseContentNegotiation):
    """Whatever is asked for in `Accept`, the answer is what this interface gives."""

    def select_parser(self, _request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        """Return the first one: nothing here reads a body."""
        return next(iter(parsers))

    def select_renderer(
        self, _request: Request, renderers: Iterable[BaseRenderer], _format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the first one."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


class ExportThrottle(UserRateThrottle):
    """So many requests of one person, whatever they ask for."""

    rate = "600/min"
    scope = "export"


class ExportView(APIView):
    """What the views of this module share: who may, and how they answer."""

    authentication_classes = (BearerAuthentication,)
    permission_classes = (HasScope,)
    content_negotiation_class = AlwaysJson
    throttle_classes = (ExportThrottle,)
    scopes = (Scope.EXPORT_READ, Scope.EXPORT_INTERNAL)

    def get_exception_handler(self) -> Callable[..., Response | None]:
        """Return what turns an error into an answer: the usual, and 503 while the database is away."""
        usual = super().get_exception_handler()

        def answer(error: Exception, context: dict[str, Any]) -> Response | None:
            if isinstance(error, OperationalError | InterfaceError):
                said = {"detail": _("The database is away for a moment. Try again.")}
                return Response(said, status=503, headers={"Retry-After": "5"})
            told: Response | None = usual(error, context)
            return told

        return answer


class RecordStream(ExportView):
    """All records that may leave now: a live view in the order of their ids, not a snapshot."""

    def get(self, request: Request) -> HttpResponseBase:
        """Announce the number of records, then stream them."""
        said = request.query_params.copy()
        policy = _policy(request, said.pop("policy", [DEFAULT])[-1])
        leaving = Record.objects.releasable(policy.licences, without=policy.holds_back_flags)
        filters = RecordFilters(said, leaving, licences=policy.licences)
        problems = filters.problems()
        if problems:
            raise ValidationError({"detail": _("The filters cannot be used as they are."), "problems": problems})
        count = filters.qs.count()
        convert = WRITERS[filters.form_name].line if filters.form_name != CQIA else None
        lines = live_lines(filters.qs, convert, aliases.current() if policy.are_labels_merged else None)
        answer = StreamingHttpResponse(_begun(lines), content_type=TYPES[".jsonl"])
        answer["X-Record-Count"] = str(count)
        answer["Cache-Control"] = "no-store"
        _note(request, answer, "records.jsonl")
        return answer


class ChangeStream(ExportView):
    """What changed since a cursor, in the order in which it was sealed: every change once, removals included."""

    def get(self, request: Request) -> HttpResponseBase:
        """Stream what changed behind the cursor up to the last seal of this moment, whose number is announced."""
        said = request.query_params.copy()
        policy = _policy(request, said.pop("policy", [DEFAULT])[-1])
        cursor = said.pop("cursor", ["0"])[-1]
        if said:
            problem = {"detail": _("There is no such filter."), "allowed": ["cursor", "policy"]}
            problems = dict.fromkeys(said, problem)
            raise ValidationError({"detail": _("The filters cannot be used as they are."), "problems": problems})
        try:
            begin = feed.Cursor.read(cursor)
        except Refused as refused:
            problem = {"detail": str(refused)}
            raise ValidationError(problem | {"problems": {"cursor": problem}}) from refused
        upto = feed.last()
        answer = StreamingHttpResponse(
            _begun(feed.lines(begin, upto, policy)),
            content_type=TYPES[".jsonl"],
        )
        answer["X-Cursor"] = str(upto)
        answer["Cache-Control"] = "no-store"
        _note(request, answer, "changes.jsonl")
        return answer


def _policy(request: Request, slug: str) -> Policy:
    """Return the policy asked for; one for use in the house needs its own scope."""
    asked = {"are_labels_merged": Exists(Label.objects.filter(alias_of__isnull=False))}
    policies = {policy.slug: policy for policy in Policy.objects.annotate(**asked).order_by("slug")}
    if slug not in policies:
        problem = {"detail": _("There is no such policy."), "allowed": list(policies)}
        raise ValidationError({"detail": _("The filters cannot be used as they are."), "problems": {"policy": problem}})
    if policies[slug].is_internal and not has_scope(request, Scope.EXPORT_INTERNAL):
        raise PermissionDenied(
            _("This policy needs a token with the scope %(scope)s.") % {"scope": Scope.EXPORT_INTERNAL.value}
        )
    return policies[slug]


def _begun(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Read the first piece at once: while nothing has been sent, a failure can still be told."""
    first = next(lines, b"")

    def pieces() -> Iterator[bytes]:
        yield first
        yield from lines

    return paced(pieces())


class ReleaseList(ExportView):
    """The releases that can be read, the latest first."""

    def get(self, request: Request) -> Response:
        """Tell of each what it is and where it stands."""
        releases = _readable(request).select_related("policy").order_by("-cut_at", "-pk")
        return Response({"releases": [_described(release) for release in releases]})


def _readable(request: Request) -> ReleaseQuerySet:
    """Return the releases that the token may read, each with `is_suspended`."""
    listed = Release.objects.listed().with_suspended()
    return listed if has_scope(request, Scope.EXPORT_INTERNAL) else listed.filter(is_internal=False)


def _described(release: Release) -> dict[str, Any]:
    return {
        "version": release.version,
        "name": release.name,
        "state": release.state,
        "suspended": release.is_suspended,
        "internal": release.is_internal,
        "policy": release.policy.slug,
        "records": release.records,
        "cut_at": moment(release),
        "published_at": _moment(release.published_at),
        "withdrawn_at": _moment(release.withdrawn_at),
        "reason": _reason(release),
        "manifest_sha256": release.manifest_sha256,
        "url": reverse("export-release", args=[release.version]),
    }


def _moment(at: datetime | None) -> str | None:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def _reason(release: Release) -> str:
    """Return why a release is no longer given out; empty when it is."""
    if release.state == Release.State.WITHDRAWN:
        return release.reason
    return _("Records of this release have been taken down.") if release.is_suspended else ""


def _release(request: Request, version: str) -> Release:
    """Return a release that the token may read; 404 for any other, so that its existence is not told."""
    release = _readable(request).filter(version=version).first() if re.fullmatch(VERSION, version) else None
    if release is None:
        raise NotFound(_("There is no such release."))
    return release


class ReleaseManifest(ExportView):
    """What a release holds: its manifest, byte for byte."""

    def get(self, request: Request, version: str) -> HttpResponseBase:
        """Answer with the manifest."""
        manifest = _artifact(_release(request, version), MANIFEST)
        etag = f'"{manifest.sha256}"'
        if ranges.names(request.headers.get("If-None-Match"), etag, weakly=True):
            return HttpResponse(status=304, headers={"ETag": etag})
        return HttpResponse((manifest.text or "").encode(), content_type=TYPES[".json"], headers={"ETag": etag})


def _artifact(release: Release, path: str) -> Artifact:
    """Return a file of a release by the path it was recorded under; the request's own text never names a file."""
    artifact = release.artifacts.filter(path=path).first() if re.fullmatch(PATH, path) else None
    if artifact is None:
        raise NotFound(_("The release holds no such file."))
    return artifact


class ReleaseFile(ExportView):
    """A file of a release, or a part of it."""

    def get(self, request: Request, version: str, path: str) -> HttpResponseBase:
        """Answer with the file's bytes, as far as they are as written and the conditions of the request hold."""
        release = _release(request, version)
        artifact = _artifact(release, path)
        if release.state == Release.State.WITHDRAWN:
            said = {"detail": _("This release was withdrawn: %(reason)s") % {"reason": release.reason}}
            return Response(said | {"next": _next(request, release)}, status=410)
        if release.is_suspended:
            return _suspended(request, release)
        try:
            place = storage.checked(release, artifact)
        except storage.Damaged as damage:
            return Response({"detail": _("The file is not served: %(reason)s.") % {"reason": damage}}, status=503)
        answer = _file(request, artifact, place)
        if request.method == "GET" and answer.status_code in {200, 206}:
            _note(request, answer, path, release)
        return answer


def _note(request: Request, answer: HttpResponseBase, path: str, release: Release | None = None) -> None:
    """Keep in the history that somebody is given this."""
    length = answer.headers.get("Content-Length")
    said = answer.headers.get("Content-Range", "bytes 0-").removeprefix("bytes ").partition("-")[0]
    record_download(
        cast("User", request.user),
        path,
        int(length) if length else None,
        door=Download.Door.API,
        release=release,
        first_byte=int(said),
        query=request.META.get("QUERY_STRING", ""),
    )


def _suspended(request: Request, release: Release) -> Response:
    said = {
        "detail": _("Records of this release have been taken down. Its files are no longer given out."),
        "takedowns": storage.takedowns(release),
        "next": _next(request, release),
    }
    return Response(said, status=451)


def _next(request: Request, release: Release) -> str | None:
    """Return the version to use instead: the first later one whose files are given out."""
    later = _readable(request).available().filter(pk__gt=release.pk).order_by("pk")
    return next((other.version for other in later if not other.is_suspended), None)


def _file(request: Request, artifact: Artifact, place: Path) -> HttpResponseBase:
    etag = f'"{artifact.sha256}"'
    digest = b64encode(bytes.fromhex(artifact.sha256)).decode()
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Repr-Digest": f"sha-256=:{digest}:"}
    if "If-Match" in request.headers and not ranges.names(request.headers["If-Match"], etag):
        return Response({"detail": _("The file is another one than the request expects.")}, status=412, headers=headers)
    if ranges.names(request.headers.get("If-None-Match"), etag, weakly=True):
        return HttpResponse(status=304, headers=headers)
    is_same = "If-Range" not in request.headers or ranges.names(request.headers["If-Range"], etag)
    try:
        part = ranges.part(request.headers.get("Range"), artifact.bytes) if is_same else None
    except ranges.Unsatisfiable:
        headers["Content-Range"] = f"bytes */{artifact.bytes}"
        return Response({"detail": _("The file has no such part.")}, status=416, headers=headers)
    start, length = part or (0, artifact.bytes)
    headers["Content-Length"] = str(length)
    if part:
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{artifact.bytes}"
    content_type = TYPES.get(place.suffix, "application/octet-stream")
    blocks = paced(_blocks(place, start, length))
    return StreamingHttpResponse(blocks, status=206 if part else 200, content_type=content_type, headers=headers)


def _blocks(place: Path, start: int, length: int) -> Iterator[bytes]:
    """Read a part of a file; one that has become shorter meanwhile raises, so that the connection is cut."""
    with place.open("rb") as stream:
        stream.seek(start)
        while length:
            block = stream.read(min(BLOCK_BYTES, length))
            if not block:
                raise storage.Damaged(_("%(path)s is shorter than it was") % {"path": place.name})
            length -= len(block)
            yield block
