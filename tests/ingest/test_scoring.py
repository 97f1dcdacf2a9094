"""Scores by rules, and by a model behind a real HTTP server that speaks the protocol."""

from collections.abc import Iterator
from typing import Any

import pytest

from ingest.scoring import FEATURES, GIVES_UP_AFTER, TRIES, Client, Endpoint, Unscored, by_rules, features
from tests.ingest.scoring_server import ScoringServer, scoring_server

QUESTION = "为什么秋天的树叶会变黄？"
ANSWER = (
    "树叶之所以是绿色，是因为里面含有叶绿素。入秋以后气温下降，日照变短，树木不再制造新的叶绿素，原有的也慢慢分解。\n\n"
    "这时，一直藏在叶片里的类胡萝卜素显露出来，树叶便由绿转黄。枫树一类的叶子还会生成花青素，所以看上去是红的。\n\n"
    "落叶本身是树木过冬的办法：叶柄基部长出离层，切断水分的供应，叶子随风落下，树木就能少失水、少受冻。"
    "第二年春天，枝头的芽重新展开，叶绿素再次占据上风，满树又是新绿。"
)


@pytest.fixture
def server() -> Iterator[ScoringServer]:
    with scoring_server() as server:
        yield server


@pytest.fixture
def pauses() -> list[float]:
    return []


def client(server: ScoringServer, pauses: list[float], **more: Any) -> Client:
    options = {"model": "judge", "key": "secret", "per_minute": 600_000, "timeout": 2.0} | more
    return Client(Endpoint(url=server.url, **options), sleep=pauses.append)


def test_good_answer_scores_high_and_the_features_add_up() -> None:
    found = features(QUESTION, ANSWER)
    assert set(found) == set(FEATURES)
    assert sum(FEATURES.values()) == 10
    assert all(0 <= found[name] <= FEATURES[name] for name in FEATURES)
    assert by_rules(QUESTION, ANSWER) == round(sum(found.values()), 1) >= 8


@pytest.mark.parametrize(
    ("output", "feature"),
    [
        ("会变黄。", "length"),
        ("树叶会变黄。" * 60, "variety"),
        (ANSWER.replace("。", "").replace("，", "").replace("：", "").replace("\n", ""), "structure"),
        (ANSWER + "点击查看 https://example.org/a?b=c 扫码关注公众号" * 6, "cleanness"),
        ("晚饭吃面还是吃米饭，我想不出来，只好去问邻居。", "relation"),
        (ANSWER[:-20], "ending"),
    ],
)
def test_poor_answer_loses_where_it_is_poor(output: str, feature: str) -> None:
    good, poor = features(QUESTION, ANSWER), features(QUESTION, output)
    assert poor[feature] < good[feature]
    assert by_rules(QUESTION, output) < by_rules(QUESTION, ANSWER)


@pytest.mark.parametrize("output", ["", " \n", "好", "？？？", "\U0001f600" * 9000, "a" * 100_000])
def test_any_text_has_a_score_within_the_scale(output: str) -> None:
    assert 0 <= by_rules("", output) <= 10


def test_model_is_asked_with_the_prompt_and_its_answer_read(server: ScoringServer, pauses: list[float]) -> None:
    assert client(server, pauses).score("问{output}", "答{instruction}") == 8
    [seen] = server.seen
    assert (seen["path"], seen["model"], seen["temperature"]) == ("/v1/chat/completions", "judge", 0)
    assert seen["messages"][0]["role"] == "system"
    assert "问{output}" in seen["messages"][1]["content"]
    assert "答{instruction}" in seen["messages"][1]["content"]
    assert server.keys == ["Bearer secret"]
    assert pauses == []


@pytest.mark.parametrize(("said", "score"), [("10", 10), ("得分：7", 7), ("7.5分", 7.5), (" 0 ", 0), ("9。9", 9)])
def test_score_is_found_in_what_the_model_says(
    server: ScoringServer, pauses: list[float], said: str, score: float
) -> None:
    server.answers = [said]
    assert client(server, pauses).score("问", "答") == score


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("很好", "no_score"),
        ("7 或 8", "no_score"),
        ("85", "no_score"),
        (b"<html>", "no_answer"),
        (b"{}", "no_answer"),
        (b'{"choices": [{"message": {"content": null}}]}', "no_score"),
        (b"[" * 100_000, "no_answer"),
        (400, "http_400"),
        (401, "http_401"),
        ((302, {"Location": "http://169.254.169.254/"}), "http_302"),
    ],
)
def test_answer_without_a_score_leaves_the_record_unscored(
    server: ScoringServer, pauses: list[float], answer: Any, reason: str
) -> None:
    server.answers = [answer]
    with pytest.raises(Unscored, match=reason):
        client(server, pauses).score("问", "答")
    assert len(server.seen) == 1


@pytest.mark.parametrize("trouble", [429, 500, 503, "drop"])
def test_passing_trouble_is_met_by_trying_again(server: ScoringServer, pauses: list[float], trouble: Any) -> None:
    server.answers = [trouble, trouble, "9"]
    assert client(server, pauses).score("问", "答") == 9
    assert pauses == [1.0, 2.0]


def test_pause_that_the_server_asks_for_is_kept_within_reason(server: ScoringServer, pauses: list[float]) -> None:
    server.answers = [(429, {"Retry-After": "7"}), (503, {"Retry-After": "86400"}), (429, {"Retry-After": "soon"}), "9"]
    assert client(server, pauses).score("问", "答") == 9
    assert pauses == [7.0, 30.0, 4.0]


def test_lasting_trouble_ends_in_giving_up(server: ScoringServer, pauses: list[float]) -> None:
    server.answers = [500]
    asking = client(server, pauses)
    for _record in range(GIVES_UP_AFTER):
        with pytest.raises(Unscored, match="http_500"):
            asking.score("问", "答")
    assert len(server.seen) == GIVES_UP_AFTER * TRIES
    with pytest.raises(Unscored, match="given_up"):
        asking.score("问", "答")
    assert len(server.seen) == GIVES_UP_AFTER * TRIES


def test_server_that_says_nothing_is_not_waited_for(server: ScoringServer, pauses: list[float]) -> None:
    server.shutdown()
    with pytest.raises(Unscored, match="unreachable"):
        client(server, pauses, timeout=0.05).score("问", "答")


def test_answer_without_end_is_cut_off(server: ScoringServer, pauses: list[float]) -> None:
    server.answers = [b" " * (1 << 22)]
    with pytest.raises(Unscored, match="no_answer"):
        client(server, pauses).score("问", "答")


def test_requests_keep_to_the_rate(server: ScoringServer, pauses: list[float]) -> None:
    asking = client(server, pauses, per_minute=60)
    for _record in range(3):
        asking.score("问", "答")
    assert len(pauses) == 2
    assert 0 < pauses[0] <= 1 < pauses[1] <= 2


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "gopher://a/", "//a/v1", "http://", "http://user@a/v1", "http://a/v1?x=1",
        "http://169.254.169.254/v1", "http://[fe80::1]/v1", "http://metadata.google.internal/v1",
    ],
)  # fmt: skip
def test_address_that_cannot_be_meant_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not the address"):
        Endpoint(url=url, model="m")
