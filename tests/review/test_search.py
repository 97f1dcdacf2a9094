"""Searching the texts: what is found, in which order of events, and what the index holds."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from review import search, tasks, unread
from review.models import Record, SearchRun, SearchShelf, SearchText, Source, Unread, User
from review.text import grams
from tests.factories import add_records, approve, candidate, record


def index() -> None:
    while search.index_next():
        pass


def found(words: str) -> list[int]:
    return list(search.matching(Record.objects.all(), words).order_by("pk").values_list("pk", flat=True))


@pytest.fixture(params=["in a run", "loose"])
def kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the texts of a test stand: in an index of their own, or among those that wait for one."""
    if request.param == "in a run":
        monkeypatch.setattr(search, "ENOUGH", 1)
    return str(request.param)


@pytest.fixture(params=[10_000, 0])
def many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """From how many candidates on they are looked at one by one: both ways find the same."""
    monkeypatch.setattr(search, "FEW", request.param)
    return int(request.param)


@pytest.mark.usefixtures("kept", "many")
@pytest.mark.parametrize(
    "words",
    ["玄武", "玄武岩", "玄武岩是岩浆岩", "岩", "Basalt", "basalt", "100%", "%的", "a_b", r"\frac", "🪨石", "  玄武 "],
)
def test_words_are_found_where_they_stand_character_by_character(db: None, words: str) -> None:
    wanted = record(
        instruction="什么是玄武岩？", output=r"玄武岩是岩浆岩，Basalt 含 100%的 a_b 与 \frac{1}{2}，见🪨石。"
    )
    record(instruction="什么是花岗石？", output="它含 100 种 a-b 与 frac，玄色，武器。")
    index()
    assert found(words) == [wanted.pk]


@pytest.mark.usefixtures("kept", "many")
@pytest.mark.parametrize(
    "words", ["岩玄", "玄%岩", "玄_岩", "玄武石", "龘", "x" * 300, "'; DROP TABLE review_record; --", "[岩]"]
)
def test_words_that_stand_nowhere_find_nothing(db: None, words: str) -> None:
    record(instruction="什么是玄武岩？", output="玄武岩是岩浆岩。")
    index()
    assert found(words) == []


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("words", ["", "   ", "\0"])
def test_no_words_leave_the_records_as_they_are(db: None, words: str) -> None:
    one = record()
    assert found(words) == [one.pk]


@pytest.mark.usefixtures("kept", "many")
def test_a_search_narrows_what_is_chosen_already(db: None, ruozhiba: Source) -> None:
    mine, _other = record("ruozhiba", output="玄武岩甲"), record("law-gee", output="玄武岩乙")
    index()
    narrowed = search.matching(Record.objects.filter(source=ruozhiba), "玄武")
    assert list(narrowed) == [mine]
    assert narrowed.count() == 1


@pytest.mark.usefixtures("kept", "many")
def test_a_reworded_record_is_found_by_its_new_words_only(lin: User) -> None:
    one = record(output="玄武岩是岩浆岩。")
    index()
    approve(one, lin, output="花岗石是深成岩。")
    assert search.lag() == 1
    index()
    assert search.lag() == 0
    assert (found("花岗"), found("玄武")) == ([one.pk], [])
    assert SearchText.objects.count() == 1


def test_what_is_not_indexed_yet_is_counted(db: None) -> None:
    add_records("ruozhiba", [candidate() for _number in range(3)])
    assert search.lag() == 3
    index()
    assert search.lag() == 0


def test_few_records_wait_until_there_are_enough_for_a_run(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "ENOUGH", 3)
    for number in range(3):
        record(output=f"玄武岩{number}")
        index()
        assert len(found("玄武")) == number + 1
    assert SearchRun.objects.count() == 1
    assert not SearchText.objects.filter(run=None).exists()
    assert len(found("玄武")) == 3


def test_a_pass_that_fails_leaves_all_of_it_to_the_next(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    one = record(output="玄武岩")
    monkeypatch.setattr(unread.Taken, "done", lambda _taken: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        search.index_next()
    monkeypatch.undo()
    assert (search.lag(), SearchText.objects.count()) == (1, 0)
    index()
    assert found("玄武") == [one.pk]


@pytest.mark.django_db
def test_reading_a_record_twice_changes_nothing() -> None:
    one = record(output="玄武岩")
    unread.note([one.pk])
    tasks.index_texts()
    unread.note([one.pk])
    tasks.index_texts()
    assert found("玄武") == [one.pk]
    assert SearchText.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_second_pass_leaves_the_work_to_the_one_that_is_at_it() -> None:
    record()
    with connection.copy().cursor() as other:  # a connection of its own
        other.execute("BEGIN")
        other.execute("SELECT pg_advisory_xact_lock(%s)", [unread._LOCKS[Unread.Task.SEARCH]])
        assert search.index_next() == 0
        other.execute("ROLLBACK")
        other.connection.close()
    assert search.index_next() == 1


def test_a_run_that_is_mostly_outdated_is_dissolved(db: None, lin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "ENOUGH", 2)
    one, two = record(output="玄武岩甲"), record(output="玄武岩乙")
    index()
    assert search.tidy() == 0
    approve(one, lin, output="花岗石")
    approve(two, lin, output="花岗石头")
    index()
    assert search.tidy() == 1
    assert SearchRun.objects.count() == 1
    assert (found("玄武"), found("花岗")) == ([], [one.pk, two.pk])


@pytest.mark.usefixtures("kept")
def test_what_is_forgotten_stands_in_no_index(db: None) -> None:
    gone, kept = record(output="玄武岩甲"), record(output="玄武岩乙")
    index()
    search.forget([gone.pk])
    assert found("玄武") == [kept.pk]
    assert not SearchText.objects.filter(record=gone).exists()
    assert not SearchShelf.objects.exists()


@pytest.mark.usefixtures("kept")
def test_a_search_asks_a_fixed_number_of_questions(db: None) -> None:
    add_records("ruozhiba", [candidate(output=f"玄武岩{number}") for number in range(20)])
    index()
    with CaptureQueriesContext(connection) as asked:
        assert len(found("玄武岩")) == 20
    assert len(asked) <= 5


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.text(st.sampled_from("甲乙丙丁a%"), min_size=0, max_size=12), min_size=1, max_size=9),
    data=st.data(),
)
def test_the_index_loses_no_text_that_holds_the_words(texts: list[str], data: st.DataObject) -> None:
    held = data.draw(st.sampled_from(texts))
    start = data.draw(st.integers(0, len(held)))
    words = held[start : start + data.draw(st.integers(1, 5))]
    shelves = dict(grams.shelves(texts))
    places: set[int] = set(range(len(texts)))
    for gram in grams.grams(words) if words else []:
        here = grams.places_of(gram, shelves[grams.shelf_of(gram)])
        here = grams.whole_blocks(here, len(texts)) if len(words) == 1 else here
        places &= set(map(int, here))
    assert {place for place, text in enumerate(texts) if words in text} <= places
