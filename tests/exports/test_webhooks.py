"""Webhooks: what is told, signed and tried again, and what is never reached."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from exports import publishing, sending, webhooks
from exports.models import Delivery, Event, Release, Webhook
from review.models import Record, Takedown, TakedownStep, User
from review.refused import Refused
from tests.exports.conftest import Approved, built
from tests.exports.test_cutting import take_down
from tests.faults.processes import until

pytestmark = [pytest.mark.django_db, pytest.mark.core, pytest.mark.usefixtures("whole_site")]

KINDS = list(Webhook.Kind.values)


class Receiver(HTTPServer):
    """A program that is told; it answers with `status` after `pause` seconds a byte."""

    status = 200
    location = ""
    drip = 0.0
    endless = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        if self.server.drip:
            for _ in range(100):
                self.wfile.write(b"H")
                time.sleep(self.server.drip)
            return
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        while self.server.endless:
            self.wfile.write(bytes(65536))

    def log_message(self, *_args: object) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver that counts as a public one under the name `receiver.example`."""
    server = Receiver()
    port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(sending, "is_public", lambda ip: str(ip) == "127.0.0.1")
    monkeypatch.setattr(sending, "PORTS", {80, 443, port})
    monkeypatch.setattr(socket, "getaddrinfo", resolver({"receiver.example": "127.0.0.1"}))
    yield server
    server.endless = False
    server.shutdown()
    thread.join()
    server.server_close()


def resolver(names: dict[str, str]) -> Callable[..., list[Any]]:
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **more: Any) -> list[Any]:
        return real(names.get(host, host), port, *args, **more)

    return resolve


def told(receiver: Receiver, by: User, **said: Any) -> Webhook:
    address = f"http://receiver.example:{receiver.server_address[1]}/hook?x=1"
    return webhooks.add(by=by, address=address, kinds=said.get("kinds", KINDS))


def again() -> None:
    """Let the time until the next attempt pass."""
    Delivery.objects.filter(state="waiting").update(next_at=timezone.now())


def test_published_release_is_told_signed(approved: Approved, gao: User, receiver: Receiver) -> None:
    webhook = told(receiver, gao)
    approved(2)
    publishing.publish(built(), by=gao)
    assert webhooks.deliver() == 1
    ((headers, body),) = receiver.got
    said = json.loads(body)
    told_of = said["release"]
    assert (said["event"], told_of["version"], told_of["state"]) == ("release.published", "v1", "published")
    at, _comma, signed = headers["X-CQIA-Signature"].removeprefix("t=").partition(",v1=")
    assert abs(int(at) - time.time()) < 60
    assert signed == webhooks.signature(webhooks.secret(webhook), int(at), body)
    assert signed != webhooks.signature(webhooks.secret(webhook), int(at) + 1, body)
    assert webhooks.deliver() == 0
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.error) == ("delivered", 1, "")


def test_each_event_is_told_once_to_those_who_want_it(approved: Approved, gao: User, receiver: Receiver) -> None:
    told(receiver, gao)
    told(receiver, gao, kinds=["release.withdrawn"])
    approved(2)
    release = publishing.publish(built(), by=gao)
    take_down(Record.objects.filter(pk=Record.objects.order_by("pk")[0].pk))
    takedown = Takedown.objects.get()
    TakedownStep.objects.create(takedown=takedown, state="confirmed", matches=1, sha256=bytes(32))
    assert publishing.watch() == 2
    assert publishing.watch() == 0
    publishing.withdraw(release, by=gao, reason="有误")
    assert list(Event.objects.order_by("pk").values_list("kind", flat=True)) == [
        *("release.published", "release.suspended", "records.taken_down", "release.withdrawn")
    ]
    assert Delivery.objects.count() == 5
    assert webhooks.deliver() == 5
    bodies = [json.loads(body) for _headers, body in receiver.got]
    assert {body["takedown"] for body in bodies if body["event"] == "records.taken_down"} == {takedown.pk}
    assert {body["release"]["reason"] for body in bodies if body["event"] == "release.withdrawn"} == {"有误"}


