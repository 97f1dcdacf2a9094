"""The description of the API (OpenAPI 3) and the page that shows it, for people who are signed in."""

from typing import Any, cast

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiViewExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import IsAuthenticated

from exports.filters import LINE_FORMS
from review.models import AnswerFrom, Licence

type Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "integer", "minimum": 0}
TRUTH: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": TEXT}
MOMENT: Schema = {"type": "string", "format": "date-time"}
SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
COUNTS = ("read", "new", "changed", "unchanged", "duplicate", "dropped", "rejected")


def _maybe(schema: Schema) -> Schema:
    return schema | {"nullable": True}


def _object(**fields: Schema) -> Schema:
    return {"type": "object", "properties": fields, "required": list(fields)}


RECORD = _object(
    instruction=TEXT,
    input=TEXT,
    output=TEXT,
    task_type=_object(major=TEXTS, minor=TEXTS),
    domain=TEXTS,
    metadata=TEXT,
    answer_from={"type": "string", "enum": list(AnswerFrom.values)},
    human_verified=TRUTH,
    copyright=TEXT,
)
CHANGE = _object(
    cursor=TEXT,
    id=NUMBER,
    change={"type": "string", "enum": ["added", "changed", "rights", "removed"]},
    record=_maybe(RECORD),
)
RELEASE = _object(
    version=TEXT,
    name=TEXT,
    state={"type": "string", "enum": ["built", "published", "withdrawn"]},
    suspended=TRUTH,
    internal=TRUTH,
    policy=TEXT,
    records=NUMBER,
    cut_at=MOMENT,
    published_at=_maybe(MOMENT),
    withdrawn_at=_maybe(MOMENT),
    reason=TEXT,
    manifest_sha256=SHA256,
    url=TEXT,
)
FILE = _object(path=TEXT, records=_maybe(NUMBER), bytes=NUMBER, sha256=SHA256)
MANIFEST = _object(version=TEXT, records=NUMBER, files={"type": "array", "items": FILE}) | {
    "additionalProperties": True
}
JOB = _object(
    job=NUMBER,
    state=TEXT,
    source=TEXT,
    **dict.fromkeys(COUNTS, NUMBER),
    percent=_maybe({"type": "number"}),
    files={"type": "array", "items": _object(name=TEXT, bytes=NUMBER, format=TEXT, encoding=TEXT)},
    error=TEXT,
    created_at=MOMENT,
    finished_at=_maybe(MOMENT),
    retracted_at=_maybe(MOMENT | {"description": "When the import was taken back: none of its records is left."}),
) | {"additionalProperties": True}
JOBS = _object(jobs={"type": "array", "items": JOB}, next=_maybe(TEXT))
UPLOAD = {
    "type": "object",
    "properties": {
        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "source": TEXT,
        "licence": {"type": "string", "enum": list(Licence.values)},
        "holder": TEXT,
        "evidence": {"type": "string", "description": "Where the licence is stated, or who allowed what, and when."},
        "format": TEXT,
        "encoding": TEXT,
        "mapping": {
            "type": "string",
            "description": "How the fields become ours: JSON, or the name of a mapping that is kept for the source.",
        },
        "rules": {"type": "string", "description": "Names of rules to switch on, separated by commas."},
    },
    "required": ["file", "source"],
    "additionalProperties": False,
}
PROBLEM = _object(detail=TEXT) | {"additionalProperties": True}
GONE = _object(detail=TEXT, next=_maybe(TEXT)) | {"additionalProperties": True}
LINES = "application/jsonl"

NO_TOKEN = {
    401: OpenApiResponse(PROBLEM, "No token, or one that is wrong, expired or revoked."),
    403: OpenApiResponse(PROBLEM, "The token lacks the scope."),
    429: OpenApiResponse(PROBLEM, "Too many requests; `Retry-After` says when to go on."),
    503: OpenApiResponse(PROBLEM, "The database is away for a moment; `Retry-After` says when to try again."),
}
NOT_FOUND = {404: OpenApiResponse(PROBLEM, "There is none, or none that the token may see.")}
REFUSED = {400: OpenApiResponse(PROBLEM, "Something is unknown or malformed; the answer names it and what is allowed.")}


