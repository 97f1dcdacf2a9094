"""Reading `CQIA_STORAGE`: where the files are kept that several machines share. Imports no Django: settings need it."""

from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

FILE = "file"
SCHEME = "s3"
ADDRESSING = ("auto", "path", "virtual")
OPTIONS = {"endpoint", "region", "addressing"}


def is_shared(address: str) -> bool:
    """Tell whether files are kept elsewhere than in the data folder."""
    return address not in {"", FILE}


def storage(address: str, *, access_key: str, secret_key: str) -> dict[str, Any]:
    """Return the storage of `s3://bucket/prefix?endpoint=…&region=…&addressing=…` as Django's settings want it.

    What is wrong with the address is left to `problems`: nothing is stored elsewhere instead.
    """
    parts, asked = _parts(address)
    endpoint = asked.get("endpoint") or None
    options = {
        "bucket_name": parts.netloc,
        "prefix": parts.path.strip("/"),
        "endpoint_url": endpoint,
        "region_name": asked.get("region") or None,
        "addressing": asked.get("addressing") or ("path" if endpoint else "auto"),
        "access_key": access_key or None,
        "secret_key": secret_key or None,
    }
    return {"BACKEND": "review.bucket.Bucket", "OPTIONS": options}


def problems(address: str, *, access_key: str, secret_key: str) -> list[str]:
    """Name what is missing or not understood: parts of the address, or one of the two keys."""
    if not is_shared(address):
        return []
    parts, asked = _parts(address)
    endpoint = urlsplit(asked.get("endpoint", ""))
    wrong = {
        f"{SCHEME}://": parts.scheme != SCHEME,
        "bucket": not parts.netloc,
        "endpoint": bool(asked.get("endpoint")) and not (endpoint.scheme in {"http", "https"} and endpoint.netloc),
        "addressing": asked.get("addressing", "auto") not in ADDRESSING,
        "AWS_ACCESS_KEY_ID": bool(secret_key and not access_key),
        "AWS_SECRET_ACCESS_KEY": bool(access_key and not secret_key),
    }
    return [name for name, is_wrong in wrong.items() if is_wrong] + sorted(set(asked) - OPTIONS)


def _parts(address: str) -> tuple[SplitResult, dict[str, str]]:
    parts = urlsplit(address)
    return parts, dict(parse_qsl(parts.query, keep_blank_values=True))
