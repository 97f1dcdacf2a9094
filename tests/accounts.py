"""Signing in as people do: through the pages, with password and code."""

import hmac
import re
import struct
import time
from base64 import b32decode
from typing import Any

from django.http import HttpResponse
from django.test import Client

from review.models import User

PASSWORD = "长风破浪会有时，直挂云帆"
STEP = 30


def give_password(person: User, password: str = PASSWORD) -> User:
    person.set_password(password)
    person.save(update_fields=["password"])
    return person


def sign_in(client: Client, login: str, password: str = PASSWORD, **extra: Any) -> Any:
    """Answer the sign-in page."""
    return client.post("/account/login/", {"login": login, "password": password}, **extra)


def signed_in(person: User, **extra: Any) -> Client:
    """A client in which the person, who has the password of these tests, has signed in through the page."""
    client = Client(**extra)
    answer = sign_in(client, person.username)
    assert answer.status_code == 302, answer.content.decode()
    return client


def confirm(client: Client, password: str = PASSWORD) -> Any:
    """Say the password once more, as is asked before the second step is changed."""
    return client.post("/account/confirm/", {"password": password})


def code_now(secret: str, *, steps: int = 0) -> str:
    """The code that an authenticator app shows at this moment, or `steps` of 30 seconds later (RFC 6238)."""
    counter = struct.pack(">Q", int(time.time()) // STEP + steps)
    digest = hmac.digest(b32decode(secret), counter, "sha1")
    start = digest[-1] & 0x0F
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**6:06}"


def set_up_second_step(client: Client) -> str:
    """Set up an authenticator app; return its secret."""
    confirm(client)
    page = text_of(client.get("/account/second-step/app/activate/"))
    shown = re.search(r'class="secret">([A-Z2-7]+)<', page)
    assert shown, page
    answer = client.post("/account/second-step/app/activate/", {"code": code_now(shown[1])})
    assert answer.status_code == 302, text_of(answer)
    return shown[1]


def text_of(response: HttpResponse) -> str:
    return response.content.decode()
