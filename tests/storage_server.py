"""An S3 server in a process of its own on this machine, and settings that keep files in it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import boto3
import httpx
import pytest
from pytest_django import Settings

from cqia_site import storing
from tests.faults.processes import until

KEYS = {"access_key": "tester", "secret_key": "told-to-nobody"}


@contextmanager
def storage_server() -> Iterator[str]:
    """Give the address of a server, for the block."""
    code = (
        "from moto.server import ThreadedMotoServer as S; import time;"
        "s = S('127.0.0.1', 0, verbose=False); s.start(); print(s.get_host_and_port()[1], flush=True); time.sleep(9999)"
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        address = f"http://127.0.0.1:{process.stdout.readline().strip()}"
        until(lambda: _answers(address))
        yield address
    finally:
        process.kill()
        process.communicate()


def _answers(address: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(address, trust_env=False).is_success
    return False


def made_bucket(server: str) -> str:
    """Make a bucket and return what `CQIA_STORAGE` says of it."""
    name = f"cqia-{uuid4().hex}"
    client(server).create_bucket(Bucket=name)
    return f"s3://{name}/kept?endpoint={server}&region=us-east-1"


def client(server: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server,
        region_name="us-east-1",
        aws_access_key_id=KEYS["access_key"],
        aws_secret_access_key=KEYS["secret_key"],
    )


def use(settings: Settings, storage: str) -> None:
    """Keep files there from now on."""
    settings.CQIA_STORAGE, settings.STORAGE_KEYS = storage, KEYS
    settings.STORAGES = settings.STORAGES | {"shared": storing.storage(storage, **KEYS)}


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of a server for all tests of a run."""
    with storage_server() as address:
        yield address