def _query(name: str, said: str, schema: Any = str, **more: Any) -> OpenApiParameter:  # noqa: ANN401  as it takes it
    return OpenApiParameter(name, schema, OpenApiParameter.QUERY, description=said, **more)


def _header(name: str, said: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=said)


def _told(name: str, said: str, status: int = 200) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=said, response=[status])


BEHIND: Schema = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
JOB_ID = OpenApiParameter("id", NUMBER | {"maximum": 2**63 - 1}, OpenApiParameter.PATH)
LABEL: Schema = {"type": "string", "maxLength": 200, "pattern": "^[^\\x00]*$"}
CURSOR: Schema = {"type": "string", "pattern": r"^[0-9]{1,18}(\.[0-9]{1,18})?$", "default": "0"}
POLICY = _query("policy", "`research` unless another one is named; `internal` needs the scope `export:internal`.")
RECORDS_QUERY = [
    _query("source", "Slug of a source; several widen it.", many=True),
    _query("major", "A main task type.", LABEL),
    _query("minor", "A fine task type.", LABEL),
    _query("domain", "A field of knowledge.", LABEL),
    _query("answer_from", "Who wrote the answer; several widen it.", many=True, enum=AnswerFrom.values),
    _query("licence", "A licence that the policy holds; several widen it.", many=True, enum=Licence.values),
    _query("verified_after", "Approved after this moment.", OpenApiTypes.DATETIME),
    _query("format", "How each record is written.", enum=LINE_FORMS),
    POLICY,
]

