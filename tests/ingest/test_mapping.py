"""Mappings: what each form of a value makes of a record, what is refused and where, and how they are kept and used."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import translation

from ingest import mappings
from ingest.document import NO_METADATA, Document
from ingest.mapping import JSON_FAULTS, MAPPING_FAULTS, TARGETS, BadMapping, FieldMapping, parsed, proposed, read
from ingest.models import Job, Mapping
from ingest.preview import SHOWN_FIELDS
from ingest.readers import READERS
from review.models import Record, Source, User
from review.refused import Refused
from review.text.faults import Fault
from review.text.strict import Malformed
from tests.ingest.importing import counts, imported
from tests.ingest.pages import sent, signed_in, text, upload
from tests.ingest.test_odd_values import VALUES

RECORD = {
    "问": {"标题": "竹子开花吗？", "说明": "老家的竹林今年变黄了。"},
    "答": "<p>会，<b>一生</b>一次。</p>",
    "标签": ["植物", "竹子", "植物"],
    "编号": 7,
    "note": None,
}
SPEC = {
    "instruction": {"join": ["问.标题", "问.说明"]},
    "output": {"markdown": "答"},
    "domain": {"list": [{"constant": "科普"}, "标签"]},
    "metadata": {"metadata": {"qid": "编号", "missing": "note"}},
    "answer_from": {"constant": "human"},
    "external_id": "编号",
}


def applied(spec: dict[str, Any], record: dict[str, Any] = RECORD, name: str = "entries") -> Document:
    mapping = parsed(spec)
    data = json.dumps(record, ensure_ascii=False).encode()
    (found,) = READERS[name].read(io.BytesIO(data), change=mapping.applied)
    assert isinstance(found, Document), found
    return found


def test_every_form_of_a_value() -> None:
    found = applied(SPEC)
    assert found.instruction == "竹子开花吗？\n老家的竹林今年变黄了。"
    assert found.output == "会，**一生**一次。"
    assert found.domain == ("科普", "植物", "竹子")
    assert found.metadata == "qid:7"
    assert (found.answer_from, found.external_id) == ("human", "7")
    assert (found.major, found.minor, found.input) == (None, None, "")


@pytest.mark.parametrize(
    ("value", "text_found"),
    [
        ("编号", "7"),
        ({"field": "问.标题"}, "竹子开花吗？"),
        ({"constant": "固定的话"}, "固定的话"),
        ({"join": ["问.标题", "nothing", "编号"], "with": " / "}, "竹子开花吗？ / 7"),
        ({"join": [{"constant": "甲"}, {"join": ["编号", {"constant": "乙"}], "with": "-"}], "with": ""}, "甲7-乙"),
        ("标签.1", "竹子"),
        ("标签", "植物\n竹子\n植物"),
        ("nothing.below", ""),
        ("note", ""),
        ({"metadata": {"a": "编号", "b": "note"}}, "a:7"),
    ],
)
def test_values_come_to_texts(value: object, text_found: str) -> None:
    assert applied({"instruction": "问.标题", "output": value}).output == text_found


def test_true_and_false_are_written_out() -> None:
    record = {"问": "竹子开花吗？", "is_best": True, "is_old": False}
    found = applied({"instruction": "问", "metadata": {"metadata": {"best": "is_best", "old": "is_old"}}}, record)
    assert found.metadata == "best:true, old:false"
    assert applied({"instruction": "问", "output": "is_best"}, record).output == "true"


def test_a_blank_label_is_none() -> None:
    record = {"问": "竹子开花吗？", "d": " ", "e": ["植物", "\u3000", "", None, "\u200b"]}
    assert applied({"instruction": "问", "domain": {"list": ["d"]}}, record).domain == ()
    assert applied({"instruction": "问", "domain": {"list": ["d", "e"]}}, record).domain == ("植物",)


@pytest.mark.parametrize("place", ["1", "0000000001", "0" * 20, "9" * 5000, "٣", "²"])
def test_a_place_that_a_list_does_not_have_holds_nothing(place: str) -> None:
    assert applied({"instruction": "问", "output": f"e.{place}"}, {"问": "竹子开花吗？", "e": ["植物"]}).output == ""


@pytest.mark.parametrize("form", ["field", "join", "list", "metadata", "markdown"])
def test_any_value_of_a_field_is_taken_or_refused(form: str) -> None:
    inner: Any = {"join": ["a"], "list": ["a"], "metadata": {"a": "a"}}.get(form, "a")
    mapping = parsed({"instruction": {"constant": "问"}} | {target: {form: inner} for target in TARGETS[1:]})
    for value in VALUES:
        (found,) = READERS["entries"].read(io.BytesIO(json.dumps({"a": value}).encode()), change=mapping.applied)
        assert isinstance(found, Document) or found.code in {"wrong_type", "field_too_long"}


def test_what_the_format_found_can_be_used_and_kept() -> None:
    record = {"title": "如何煮面？", "body": "<p>水开下面。</p>", "votes": "1.2 万", "tags": ["做饭"]}
    spec = {"format": "articles", "metadata": {"metadata": {"votes": "@votes"}}, "domain": {"list": ["@tags"]}}
    found = applied(spec, record, "articles")
    assert (found.instruction, found.output, found.metadata) == ("如何煮面？", "水开下面。", "votes:12000")
    assert found.domain == ("做饭",)
    assert (
        applied({"output": {"join": ["@output", {"constant": "完。"}]}}, record, "articles").output
        == "水开下面。\n完。"
    )
    assert applied({"metadata": "@metadata"}, record, "articles").metadata == NO_METADATA


def test_task_type_may_hold_both_kinds_of_labels() -> None:
    found = applied(
        {"instruction": "问.标题", "task_type": {"major": {"list": [{"constant": "问答"}]}, "minor": "标签"}}
    )
    assert (found.major, found.minor) == (("问答",), ("植物", "竹子"))


def test_a_record_that_does_not_fit_is_refused_with_its_field() -> None:
    for spec, code, pointer in (
        ({"instruction": "nothing"}, "empty", "/instruction"),
        ({"instruction": "问"}, "wrong_type", "/问"),
        ({"instruction": "问.标题", "domain": {"list": [{"constant": "长" * 300}]}}, "field_too_long", "/domain/0"),
        ({"instruction": "问.标题", "output": {"join": ["答"] * 9000}}, "field_too_long", "/output"),
    ):
        (refusal,) = READERS["entries"].read(io.BytesIO(json.dumps(RECORD).encode()), change=parsed(spec).applied)
        assert not isinstance(refusal, Document)
        assert (refusal.code, refusal.pointer) == (code, pointer)


@pytest.mark.parametrize(
    ("spec", "code", "pointer"),
    [
        ({}, "sets_nothing", ""),
        ({"instructions": "a"}, "unknown_target", "/instructions"),
        ({"task_type": {"third": "a"}}, "unknown_target", "/task_type/third"),
        ({"human_verified": {"constant": "true"}}, "unknown_target", "/human_verified"),
        ({"instruction": 7}, "unknown_form", "/instruction"),
        ({"instruction": {"constant": "a", "join": []}}, "unknown_form", "/instruction"),
        ({"instruction": {"constant": "a", "with": "b"}}, "unknown_form", "/instruction"),
        ({"instruction": {"join": ["a", {"list": 7}]}}, "wrong_value", "/instruction/join/1/list"),
        ({"instruction": {"join": ["a"], "with": 7}}, "wrong_value", "/instruction/with"),
        ({"instruction": {"constant": ["a"]}}, "wrong_value", "/instruction/constant"),
        ({"instruction": ""}, "wrong_value", "/instruction"),
        ({"metadata": {"metadata": "a"}}, "wrong_value", "/metadata/metadata"),
        ({"format": "docx"}, "unknown_format", "/format"),
        ({"format": 7}, "unknown_format", "/format"),
    ],
)
def test_a_bad_mapping_says_what_is_wrong_and_where(spec: dict[str, Any], code: str, pointer: str) -> None:
    with pytest.raises(BadMapping) as caught:
        parsed(spec)
    assert (caught.value.code, caught.value.pointer) == (code, pointer)
    assert "{" not in caught.value.message("en").replace('{"', "")
    assert caught.value.message("en") != caught.value.message("zh-hans")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"instruction": "a", "instruction": "b"}', b"x" * (1 << 17)])
def test_what_is_no_object_is_no_mapping(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(body)


@pytest.mark.parametrize(
    ("given", "english", "chinese"),
    [
        ('{"instruction": "a"', "It ends before it is complete", "映射不完整"),
        ("instruction: a", "It is not valid JSON from character 1 on.", "从第 1 个字符起不是有效的 JSON。"),
        ("[]", "It must be an object in braces, and is a list.", "映射必须是花括号中的对象，这里却是列表。"),
        ("NaN", "It must be an object in braces, and is a number.", "映射必须是花括号中的对象，这里却是数字。"),
        ("{}{}", "Something follows it from character 3 on.", "从第 3 个字符起，映射之后还有其他内容。"),
        ("[" * 99, "It is nested more than 64 levels deep.", "映射嵌套超过 64 层。"),
        ("\ufeff\ufeff{}", "Two byte order marks stand before it.", "映射前有两个字节顺序标记（BOM）。"),
        ('{"a": "\x00"}', "It holds a NUL character", "映射含有 NUL 字符"),
        ('{"a": "\\u0000"}', "The field /a holds a NUL character", "字段 /a 含有 NUL 字符"),
        ('{"a": 1, "a": 2}', "The field /a is given more than once.", "字段 /a 出现多次。"),
        ('{"instruction": 7}', "The field /instruction has a value of no known", "字段 /instruction 的写法无法识别。"),
        ('{"Instruction": "a"}', "The field /Instruction cannot be set", "字段 /Instruction 不能由映射设置。"),
        (
            '{"instruction": {"constant": 7}}',
            "The field /instruction/constant must be",
            "字段 /instruction/constant 必须",
        ),
    ],
)
def test_what_is_wrong_with_a_mapping_is_worded_for_one(given: str, english: str, chinese: str) -> None:
    for language, opening, sentence in (
        ("en", "The mapping cannot be used. ", english),
        ("zh-hans", "映射无法使用。", chinese),
    ):
        with translation.override(language), pytest.raises(Refused) as caught:
            mappings.checked(given)
        message = str(caught.value)
        assert message.startswith(f"{opening}{sentence}")
        assert not re.search("record|记录|line|The field .* The field", message)


@pytest.mark.parametrize("fault", [*JSON_FAULTS.values(), *MAPPING_FAULTS.values()])
def test_no_sentence_about_a_mapping_names_a_field_within_another(fault: Fault) -> None:
    assert "{field}" not in fault.english[1:]
    assert "{field}" not in fault.chinese[1:]
    assert "ecord" not in fault.english
    assert "记录" not in fault.chinese


def test_a_proposal_is_a_mapping() -> None:
    assert set(parsed(proposed(["甲", "乙", "丙"])).values) <= set(TARGETS)
    assert parsed(proposed(["甲"])).format == "entries"


@pytest.mark.parametrize(
    ("names", "texts", "instruction", "output"),
    [
        (["content", "excerpt", "author.title", "question.title", "answer_type"], 3, "author.title", "content"),
        (["Answer", "标题", "问题", "id"], 3, "问题", "Answer"),
        (["analysis", "question", "answer"], 2, "question", "answer"),
        (["长", "短", "id"], 2, "短", "长"),
        (["title", "id"], 1, "title", {"constant": ""}),
        (["文", "id"], 1, "文", {"constant": ""}),
        (["id"], 0, "id", {"constant": ""}),
    ],
)
def test_a_proposal_takes_known_names_and_else_the_most_text(
    names: list[str], texts: int, instruction: str, output: object
) -> None:
    made = proposed(names, texts=names[:texts])
    assert (made["instruction"], made["output"]) == (instruction, output)


@pytest.fixture
def mapping() -> FieldMapping:
    return parsed(SPEC)


@pytest.fixture
def zhihu(db: None) -> Source:
    return Source.objects.get(slug="zhihu")


@pytest.mark.django_db(transaction=True)
def test_a_job_keeps_its_mapping_and_reads_by_it(mapping: FieldMapping) -> None:
    job = imported(json.dumps(RECORD, ensure_ascii=False).encode(), mapping=mapping, source="zhihu")
    assert counts(job) == {"read": 1, "new": 1}
    assert job.options == {"mapping": SPEC}
    revision = Record.objects.get().revision
    assert revision.instruction.startswith("竹子开花吗？")
    assert revision.domain == ["科普", "植物", "竹子"]


@pytest.mark.django_db(transaction=True)
def test_the_command_takes_a_file_or_one_kept_for_the_source(
    tmp_path: Path, zhihu: Source, mapping: FieldMapping
) -> None:
    data, spec = tmp_path / "数据.csv", tmp_path / "映射.json"
    data.write_text("甲,乙\n花为什么香？,为了引来昆虫。\n", encoding="utf-8")
    spec.write_text('\ufeff{"instruction": "甲", "output": "乙"}', encoding="utf-8")
    call_command("ingest", str(data), source="zhihu", mapping=str(spec), verbosity=0)
    assert Record.objects.get().revision.output == "为了引来昆虫。"
    kept = parsed({"instruction": "甲", "output": {"constant": "不知道。"}})
    mappings.keep(kept, source=zhihu, name="两列", by=None)
    call_command("ingest", str(data), source="zhihu", mapping="两列", verbosity=0)
    assert Record.objects.filter(revision__output="不知道。").count() == 1


@pytest.mark.django_db
def test_keeping_under_a_name_replaces(zhihu: Source, mapping: FieldMapping) -> None:
    mappings.keep(mapping, source=zhihu, name="一", by=None)
    mappings.keep(parsed({"instruction": "x"}), source=zhihu, name=" 一 ", by=None)
    assert [kept.spec for kept in mappings.kept_for(zhihu)] == [{"instruction": "x"}]
    with pytest.raises(Refused):
        mappings.keep(mapping, source=zhihu, name="  ", by=None)


@pytest.mark.django_db
def test_the_page_shows_the_fields_and_what_a_mapping_makes_of_them(gao: User, zhihu: Source) -> None:
    client = signed_in(gao)
    place = upload(client, sent(json.dumps(RECORD, ensure_ascii=False).encode()), source="zhihu")
    page = text(client.get(place))
    assert "No format fits" in page
    assert "问.标题" in page
    said = {"source": "zhihu", "mapping": json.dumps(SPEC, ensure_ascii=False), "mapping_name": "竹"}
    client.post(place, said)
    page = text(client.get(place))
    assert "老家的竹林今年变黄了。" in page
    assert "No format fits" not in page
    assert not Mapping.objects.exists()
    client.post(f"{place}submit/", said)
    assert Job.objects.get().options["mapping"] == SPEC
    assert Mapping.objects.get().name == "竹"
    other = upload(client, sent(b"{}"), source="zhihu")
    assert 'name="take"' in text(client.get(other))
    client.post(other, {"source": "zhihu", "take": "竹"})
    assert "markdown" in text(client.get(other))


@pytest.mark.django_db
def test_of_many_fields_those_with_text_are_shown_and_the_others_counted(
    gao: User, zhihu: Source, shared_data: Path
) -> None:
    content = (shared_data / "raw" / "zhihu_answers.jsonl").read_bytes()
    client = signed_in(gao)
    page = client.get(upload(client, sent(content), source="zhihu"))
    names = [field.name for field in page.context["preview"].shown_fields]
    assert names[0] == "content"
    assert "question.title" in names[:5]
    assert len(names) == SHOWN_FIELDS
    assert f"and {page.context['preview'].more_fields} more" in text(page)
    proposal = json.loads(page.context["proposal"])
    assert (proposal["instruction"], proposal["output"]) == ("question.title", "content")
    few = client.get(upload(client, sent(json.dumps(RECORD, ensure_ascii=False).encode()), source="zhihu"))
    assert few.context["preview"].more_fields == 0


@pytest.mark.django_db
def test_a_mapping_that_is_kept_is_replaced_only_when_asked_for(gao: User, zhihu: Source) -> None:
    client = signed_in(gao)
    mappings.keep(parsed({"instruction": "x"}), source=zhihu, name="竹", by=gao)
    place = upload(client, sent(json.dumps(RECORD, ensure_ascii=False).encode()), source="zhihu")
    said = {"source": "zhihu", "mapping": json.dumps(SPEC, ensure_ascii=False), "mapping_name": "竹"}
    assert "mapping_replaces" not in text(client.get(place))
    answer = client.post(f"{place}submit/", said)
    assert answer.status_code == 422
    assert "Another mapping is kept under this name." in text(answer)
    assert 'name="mapping_replaces"' in text(answer)
    assert Mapping.objects.get().spec == {"instruction": "x"}
    assert not Job.objects.exists()
    assert client.post(f"{place}submit/", said | {"mapping_replaces": "on"}).status_code == 303
    assert Mapping.objects.get().spec == SPEC
    again = upload(client, sent(json.dumps(RECORD, ensure_ascii=False).encode()), source="zhihu")
    client.post(again, {"source": "zhihu", "take": "竹"})
    assert client.post(f"{again}submit/", said).status_code == 303


@pytest.mark.django_db
def test_a_bad_mapping_is_told_on_the_page_and_imports_nothing(gao: User, zhihu: Source) -> None:
    client = signed_in(gao)
    place = upload(client, sent(json.dumps(RECORD).encode()), source="zhihu")
    client.post(place, {"source": "zhihu", "mapping": '{"instruction": {"joined": []}}'})
    assert "The mapping cannot be used." in text(client.get(place))
    answer = client.post(f"{place}submit/", {"source": "zhihu", "mapping": "{"})
    assert answer.status_code == 422
    assert not Job.objects.exists()
