"""Quality scores from 0 to 10: by rules, without any network, or by a model behind an OpenAI-compatible address.

The score by rules is the sum of six features, each of which can be read off the text:

========== ====== ==============================================================================
length      2.5   characters of the answer: rises to 400, falls slowly beyond 4,000
variety     2.5   how many of its pairs of characters are different ones
structure   1.5   sentences of readable length, in paragraphs
cleanness   1.5   the share of what is neither a link nor a leftover of a web page
relation    1.0   how much of the question's wording comes back in the answer
ending      1.0   whether it ends like a finished text
========== ====== ==============================================================================
"""

import json
import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

BEST, BY_RULES = 10, "rules"
FEATURES = {"length": 2.5, "variety": 2.5, "structure": 1.5, "cleanness": 1.5, "relation": 1.0, "ending": 1.0}

FULL_LENGTH, LONG = 400, 4000
SAMPLED = 4000
"""Characters of an answer that are looked at."""
USUAL_SENTENCE = (5, 80)
PROMPT: Mapping[str, str] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
"""What the model is told, as data; `{instruction}` and `{output}` are filled in."""
SHOWN_CHARACTERS = 6000
"""Characters of a text that the model is shown."""
ANSWER_BYTES = 1 << 16
TRIES = 4
LONGEST_PAUSE = 30.0
GIVES_UP_AFTER = 5
"""Records in a row that could not be scored; then the address is not asked again."""

_LEFTOVER = re.compile(r"https?://\S+|<[^<>]{1,200}>|&[a-z]{2,8};|\[图片\]|点击查看|阅读全文|扫码|公众号")
_SENTENCE_END = re.compile(r"[。！？!?；;\n]+")
_ENDING = re.compile(r"[。！？!?…”’」』）)\]】》`~.]\s*\Z")
_NUMBER = re.compile(r"(?<![\d.])(10(?:\.0+)?|\d(?:\.\d+)?)(?![\d.]*\d)")


def by_rules(instruction: str, output: str) -> float:
    """Return the score by rules, to one decimal; 0 for an empty answer."""
    return round(sum(features(instruction, output).values()), 1)


def features(instruction: str, output: str) -> dict[str, float]:
    """Return what each feature contributes to the score by rules."""
    text = output.strip()
    if not text:
        return dict.fromkeys(FEATURES, 0.0)
    sample = text[:SAMPLED]
    shares = {
        "length": _length(len(text)),
        "variety": _variety(sample),
        "structure": _structure(sample),
        "cleanness": max(0.0, 1 - 5 * sum(map(len, _LEFTOVER.findall(sample))) / len(sample)),
        "relation": _relation(instruction, sample),
        "ending": float(bool(_ENDING.search(text[-8:]))),
    }
    return {name: weight * shares[name] for name, weight in FEATURES.items()}


def _length(characters: int) -> float:
    if characters <= LONG:
        return min(1.0, math.log1p(characters) / math.log1p(FULL_LENGTH))
    return max(0.5, 1 - math.log2(characters / LONG) / 4)


def _pairs(text: str) -> list[str]:
    return [text[place : place + 2] for place in range(len(text) - 1)]


def _variety(text: str) -> float:
    """Tell how much of the text is new; a longer text may repeat more."""
    pairs = _pairs(text)
    return min(1.0, len(set(pairs)) / len(pairs) * (1 + len(pairs) / SAMPLED) / 0.85) if pairs else 0.0


def _structure(text: str) -> float:
    sentences = [sentence for sentence in _SENTENCE_END.split(text) if sentence.strip()]
    shortest, longest = USUAL_SENTENCE
    usual = sum(shortest <= len(sentence) <= longest for sentence in sentences) / max(len(sentences), 1)
    has_paragraphs = "\n" in text.strip() or len(text) < FULL_LENGTH
    return 0.7 * usual + 0.3 * has_paragraphs


def _relation(question: str, answer: str) -> float:
    asked = set(_pairs(question[:200]))
    return min(1.0, 3 * sum(pair in answer for pair in asked) / len(asked)) if asked else 0.0


