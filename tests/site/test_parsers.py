"""Bodies of the API that no parser should have to meet: refused with a reason, never a failure."""

from collections.abc import Mapping
from typing import Any

import pytest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView


class Echo(APIView):
    """Answers with what it was sent, read by the default parsers."""

    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> Response:
        return Response({"sent": request.data})


def send(body: bytes, content_type: str = "application/json") -> Response:
    request = APIRequestFactory().generic("POST", "/", body, content_type)
    response: Response = Echo.as_view()(request).render()
    return response


@pytest.mark.parametrize(
    "body",
    [
        b" ",
        b"nothing",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": "\\ud800"}',
        b'{"a": "\\u0000"}',
        b'{"a": 1e999}',
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b'{"a": "\xff"}',
        '{"a": "中"}'.encode("utf-16"),
        '{"a": "中"}'.encode("gb18030"),
        b'"' + b"a" * (1 << 20) + b'"',
        b"1" * 5000,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_54_what_is_not_clean_json_is_refused_with_a_reason(body: bytes) -> None:
    response = send(body)
    assert response.status_code == 400
    assert response["Content-Type"] == "application/json"
    assert str(response.data["detail"])


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=gbk", 'application/json; charset="utf-16"', "text/html", "application/xml", "", "x"],
)
def test_54_another_encoding_or_kind_of_body_is_not_taken(content_type: str) -> None:
    assert send(b'{"a": 1}', content_type).status_code == 415


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": "\xe4\xb8\xad", "b": [1, null]}', {"a": "中", "b": [1, None]}),
        (b"7", 7),
        (b'{"n": 123456789012345678901234567890}', {"n": 123456789012345678901234567890}),
    ],
)
def test_clean_json_comes_through_unchanged(body: bytes, value: Mapping[str, Any]) -> None:
    for content_type in ("application/json", "application/json; charset=UTF-8"):
        assert send(body, content_type).data == {"sent": value}