OPERATIONS: dict[str, dict[str, Any]] = {
    "exports.api.RecordStream": {
        "get": {
            "operation_id": "export_records",
            "summary": "All records that may leave now, one a line: a live view in the order of their ids",
            "parameters": [*RECORDS_QUERY, _told("X-Record-Count", "How many records the stream holds.")],
            "responses": {(200, LINES): OpenApiResponse(RECORD, "One record a line."), **REFUSED, **NO_TOKEN},
        }
    },
    "exports.api.ChangeStream": {
        "get": {
            "operation_id": "export_changes",
            "summary": "What changed since a cursor, one change a line: every change once, in order, removals included",
            "parameters": [
                _query("cursor", "The cursor of the last change that was taken over; `0` is the beginning.", CURSOR),
                POLICY,
                _told("X-Cursor", "How far the answer goes: the cursor to come back with once all of it was read."),
            ],
            "responses": {(200, LINES): OpenApiResponse(CHANGE, "One change a line."), **REFUSED, **NO_TOKEN},
        }
    },
    "exports.api.ReleaseList": {
        "get": {
            "operation_id": "releases",
            "summary": "The releases that can be read, the latest first; those withdrawn or suspended with the reason",
            "responses": {200: _object(releases={"type": "array", "items": RELEASE}), **NO_TOKEN},
        }
    },
    "exports.api.ReleaseManifest": {
        "get": {
            "operation_id": "release_manifest",
            "summary": "The manifest of a release, byte for byte",
            "parameters": [_header("If-None-Match", "The sha256 that is already there."), _told("ETag", "Its sha256.")],
            "responses": {
                200: MANIFEST,
                304: OpenApiResponse(description="It is the one that is already there."),
                **NOT_FOUND,
                **NO_TOKEN,
            },
        }
    },
    "exports.api.ReleaseFile": {
        "get": {
            "operation_id": "release_file",
            "summary": "A file of a release, or a part of it",
            "parameters": [
                _header("Range", "One range of bytes."),
                _header("If-None-Match", "The sha256 that is already there."),
                _header("If-Match", "The sha256 that is expected."),
                _header("If-Range", "The sha256 of what the range goes on."),
                _told("ETag", "The sha256 of the whole file."),
                _told("Repr-Digest", "The same, as RFC 9530 writes it."),
            ],
            "responses": {
                (200, "application/octet-stream"): OpenApiTypes.BINARY,
                (206, "application/octet-stream"): OpenApiTypes.BINARY,
                304: OpenApiResponse(description="It is the one that is already there."),
                410: OpenApiResponse(GONE, "The release was withdrawn: the reason, and the version to use instead."),
                412: OpenApiResponse(PROBLEM, "The file is another one than the request expects."),
                416: OpenApiResponse(PROBLEM, "The file has no such part, or several were asked for."),
                451: OpenApiResponse(GONE, "Records were taken down: the reason, and the version to use instead."),
                **NOT_FOUND,
                **NO_TOKEN,
            },
        }
    },
    "ingest.api.JobList": {
        "get": {
            "operation_id": "ingest_jobs",
            "summary": "Imports, the newest first",
            "parameters": [_query("before", "The number of a job: go on behind it.", BEHIND)],
            "responses": {200: JOBS, **REFUSED, **NO_TOKEN},
        },
        "post": {
            "operation_id": "ingest_submit",
            "summary": "Take in files, each named `file`, as one job",
            "request": {"multipart/form-data": UPLOAD},
            "responses": {
                202: OpenApiResponse(JOB, "Taken in; the work is done later. `Location` is the address of the job."),
                **REFUSED,
                409: OpenApiResponse(PROBLEM, "It cannot be taken in now."),
                413: OpenApiResponse(PROBLEM, "The files are too large together."),
                507: OpenApiResponse(PROBLEM, "The disk is full."),
                **NO_TOKEN,
            },
        },
    },
    "ingest.api.JobPause": {
        "post": {
            "operation_id": "ingest_job_pause",
            "summary": "Let an import rest after the chunk that it is at",
            "parameters": [JOB_ID],
            "request": None,
            "responses": {
                200: JOB,
                409: OpenApiResponse(PROBLEM, "It is not in a state for that."),
                **NOT_FOUND,
                **NO_TOKEN,
            },
        }
    },
    "ingest.api.JobResume": {
        "post": {
            "operation_id": "ingest_job_resume",
            "summary": "Let an import go on where it stopped",
            "parameters": [JOB_ID],
            "request": None,
            "responses": {
                200: JOB,
                409: OpenApiResponse(PROBLEM, "It is not in a state for that."),
                **NOT_FOUND,
                **NO_TOKEN,
            },
        }
    },
    "ingest.api.JobCancel": {
        "post": {
            "operation_id": "ingest_job_cancel",
            "summary": "Stop an import; what came in stays",
            "parameters": [JOB_ID],
            "request": None,
            "responses": {
                200: JOB,
                409: OpenApiResponse(PROBLEM, "It is not in a state for that."),
                **NOT_FOUND,
                **NO_TOKEN,
            },
        }
    },
    "ingest.api.JobDetail": {
        "get": {
            "operation_id": "ingest_job",
            "summary": "How far an import is, and what became of its records",
            "parameters": [JOB_ID],
            "responses": {200: JOB, **NOT_FOUND, **NO_TOKEN},
        }
    },
}
"""What each view of the API takes and answers, by its name."""


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # it has no types
    """A token in the header."""

    target_class = "review.tokens.BearerAuthentication"
    name = "token"

    def get_security_definition(self, _auto_schema: object) -> Schema:
        """Return what the header is."""
        said = (
            "`Authorization: Bearer …`, with a token of the scope `export:read`, `export:internal` or `ingest:write`."
        )
        return {"type": "http", "scheme": "bearer", "description": said}


def _described(view: str, operations: dict[str, Any]) -> type:
    """Return the extension that says of a view what it takes and answers."""

    def view_replacement(self: OpenApiViewExtension) -> type:
        target = cast("type", self.target_class)  # the view itself by now
        described = type(target.__name__, (target,), {})
        for method, said in operations.items():
            function = extend_schema(**said)(getattr(target, method))
            setattr(described, method, function)
        return described

    return type(
        view.replace(".", "_"), (OpenApiViewExtension,), {"target_class": view, "view_replacement": view_replacement}
    )


EXTENSIONS = [_described(view, operations) for view, operations in OPERATIONS.items()]

_WHO: dict[str, Any] = {"authentication_classes": [SessionAuthentication], "permission_classes": [IsAuthenticated]}
_schema = SpectacularJSONAPIView.as_view(**_WHO)
_docs = SpectacularSwaggerSplitView.as_view(**_WHO)


@require_safe
def schema(request: HttpRequest) -> HttpResponseBase:
    """Answer with the description of the API."""
    answer: HttpResponseBase = _schema(request)
    return answer


@require_safe
def docs(request: HttpRequest) -> HttpResponseBase:
    """Show the description of the API, in which requests can be tried."""
    answer: HttpResponseBase = _docs(request)
    return answer