class Unscored(Exception):  # noqa: N818  what became of the record
    """No score was to be had; the first argument is the reason in a word."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible address: `url` ends before `/chat/completions`. Refuses what cannot be meant.

    Whoever sets it decides where texts are sent, so other machines of one's own network are allowed. The address that
    clouds keep their secrets under, redirects and user names in the address are not.
    """

    url: str
    model: str
    key: str = ""
    per_minute: int = 60
    timeout: float = 30.0
    parallel: int = 4

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise ValueError(f"not the address of a model: {self.url}")
        if _is_link_local(parts.hostname):
            raise ValueError(f"not the address of a model: {self.url}")


def _is_link_local(host: str) -> bool:
    try:
        return ip_address(host).is_link_local
    except ValueError:
        return host.lower().rstrip(".").endswith((".internal", ".localdomain"))


class Client:
    """Asks a model for scores; several threads may share it."""

    def __init__(self, endpoint: Endpoint, *, sleep: Callable[[float], object] = time.sleep) -> None:
        self.endpoint = endpoint
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = 0.0
        self._failures = 0
        headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
        self._http = httpx.Client(timeout=endpoint.timeout, headers=headers, follow_redirects=False, trust_env=False)

    def score(self, instruction: str, output: str) -> float:
        """Return the score of a record. Raises Unscored after several tries, or when the answer holds no score."""
        if self._failures >= GIVES_UP_AFTER:
            raise Unscored("given_up")
        try:
            score = self._asked(instruction, output)
        except Unscored:
            self._failures += 1
            raise
        self._failures = 0
        return score

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def _asked(self, instruction: str, output: str) -> float:
        body = self._body(instruction, output)
        for attempt in range(1, TRIES + 1):
            self._wait_for_turn()
            try:
                status, pause, answer = self._post(body)
            except (httpx.HTTPError, httpx.InvalidURL):
                status, pause, answer = 0, 0.0, b""
            if status == httpx.codes.OK:
                return _read(answer)
            if status and status != httpx.codes.TOO_MANY_REQUESTS and status < httpx.codes.INTERNAL_SERVER_ERROR:
                raise Unscored(f"http_{status}")
            if attempt < TRIES:
                self._sleep(min(LONGEST_PAUSE, max(pause, 0.5 * 2**attempt)))
        raise Unscored(f"http_{status}" if status else "unreachable")

    def _body(self, instruction: str, output: str) -> dict[str, Any]:
        shown = {"{instruction}": instruction[:SHOWN_CHARACTERS], "{output}": output[:SHOWN_CHARACTERS]}
        user = re.sub(r"\{(?:instruction|output)\}", lambda slot: shown[slot[0]], PROMPT["user"])
        messages = [{"role": "system", "content": PROMPT["system"]}, {"role": "user", "content": user}]
        return {"model": self.endpoint.model, "messages": messages, "temperature": 0, "max_tokens": 16}

    def _wait_for_turn(self) -> None:
        """Keep to the rate: one request after the other, evenly."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + 60 / self.endpoint.per_minute
        if turn > now:
            self._sleep(turn - now)

    def _post(self, body: Mapping[str, Any]) -> tuple[int, float, bytes]:
        """Return status, the pause asked for in seconds, and the beginning of the answer."""
        url = f"{self.endpoint.url.rstrip('/')}/chat/completions"
        with self._http.stream("POST", url, json=body) as response:
            answer = bytearray()
            for block in response.iter_bytes():
                answer += block
                if len(answer) > ANSWER_BYTES:
                    break
            asked = response.headers.get("Retry-After", "")
            return response.status_code, float(asked) if asked.isascii() and asked.isdecimal() else 0.0, bytes(answer)


def _read(answer: bytes) -> float:
    """Read the score out of what the model said."""
    try:
        said = json.loads(answer)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise Unscored("no_answer") from None
    found = _NUMBER.findall(said) if isinstance(said, str) else []
    if len(set(found)) != 1:
        raise Unscored("no_score")
    return float(found[0])
