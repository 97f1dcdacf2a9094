"""Log lines stay one line each, say to which request they belong, and can be JSON."""

import json
import logging

import pytest
from django.test import Client

from cqia_site import logs


def made(text: str) -> logging.LogRecord:
    return logging.LogRecord("cqia", logging.WARNING, __file__, 1, "%s", (text,), None)


def test_38_text_of_others_begins_no_line_and_steers_no_terminal() -> None:
    line = logs.Line("%(levelname)s%(ids)s %(message)s").format(made("a\n\x1b[31mERROR forged\u2028\x85"))
    assert line == "WARNING a\\x0a\\x1b[31mERROR forged\\x2028\\x85"


def test_a_line_carries_the_ids_of_what_is_done() -> None:
    token = logs.current.set({"request_id": "abc"})
    try:
        assert logs.Line("%(levelname)s%(ids)s %(message)s").format(made("x")) == "WARNING request_id=abc x"
        said = json.loads(logs.Json().format(made("x\ny")))
    finally:
        logs.current.reset(token)
    assert (said["request_id"], said["message"], said["level"]) == ("abc", "x\ny", "WARNING")
    assert "\n" not in logs.Json().format(made("x\ny"))


@pytest.mark.parametrize(
    ("given", "is_kept"), [("trace-0123456789", True), ("x\r\nSet-Cookie: a", False), ("短", False)]
)
def test_an_answer_names_its_request(given: str, *, is_kept: bool) -> None:
    answer = Client().get("/healthz", headers={"x-request-id": given})
    assert (answer["X-Request-Id"] == given) is is_kept
    assert len(answer["X-Request-Id"]) >= 8
