"""Giving out the files of releases to people who are signed in."""

import re
from collections.abc import Iterator
from pathlib import Path

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from exports import storage
from exports.downloads import record_download
from exports.facts import title
from exports.models import PATH, Artifact, Download, Release
from exports.pace import paced
from exports.views.answers import release_or_404
from review.views.answers import Request, for_consumers, page

BLOCK_BYTES = 256 * 1024


@require_safe
@for_consumers
def download(request: Request, version: str, path: str) -> HttpResponseBase:
    """Send a file of a release, as far as it is as written and nothing in the release has been taken down."""
    release = release_or_404(request.user, version)
    artifact = _artifact(release, path)
    if release.state == Release.State.WITHDRAWN:
        said = _("This release was withdrawn: %(reason)s") % {"reason": release.reason}
        return _refused(request, release, said, status=410)
    if release.is_suspended:
        said = _("Records of this release have been taken down. Its files are no longer given out.")
        return _refused(request, release, said, status=451)
    try:
        place = storage.checked(release, artifact)
    except storage.Damaged as damage:
        said = _("The file is not served: %(reason)s. Build the release again.") % {"reason": damage}
        return _refused(request, release, said, status=503)
    record_download(request.user, path, artifact.bytes, release=release, door=Download.Door.PAGE)
    name = f"{title(release)}-{path.replace('/', '-')}"
    answer = StreamingHttpResponse(paced(_blocks(place)), content_type="application/octet-stream")
    answer["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    answer["Content-Length"] = str(artifact.bytes)
    answer["ETag"] = f'"{artifact.sha256}"'
    answer["Cache-Control"] = "private, no-cache"
    return answer


def _blocks(place: Path) -> Iterator[bytes]:
    with place.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block


def _artifact(release: Release, path: str) -> Artifact:
    """Return a file by the path it was recorded under; the request's own text never names a file."""
    artifact = release.artifacts.defer("text").filter(path=path).first() if re.fullmatch(PATH, path) else None
    if artifact is None or release.state not in {*Release.AVAILABLE, Release.State.WITHDRAWN}:
        raise Http404
    return artifact


def _refused(request: Request, release: Release, said: str, *, status: int) -> HttpResponse:
    return page(request, "exports/refused.html", {"release": release, "said": said}, status=status)