@pytest.mark.django_db(transaction=True)
def test_what_two_workers_put_down_at_the_same_moment_is_told_once(approved: Approved, gao: User) -> None:
    webhooks.add(by=gao, address="https://example.com/hook", kinds=KINDS)
    approved(1)
    take_down(Record.objects.all())
    TakedownStep.objects.create(takedown=Takedown.objects.get(), state="confirmed", matches=1, sha256=bytes(32))

    def other() -> int:
        try:
            return publishing.watch()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert publishing.watch() == 1
            waiting = pool.submit(other)
            until(waits_for_a_row)
        assert waiting.result() == 0
    assert (Event.objects.count(), Delivery.objects.count()) == (1, 1)


def waits_for_a_row() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted)")
        return bool(cursor.fetchone()[0])


def test_failed_delivery_is_tried_again_then_given_up_then_replayed(
    approved: Approved, gao: User, receiver: Receiver
) -> None:
    told(receiver, gao)
    receiver.status = 500
    approved(1)
    publishing.publish(built(), by=gao)
    waits = []
    for _attempt in range(len(webhooks.PAUSES) + 1):
        assert webhooks.deliver() == 0
        delivery = Delivery.objects.get()
        waits.append(delivery.next_at - timezone.now())
        assert webhooks.deliver() == 0
        again()
    assert (delivery.state, delivery.error, delivery.attempts) == ("failed", "HTTP 500", len(webhooks.PAUSES) + 1)
    assert all(one < other for one, other in pairwise(waits[:-1]))
    receiver.status = 204
    webhooks.replay(delivery, by=gao)
    assert webhooks.deliver() == 1
    assert len({body for _headers, body in receiver.got}) == 1


def test_killed_sender_leaves_the_delivery_to_the_next(
    approved: Approved, gao: User, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(receiver, gao)
    approved(1)
    publishing.publish(built(), by=gao)
    with monkeypatch.context() as patch:
        patch.setattr(sending, "post", lambda *_args: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            webhooks.deliver()
    assert webhooks.deliver() == 0
    again()
    assert webhooks.deliver() == 1


def test_webhook_that_is_switched_off_is_told_nothing(approved: Approved, gao: User, receiver: Receiver) -> None:
    webhook = told(receiver, gao)
    approved(1)
    publishing.publish(built(), by=gao)
    webhooks.switch_off(webhook, by=gao)
    assert webhooks.deliver() == 0
    with pytest.raises(Refused, match="switched off"):
        webhooks.replay(Delivery.objects.get(), by=gao)


REFUSED_BY_WORDING = (
    *("file:///etc/passwd", "gopher://a.example/", "ftp://a.example/", "http://u@h.example/", "http://u:p@h.example/"),
    *("http://a.example:22/", "http://a.example:99999/", "http://", "", "a.example", "javascript:x", "//a.example/"),
    *(
        "http://a.example/\r\nX: y",
        "http://a example/",
        "http://[::1",
        "http://a.example\\@127.0.0.1/",
        "http://例子.测试/",
    ),
    f"http://a.example/{'x' * 500}",
)
PRIVATE = (
    *("http://127.0.0.1/", "http://0/", "http://0.0.0.0/", "http://2130706433/", "http://0x7f.1/", "http://127.1/"),
    *("http://[::1]/", "http://[::]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
    *("http://[64:ff9b::7f00:1]/", "http://[64:ff9b::808:808]/", "http://[2002:7f00:1::]/", "http://[fe80::1]/"),
    *("http://[fd00::1]/", "http://[ff02::1]/", "http://169.254.169.254/", "http://100.64.0.1/", "http://10.0.0.1/"),
    *(
        "http://192.168.0.1/",
        "http://172.16.0.1/",
        "http://198.18.0.1/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
    ),
    *("http://localhost/", "http://localhost./", "http://LOCALHOST:8080/"),
)


@pytest.mark.parametrize("address", REFUSED_BY_WORDING)
def test_62_address_that_is_none_of_the_web_is_refused(gao: User, address: str) -> None:
    with pytest.raises(Refused):
        webhooks.add(by=gao, address=address, kinds=KINDS)
    with pytest.raises(sending.Unsendable, match="address"):
        sending.post(address, b"{}", {})


@pytest.mark.parametrize("address", PRIVATE)
def test_62_private_address_is_never_reached(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_args: pytest.fail("it was reached"))
    with pytest.raises(sending.Unsendable, match=r"not a public address|no such host"):
        sending.post(address, b"{}", {})


def test_62_name_that_stands_for_a_private_address_is_never_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those of services that put the address into the name."""
    monkeypatch.setattr(socket, "create_connection", lambda *_args: pytest.fail("it was reached"))
    monkeypatch.setattr(socket, "getaddrinfo", resolver({"127.0.0.1.xip.example": "127.0.0.1"}))
    with pytest.raises(sending.Unsendable, match="not a public address"):
        sending.post("http://127.0.0.1.xip.example/", b"{}", {})


def test_62_one_private_address_among_several_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_args: pytest.fail("it was reached"))
    found = [(2, 1, 6, "", (ip, 80)) for ip in ("93.184.216.34", "127.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: found)
    with pytest.raises(sending.Unsendable, match="not a public address"):
        sending.post("http://a.example/", b"{}", {})


def test_62_name_that_changes_after_the_check_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebinding resolver: the connection goes to the address that was checked."""
    answers = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])
    reached: list[object] = []

    def connect(address: object, *_args: object) -> None:
        reached.append(address)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: [(2, 1, 6, "", (next(answers), 80))])
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(sending.Unsendable, match="no answer"):
        sending.post("http://a.example/", b"{}", {})
    assert reached == [("93.184.216.34", 80)]


