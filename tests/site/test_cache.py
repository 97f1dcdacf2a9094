from collections.abc import Iterator
from uuid import uuid4

import pytest
import redis
import time_machine
from django.conf import settings

from cqia_site.cache import PAUSE_SECONDS, SteadyCache

pytestmark = pytest.mark.core

NOBODY = "redis://127.0.0.1:1/0"


def cache_at(server: str, prefix: str = "") -> SteadyCache:
    return SteadyCache(server, {"KEY_PREFIX": prefix or str(uuid4())})


@pytest.fixture
def cache() -> Iterator[SteadyCache]:
    """A cache on the real server."""
    steady = cache_at(settings.REDIS_URL)
    yield steady
    steady.clear()


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> SteadyCache:
    """A cache whose server does not answer."""
    monkeypatch.setattr(SteadyCache, "_resume_at", {})
    return cache_at(NOBODY)


def exercise(cache: SteadyCache) -> list[object]:
    """Use everything that a cache can do."""
    return [
        cache.add("a", [1.5, 2.5], 60),
        cache.add("a", "again", 60),
        cache.get("a"),
        cache.get("nothing", "otherwise"),
        cache.set("n", 1, 60),
        cache.incr("n", 2),
        cache.touch("n", 60),
        cache.has_key("n"),
        cache.set_many({"b": {"x": None}, "c": "中"}, 60),
        cache.get_many(["b", "c", "nothing"]),
        cache.delete("a"),
        cache.delete_many(["b"]),
        cache.get_many(["a", "b", "c"]),
    ]


def test_it_answers_the_same_with_and_without_its_server(cache: SteadyCache, away: SteadyCache) -> None:
    with_server = exercise(cache)
    assert with_server == exercise(away)
    assert with_server[2] == [1.5, 2.5]
    assert with_server[9] == {"b": {"x": None}, "c": "中"}


def test_what_one_process_sets_another_reads(cache: SteadyCache) -> None:
    cache.set("shared", 1)
    assert cache_at(settings.REDIS_URL, cache.key_prefix).get("shared") == 1


def test_clearing_leaves_the_jobs_in_the_same_database_alone(cache: SteadyCache) -> None:
    server = redis.Redis.from_url(settings.REDIS_URL)
    name = f"job-{uuid4()}"
    server.set(name, "waiting")
    cache.set("a", 1)
    cache.clear()
    assert cache.get("a") is None
    assert server.getdel(name) == b"waiting"


def test_a_server_that_does_not_answer_is_left_alone_for_a_while(
    away: SteadyCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    away.set("a", 1)
    away.clear()
    resume_at = SteadyCache._resume_at[NOBODY]
    monkeypatch.setattr("cqia_site.cache.time.monotonic", lambda: resume_at - 0.001)
    away.set("a", 2)
    assert SteadyCache._resume_at[NOBODY] == resume_at
    monkeypatch.setattr("cqia_site.cache.time.monotonic", lambda: resume_at)
    assert away.get("a") == 2
    assert SteadyCache._resume_at[NOBODY] == resume_at + PAUSE_SECONDS


def test_what_is_kept_without_the_server_expires(away: SteadyCache) -> None:
    with time_machine.travel(0, tick=False) as clock:
        away.set("a", 1, 10)
        clock.shift(11)
        assert away.get("a") is None


def test_nothing_that_is_read_can_run(cache: SteadyCache) -> None:
    server = redis.Redis.from_url(settings.REDIS_URL)
    server.set(cache.make_key("pickled"), b"\x80\x05]\x94.")
    with pytest.raises(ValueError, match=r"utf-8|Expecting"):
        cache.get("pickled")
