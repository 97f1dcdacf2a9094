"""Sending a small message to an address that somebody else chose, without reaching anything inside.

The name is resolved once, every address that it gives must be public, and the connection goes to the very address that
was checked: a name that is resolved anew, or an answer that points elsewhere, changes nothing. Redirects are not
followed, the whole exchange ends after ten seconds, and nothing of the answer but its status is kept.
"""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from threading import Timer
from urllib.parse import SplitResult, urlsplit

SECONDS = 10.0
PORTS = {80, 443, 8080, 8443}
MAX_CHARACTERS = 500
TRANSLATED = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10")))
"""What reaches IPv4, or a site, by way of IPv6: never public, whatever it embeds."""

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Unsendable(Exception):  # noqa: N818  what the message is
    """It did not arrive. The reason is one of a few words that tell nothing about what is there."""


def split(address: str) -> SplitResult:
    """Return the parts of an address that may be sent to as far as its wording tells; `Unsendable` otherwise."""
    try:
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Unsendable("address") from error
    is_plain = address.isascii() and address.isprintable() and " " not in address and "\\" not in address
    if not is_plain or len(address) > MAX_CHARACTERS or parts.scheme not in {"http", "https"}:
        raise Unsendable("address")
    if not parts.hostname or "@" in parts.netloc or parts.fragment or port not in PORTS:
        raise Unsendable("address")
    return parts


def is_public(ip: Address) -> bool:
    """Tell whether an address is one of the open internet."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return False
        if any(ip in network for network in TRANSLATED):
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def post(address: str, body: bytes, headers: Mapping[str, str]) -> int:
    """Send `body` to an address and return the status of the answer; `Unsendable` when there is none."""
    parts = split(address)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    ip = _checked(str(parts.hostname), port)
    connection = _Pinned(str(parts.hostname), port, ip, is_secret=parts.scheme == "https")
    watch = Timer(SECONDS, connection.cut)
    watch.daemon = True
    watch.start()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, dict(headers) | {"Connection": "close"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unsendable("no answer") from error
    finally:
        watch.cancel()
        connection.close()


def _checked(host: str, port: int) -> Address:
    """Return the address to connect to; every one that the name has must be public."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    except (OSError, ValueError, UnicodeError) as error:
        raise Unsendable("no such host") from error
    if not addresses or not all(map(is_public, addresses)):
        raise Unsendable("not a public address")
    return addresses[0]


class _Pinned(http.client.HTTPConnection):
    """A connection to one address, whatever its host's name resolves to by now."""

    def __init__(self, host: str, port: int, ip: Address, *, is_secret: bool) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self._ip = str(ip)
        self._is_secret = is_secret

    def connect(self) -> None:
        """Connect to the address that was checked."""
        self.sock = socket.create_connection((self._ip, self.port), self.timeout)
        if self._is_secret:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)

    def cut(self) -> None:
        """End the exchange, however far it is."""
        with suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)