def test_62_redirect_is_not_followed(approved: Approved, gao: User, receiver: Receiver) -> None:
    told(receiver, gao)
    receiver.status, receiver.location = 302, "http://127.0.0.1:22/"
    approved(1)
    publishing.publish(built(), by=gao)
    assert webhooks.deliver() == 0
    assert (len(receiver.got), Delivery.objects.get().error) == (1, "HTTP 302")


def test_62_answer_that_drips_is_cut(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "SECONDS", 0.5)
    receiver.drip = 0.1
    began = time.monotonic()
    with pytest.raises(sending.Unsendable, match="no answer"):
        sending.post(f"http://receiver.example:{receiver.server_address[1]}/", b"{}", {})
    assert time.monotonic() - began < 5


def test_62_endless_answer_is_not_read(receiver: Receiver) -> None:
    receiver.endless = True
    began = time.monotonic()
    assert sending.post(f"http://receiver.example:{receiver.server_address[1]}/", b"{}", {}) == 200
    assert time.monotonic() - began < 5


def test_public_addresses_are_public() -> None:
    import ipaddress  # noqa: PLC0415

    assert all(sending.is_public(ipaddress.ip_address(ip)) for ip in ("93.184.216.34", "2606:4700::1111"))


def test_manager_adds_replays_and_switches_off_by_page(client: Client, approved: Approved, gao: User) -> None:
    client.force_login(gao)
    answer = client.post("/exports/webhooks/add/", {"address": "https://hook.example/x", "kinds": KINDS})
    assert answer.status_code == 303
    webhook = Webhook.objects.get()
    approved(1)
    publishing.publish(built(), by=gao)
    delivery = Delivery.objects.get()
    Delivery.objects.update(state="failed", error="HTTP 500", attempts=8)
    text = client.get("/exports/webhooks/").content.decode()
    assert "https://hook.example/x" in text
    assert "HTTP 500" in text
    assert webhooks.secret(webhook) in text
    client.post(f"/exports/webhooks/deliveries/{delivery.pk}/replay/")
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("waiting", 0)
    client.post(f"/exports/webhooks/{webhook.pk}/switch-off/")
    webhook.refresh_from_db()
    assert not webhook.is_active


@pytest.mark.parametrize("address", ["file:///etc/passwd", "http://u@h.example/"])
def test_page_refuses_an_address_and_keeps_what_was_typed(client: Client, gao: User, address: str) -> None:
    client.force_login(gao)
    answer = client.post("/exports/webhooks/add/", {"address": address, "kinds": KINDS})
    assert answer.status_code == 422
    assert address in answer.content.decode()
    assert not Webhook.objects.exists()
    assert Release.objects.count() == 0
