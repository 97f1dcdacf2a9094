"""An S3-compatible bucket, through django-storages. Imported only where one is configured: see `review.depot`."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from storages.backends.s3 import S3Storage

from review.depot import Away, Known

CONNECT_SECONDS = 3
READ_SECONDS = 60
TRIES = 3
AT_ONCE = 1000
MTIME = "mtime-ns"
"""What is kept beside an object: the time of its file in nanoseconds."""


class Bucket(S3Storage):  # type: ignore[misc]  # django-storages has no types
    """Objects by name, each with the time of its file; every failure is a `FileNotFoundError` or `Away`."""

    def __init__(self, *, addressing: str, prefix: str = "", **options: Any) -> None:
        client = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"max_attempts": TRIES, "mode": "standard"},
            s3={"addressing_style": addressing},
            # What other makers of such storage do not know is left out; we compare a sha256 of our own.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        self._prefix = f"{prefix}/" if prefix else ""
        super().__init__(client_config=client, **options)

    def about(self, name: str) -> Known:
        """Return what is known of an object."""
        with _failures_named(name):
            found = self._object(name)
            changed = found.last_modified.timestamp()
            mtime = found.metadata.get(MTIME, "")
            return Known(name, found.content_length, changed, int(mtime) if mtime.isdecimal() else int(changed) * 10**9)

    def put(self, name: str, path: Path) -> None:
        """Store a file under a name, in the place of what is there."""
        with _failures_named(name), path.open("rb") as file:
            about = {"Metadata": {MTIME: str(path.stat().st_mtime_ns)}}
            self._object(name).upload_fileobj(file, ExtraArgs=about, Config=self.transfer_config)

    def get(self, name: str, path: Path) -> None:
        """Write an object's bytes to a new file."""
        with _failures_named(name), path.open("xb") as file:
            self._object(name).download_fileobj(file, Config=self.transfer_config)

    def names(self, beginning: str) -> Iterator[Known]:
        """Yield the objects whose names begin so; their files' times are not known without asking for each."""
        with _failures_named(beginning):
            for entry in self.bucket.objects.filter(Prefix=self._prefix + beginning):
                name = entry.key.removeprefix(self._prefix)
                yield Known(name, entry.size, entry.last_modified.timestamp())

    def drop(self, names: Collection[str]) -> None:
        """Remove objects; those that are not there are passed over."""
        left = list(names)
        while left:
            some, left = left[:AT_ONCE], left[AT_ONCE:]
            with _failures_named(some[0]):
                for name in some:
                    self._object(name).delete()

    def _object(self, name: str) -> Any:  # noqa: ANN401  boto3 makes its classes as it goes
        return self.bucket.Object(self._prefix + name)


@contextmanager
def _failures_named(name: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in {"404", "NoSuchKey"}:
            raise FileNotFoundError(2, "not in the storage", name) from error
        raise Away(5, f"the storage refuses: {code}", name) from error
    except BotoCoreError as error:
        raise Away(5, f"the storage does not answer: {type(error).__name__}", name) from error
