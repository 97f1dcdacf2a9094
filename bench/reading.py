"""The passes behind an import, and the list that is read from what they make: the same work as its users ask for."""

import random
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from time import perf_counter

from django.contrib.auth.models import Group
from django.test import Client
from rensa import RMinHash

from review import duplicates, sealing, search, tracing
from review.models import Record, Role, SearchText, User
from review.text.diff import opcodes
from review.text.minhash import SHINGLE, squeezed
from review.tracing import Asked

LIST, NUMBER, DASHBOARD = "/review/records/", "/review/records/number/?", "/admin/"
DASHBOARDS = 40
LONGEST, EDITS = 25_000, 100
SIGNED, PAGES, PAIRS, REQUESTS = 3_000, 5, 20, 7
NAME = 3
"""Characters of an author's name."""
PERMUTATIONS, SEED = 128, 42
FILTERS = (
    "",
    "state=waiting",
    "state=approved",
    "state=rejected",
    "source=zhihu",
    "source=zhihu&state=approved",
    "licence=CC0-1.0",
    "reach=every",
    "major=问答",
    "domain=百科",
    "answer_from=human",
    "shortest=3000",
    "near=on",
    "reviewer=mei",
    "verified=no",
)


def floor_signatures() -> float:
    """Return how many texts a second the library itself signs, shingled in Python, in the way that it documents."""
    texts = Record.objects.order_by("pk").values_list("revision__instruction", "revision__input", "revision__output")
    whole = [squeezed(*text) for text in texts[:SIGNED]]
    started = perf_counter()
    for text in whole:
        signature = RMinHash(num_perm=PERMUTATIONS, seed=SEED)
        signature.update([text[start : start + SHINGLE] for start in range(len(text) - SHINGLE + 1)])
        signature.digest()
    return len(whole) / (perf_counter() - started)


def search_pass() -> float:
    """Index all that came in and return how many records a second that were."""
    return _drained(search.index_next, search.lag())


def near_duplicate_pass() -> float:
    """Sign, compare and check all that came in, and return how many records a second that were."""
    return _drained(duplicates.find_next, duplicates.lag())


def _drained(step: Callable[[], int], waiting: int) -> float:
    started = perf_counter()
    while step():
        pass
    return waiting / (perf_counter() - started)


def list_pages() -> float:
    """Return the milliseconds within which 95 of 100 pages of 100 records come, under each filter, near and deep.

    They are asked for twice: the first time a server that has just started touches its memory.
    """
    client, draw = _manager(), random.Random(SEED)
    highest = Record.objects.order_by("-pk").values_list("pk", flat=True)[0]
    places = [f"after={draw.randrange(1, highest)}" for _page in range(PAGES - 1)]
    pages = [f"{asked}&{place}" for asked in FILTERS for place in ("", *places)]
    for _time in range(2):
        waits = [_milliseconds(client, page) for page in pages]
    return _slow(waits)


def numbers() -> float:
    """Return the milliseconds within which 95 of 100 numbers of records come: what a list asks for once it is shown."""
    client = _manager()
    return _slow([_milliseconds(client, asked, NUMBER) for _time in range(2) for asked in FILTERS])


def searches() -> float:
    """Return the milliseconds within which 95 of 100 searches for two characters come, alone and under a filter."""
    client, draw = _manager(), random.Random(SEED)
    return _slow(
        [_milliseconds(client, f"q={pair}{also}") for pair in _pairs(draw) for also in ("", "&state=approved")]
    )


def _pairs(draw: random.Random) -> Iterator[str]:
    highest = SearchText.objects.order_by("-pk").values_list("pk", flat=True)[0]
    for _pair in range(PAIRS):
        text = (
            SearchText.objects.filter(pk__gte=draw.randrange(1, highest))
            .order_by("pk")
            .values_list("text", flat=True)[0]
        )
        start = draw.randrange(len(text) - 1)
        yield text[start : start + 2]


def seals() -> float:
    """Return how many rows of the history a second are sealed: all that waits."""
    waiting, started = sealing.waiting(), perf_counter()
    assert sealing.seal() == waiting
    return waiting / (perf_counter() - started)


def takedowns() -> float:
    """Return the milliseconds within which 95 of 100 requests are looked for: by passage, author and address."""
    draw, waits = random.Random(SEED), []
    for stretch in _stretches(draw):
        name = "".join(stretch.split())[:NAME]
        for asked in (Asked(passages=(stretch,)), Asked(authors=(name,)), Asked(addresses=(stretch,))):
            started = perf_counter()
            tracing.find(asked)
            waits.append(1000 * (perf_counter() - started))
    return _slow(waits)


def dashboards() -> float:
    """Return the milliseconds within which 95 of 100 dashboards come, asked for again and again."""
    client = _manager()
    return _slow([_milliseconds(client, "", DASHBOARD) for _page in range(DASHBOARDS)])


def diffs() -> float:
    """Return the milliseconds within which 95 of 100 texts of 25,000 characters are compared with 100 edits each."""
    draw, waits = random.Random(SEED), []
    for _pair in range(PAIRS):
        before = "".join(chr(draw.randrange(0x4E00, 0x5E00)) for _character in range(LONGEST))
        after = list(before)
        for _edit in range(EDITS):
            after[draw.randrange(LONGEST)] = draw.choice(["改", "", "多了几个字"])
        started = perf_counter()
        opcodes(before, "".join(after))
        waits.append(1000 * (perf_counter() - started))
    return _slow(waits)


def _stretches(draw: random.Random) -> Iterator[str]:
    highest = SearchText.objects.order_by("-pk").values_list("pk", flat=True)[0]
    for _stretch in range(REQUESTS):
        of_one = SearchText.objects.filter(pk__gte=draw.randrange(1, highest)).order_by("pk")
        yield of_one.values_list("text", flat=True)[0][-40:-10]


def _manager() -> Client:
    user, _created = User.objects.get_or_create(username="gao")
    user.groups.set(Group.objects.filter(name=Role.MANAGER))
    User.objects.filter(pk=user.pk).update(is_staff=True)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    client.get(LIST)  # what a process reads once: templates, translations
    return client


def _milliseconds(client: Client, query: str, page: str = f"{LIST}?size=100&") -> float:
    started = perf_counter()
    answer = client.get(f"{page}{query}")
    assert answer.status_code == HTTPStatus.OK, query
    return 1000 * (perf_counter() - started)


def _slow(waits: Sequence[float]) -> float:
    return sorted(waits)[int(0.95 * len(waits))]
