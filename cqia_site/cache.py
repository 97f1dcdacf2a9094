"""The cache: Valkey or Redis, and the memory of this process for as long as that does not answer.

Limits on sign-in are counted here. While the server is away every process counts for itself, and nobody waits for it:
after a failure it is left alone for a few seconds.
"""

import json
import logging
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 0.3
PAUSE_SECONDS = 5.0
OWN_ENTRIES = 100_000


class JsonSerializer:
    """Values as JSON: whoever can write to the server's memory cannot run code here. Tuples come back as lists."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class SteadyCache(RedisCache):
    """A cache that always answers at once."""

    _resume_at: ClassVar[dict[str, float]] = {}  # by server, for the process: there is an object for each thread

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        connection = {
            "socket_connect_timeout": PATIENCE_SECONDS,
            "socket_timeout": PATIENCE_SECONDS,
            "retry": Retry(NoBackoff(), 0),
            "serializer": JsonSerializer(),
        }
        super().__init__(server, params | {"OPTIONS": connection | params.get("OPTIONS", {})})
        self._server = server
        self._own = LocMemCache(f"instead of {server}", params | {"OPTIONS": {"MAX_ENTRIES": OWN_ENTRIES}})

    def _ask(self, method: str, *args: Any) -> Any:
        if time.monotonic() >= self._resume_at.get(self._server, 0.0):
            try:
                return getattr(super(), method)(*args)
            except (RedisError, OSError) as error:
                logger.warning("The cache does not answer (%s): counting in this process for now.", error)
                self._resume_at[self._server] = time.monotonic() + PAUSE_SECONDS
        return getattr(self._own, method)(*args)

    def add(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return bool(self._ask("add", key, value, timeout, version))

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        return self._ask("get", key, default, version)

    def set(self, key: str, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> None:
        self._ask("set", key, value, timeout, version)

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        return bool(self._ask("touch", key, timeout, version))

    def delete(self, key: str, version: int | None = None) -> bool:
        return bool(self._ask("delete", key, version))

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("get_many", keys, version)
        return found

    def has_key(self, key: str, version: int | None = None) -> bool:
        return bool(self._ask("has_key", key, version))

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        return int(self._ask("incr", key, delta, version))

    def set_many(self, data: dict[str, Any], timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> list[str]:
        return list(self._ask("set_many", data, timeout, version))

    def delete_many(self, keys: Iterable[str], version: int | None = None) -> None:
        self._ask("delete_many", keys, version)

    def clear(self) -> None:
        """Forget what is kept under this cache's prefix, and nothing else: jobs wait in the same database."""
        self._own.clear()
        client = self._cache.get_client(write=True)
        with suppress(RedisError, OSError):
            for key in client.scan_iter(match=f"{self.key_prefix}:*"):
                client.delete(key)
