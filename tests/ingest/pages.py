"""Files for tests, sent and imported over the pages like real ones."""

import json
from typing import TYPE_CHECKING, Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from ingest import pipeline
from ingest.models import Job
from review.models import User

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse

HTMX = {"HX-Request": "true"}


def signed_in(user: User) -> Client:
    client = Client(headers={"Accept-Language": "en"})
    client.force_login(user)
    return client


def lines(*instructions: str, **more: Any) -> bytes:
    return b"".join(
        json.dumps({"instruction": text, "input": "", "output": f"答：{text}"} | more, ensure_ascii=False).encode()
        + b"\n"
        for text in instructions
    )


GOOD = lines("天为什么蓝？", "海为什么咸？")
FAULTY = GOOD + b'{"instruction": "", "output": "x"}\n' + b"not json\n" + lines("草为什么绿？", colour="green")


def sent(content: bytes = GOOD, name: str = "a.jsonl") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def upload(client: Client, *files: SimpleUploadedFile, **fields: str) -> str:
    """Send files and return the address at which they are looked at."""
    answer = client.post("/ingest/new/", {"uploads": list(files), "source": "ruozhiba"} | fields)
    assert answer.status_code == 303
    return str(answer["Location"])


def submitted(client: Client, *files: SimpleUploadedFile, **fields: str) -> Job:
    said = {"source": "ruozhiba"} | fields
    answer = client.post(upload(client, *files, **fields) + "submit/", said)
    assert answer.status_code == 303
    job = Job.objects.latest("pk")
    assert answer["Location"] == reverse("ingest:job", args=[job.pk])
    return job


def done(client: Client, *files: SimpleUploadedFile, **fields: str) -> Job:
    job = submitted(client, *files, **fields)
    pipeline.run(job.pk)
    job.refresh_from_db()
    return job


def text(answer: "_MonkeyPatchedWSGIResponse") -> str:
    return answer.content.decode()
