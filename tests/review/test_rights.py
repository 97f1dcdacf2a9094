"""Rights: how their text is worded, what a file claims of them, and what reviewers object to."""

import json
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import translation

from review import erasure, evidence, rights, sealing, takedowns
from review.decisions import SaidOfRights
from review.models import NO_COPYRIGHT_STATED, Batch, Decision, Evidence, Licence, Move, Record, Rights, Source, User
from review.refused import Refused
from review.rights import Claimed
from review.text.claim import understood
from review.tracing import Asked
from tests.factories import add_records, approve, candidate, record

pytestmark = [pytest.mark.django_db, pytest.mark.core]


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    with translation.override("en"):
        yield


@pytest.fixture
def manager(client: Client, gao: User) -> Client:
    client.force_login(gao)
    return client


UNDERSTOOD = {
    "文章作者：周小满 某某医院儿科主任医师\n以上内容由健康科普项目提供": ("周小满", "unknown", "健康科普项目"),
    "周小满个人简介：某某医院医师，擅长新生儿疾病。": ("周小满", "unknown", ""),
    "专家介绍：周小满，某某医院儿科主任。": ("周小满", "unknown", ""),
    "文章作者：周小满 某院医生指导医生：李谷雨 某院主任": ("周小满、李谷雨", "unknown", ""),
    "作者：周小满，CC BY-NC-SA 4.0": ("周小满", "CC-BY-NC-SA-4.0", ""),
    "作者：周小满 CC BY-SA 3.0": ("周小满", "CC-BY-SA-3.0", ""),
    "© 2021 周小满. All rights reserved": ("周小满", "restricted", ""),
    "作者：周小满，未经许可不得转载": ("周小满", "restricted", ""),
    "已获作者授权": ("", "permission-granted", ""),
    "本文属公有领域": ("", "public-domain", ""),
    "本文以 CC0 发布": ("", "CC0-1.0", ""),
    "CC BY-NC-SA 2.0": ("", "unknown", ""),
    NO_COPYRIGHT_STATED: ("", "unknown", ""),
    "": ("", "unknown", ""),
}


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_a_claimed_text_is_understood(text: str) -> None:
    assert tuple(understood(text)) == UNDERSTOOD[text]
    assert understood(text).licence in Licence.values


class TestTemplate:
    @pytest.fixture
    def worded(self, ruozhiba: Source) -> Source:
        rights.word_copyright(ruozhiba, by=None, template="来自{source}，作者{holder}，许可{licence}，见{address}")
        return ruozhiba

    def test_words_what_is_decided(self, worded: Source) -> None:
        decided = rights.decide_rights(
            worded, by=None, licence="CC-BY-4.0", holder="周小满", source_address="https://example.org/a"
        )
        assert decided.published_text == f"来自{worded.name_zh}，作者周小满，许可CC-BY-4.0，见https://example.org/a"

    def test_leaves_out_what_is_empty(self, worded: Source) -> None:
        decided = rights.decide_rights(record(), by=None, licence="MIT")
        assert decided.published_text == f"来自{worded.name_zh}，许可MIT"

    def test_gives_way_to_a_text_that_somebody_wrote(self, worded: Source) -> None:
        decided = rights.decide_rights(worded, by=None, licence="MIT", copyright_text="原样")
        assert decided.published_text == "原样"

    def test_touches_no_text_that_was_decided(self, ruozhiba: Source) -> None:
        before = rights.decide_rights(ruozhiba, by=None, licence="MIT", holder="周小满")
        rights.word_copyright(ruozhiba, by=None, template="{holder}")
        assert Rights.objects.get(pk=before.pk).published_text == "周小满，MIT"

    @pytest.mark.parametrize("template", ["{who}", "{holder", "holder}", "{{holder}}", "{}", "{holder.name}", "{0}"])
    def test_with_other_braces_is_refused(self, ruozhiba: Source, template: str) -> None:
        with pytest.raises(Refused):
            rights.word_copyright(ruozhiba, by=None, template=template)

    def test_is_previewed_and_kept_on_its_page(self, manager: Client, ruozhiba: Source) -> None:
        rights.decide_rights(ruozhiba, by=None, licence="MIT", holder="周小满")
        page = "/review/sources/ruozhiba/copyright-text/"
        shown = manager.post(page, {"template": "作者：{holder}", "preview": "on"})
        assert "作者：周小满" in shown.content.decode()
        assert Source.objects.get(slug="ruozhiba").copyright_template == ""
        assert manager.post(page, {"template": "{nobody}"}).status_code == 422
        assert manager.post(page, {"template": "作者：{holder}"}).status_code == 303
        assert Source.objects.get(slug="ruozhiba").copyright_template == "作者：{holder}"


BIOGRAPHY = "周小满个人简介：某某医院医师。\n以上内容由健康科普项目提供"


class TestClaimsOfAFile:
    @pytest.fixture
    def batch(self) -> Batch:
        claims = [BIOGRAPHY, BIOGRAPHY, "作者：李谷雨", NO_COPYRIGHT_STATED, None, ""]
        return add_records("medical-articles", [candidate(claimed_copyright=claim) for claim in claims])

    def test_are_counted_by_text(self, batch: Batch) -> None:
        assert rights.claimed(batch) == [
            Claimed(BIOGRAPHY, 2, "周小满", "unknown", "健康科普项目"),
            Claimed("作者：李谷雨", 1, "李谷雨", "unknown", ""),
        ]

    def test_adopted_become_rights_with_the_text_unchanged(self, batch: Batch, gao: User) -> None:
        chosen = [claim for claim in rights.claimed(batch) if claim.holder == "周小满"]
        assert rights.adopt_claims(batch, by=gao, adopted=chosen) == 2
        decided = Rights.objects.filter(scope="record")
        assert {(one.published_text, one.holder, one.licence, one.by) for one in decided} == {
            (BIOGRAPHY, "周小满", "unknown", gao)
        }
        assert set(Record.objects.filter(rights__in=decided)) == {one.record for one in decided}
        assert Move.objects.filter(cause="rights", by=gao).count() == 2
        assert [claim.holder for claim in rights.claimed(batch)] == ["李谷雨"]

    def test_leave_records_with_rights_of_their_own_alone(self, batch: Batch) -> None:
        decided = Record.objects.filter(originals__claimed_copyright=BIOGRAPHY).first()
        assert decided is not None
        own = rights.decide_rights(decided, by=None, licence="MIT")
        assert rights.adopt_claims(batch, by=None, adopted=rights.claimed(batch)) == 2
        assert Record.objects.get(pk=decided.pk).rights == own

    def test_take_few_statements(self, batch: Batch, django_assert_max_num_queries: Any) -> None:
        claims = rights.claimed(batch)
        with django_assert_max_num_queries(9):
            rights.adopt_claims(batch, by=None, adopted=claims)

    def test_are_corrected_and_adopted_on_their_page(self, manager: Client, batch: Batch) -> None:
        page = f"/review/sources/medical-articles/batches/{batch.pk}/claims/"
        shown = manager.get(page).content.decode()
        assert "周小满" in shown
        digest = shown.split('name="adopt-0" value="')[1][:64]
        said = {"adopt-0": digest, "holder-0": "周小满医生", "licence-0": "permission-granted"}
        assert manager.post(page, said | {"licence-0": "mine"}).status_code == 422
        assert manager.post(page, said | {"adopt-0": "0" * 64}).status_code == 303
        assert not Rights.objects.filter(scope="record").exists()
        assert manager.post(page, said).status_code == 303
        assert set(Rights.objects.filter(scope="record").values_list("holder", "licence", "published_text")) == {
            ("周小满医生", "permission-granted", BIOGRAPHY)
        }


def test_author_texts_of_a_finished_file_become_rights_unchanged(shared_data: Path) -> None:
    lines = (shared_data / "finished" / "baobao.jsonl").read_text(encoding="utf-8").splitlines()
    said = [json.loads(line) for line in lines]
    texts = [
        candidate(instruction=one["instruction"], output=one["output"], claimed_copyright=one["copyright"])
        for one in said
    ]
    batch = add_records("medical-articles", texts)
    claims = rights.claimed(batch)
    assert all(claim.holder for claim in claims)
    assert rights.adopt_claims(batch, by=None, adopted=claims) == len(said)
    published = Record.objects.filter(batch=batch).with_rights().values_list("revision__instruction", "copyright")  # type: ignore[misc]  # annotated
    assert dict(published) == {one["instruction"]: one["copyright"] for one in said}


class TestObjections:
    @pytest.fixture
    def objected(self, lin: User) -> Record:
        given = record()
        approve(given, lin, rights=_objection(), reason="抄自课本")
        return given

    def test_reach_the_manager(self, manager: Client, objected: Record) -> None:
        shown = manager.get("/review/rights/").content.decode()
        assert f"#{objected.pk}" in shown
        assert "抄自课本" in shown

    def test_upheld_restrict_the_record(self, manager: Client, objected: Record) -> None:
        assert manager.post(f"/review/rights/{objected.pk}/uphold/").status_code == 303
        decided = Record.objects.select_related("rights").get(pk=objected.pk)
        assert decided.rights is not None
        assert decided.rights.licence == Licence.RESTRICTED
        assert not rights.objections().exists()

    def test_overruled_let_it_follow_its_source(self, manager: Client, objected: Record, ruozhiba: Source) -> None:
        rights.decide_rights(ruozhiba, by=None, licence="CC0-1.0")
        manager.post(f"/review/rights/{objected.pk}/overrule/")
        assert Record.objects.releasable({"CC0-1.0"}).get() == objected
        assert manager.post(f"/review/rights/{objected.pk}/overrule/").status_code == 404

    def test_are_not_overruled_where_nobody_has_decided(self, manager: Client, objected: Record) -> None:
        assert manager.post(f"/review/rights/{objected.pk}/overrule/").status_code == 303
        assert Record.objects.get(pk=objected.pk).rights_id is not None

    def test_take_few_statements(self, manager: Client, lin: User, django_assert_max_num_queries: Any) -> None:
        for _ in range(3):
            approve(record(), lin, rights=_objection())
        with django_assert_max_num_queries(12):
            manager.get("/review/rights/")


def _objection() -> SaidOfRights:
    return SaidOfRights(Decision.RightsSaid.OBJECT)


@pytest.mark.django_db(transaction=True)
def test_of_two_managers_at_once_the_later_row_is_in_effect(ruozhiba: Source, gao: User) -> None:
    written, write = threading.Event(), rights.write

    def slowly(*args: Any, **said: Any) -> Rights:
        row = write(*args, **said)
        if said["licence"] == "MIT":
            written.set()
            time.sleep(0.3)
        return row

    def decide(licence: str) -> None:
        try:
            rights.decide_rights(Source.objects.get(pk=ruozhiba.pk), by=gao, licence=licence)
        finally:
            connection.close()

    with patch.object(rights, "write", slowly):
        first = threading.Thread(target=decide, args=["MIT"])
        first.start()
        assert written.wait(10)
        second = threading.Thread(target=decide, args=["CC0-1.0"])
        second.start()
        first.join()
        second.join()
    ruozhiba.refresh_from_db()
    assert ruozhiba.rights_id == Rights.objects.filter(source=ruozhiba).latest("pk").pk


class TestEvidence:
    LETTER = b"%PDF-1.7 a letter"

    @pytest.fixture
    def decided(self, ruozhiba: Source) -> Rights:
        return rights.decide_rights(ruozhiba, by=None, licence="permission-granted", evidence="来信")

    def test_a_letter_is_kept_and_handed_out_as_it_came(self, manager: Client, decided: Rights) -> None:
        letter = SimpleUploadedFile("../信 一.pdf", self.LETTER)
        for _twice in range(2):
            answer = manager.post(f"/review/rights/{decided.pk}/attach/", {"file": letter})
            letter.seek(0)
        assert (answer.status_code, answer["Location"]) == (303, "/review/sources/ruozhiba/#decisions")
        file = Evidence.objects.get()
        assert (file.name, file.media_type, bytes(file.sha256)) == (
            "信 一.pdf",
            "application/pdf",
            sha256(self.LETTER).digest(),
        )
        answer = manager.get(f"/review/evidence/{file.pk}/")
        assert (answer.content, answer["Content-Type"]) == (self.LETTER, "application/pdf")
        assert answer["Content-Disposition"].startswith("attachment;")
        assert "信 一.pdf" in manager.get("/review/sources/ruozhiba/").content.decode()

    @pytest.mark.parametrize("data", [b"", b"<html>\0", b"\xff\xfe\0", b"PK\x03\x04\xff", b"%PDF-" + bytes(10 << 20)])
    def test_what_is_no_evidence_is_refused(self, manager: Client, decided: Rights, data: bytes) -> None:
        file = SimpleUploadedFile("x.pdf", data) if data else ""
        assert manager.post(f"/review/rights/{decided.pk}/attach/", {"file": file}).status_code == 303
        assert not Evidence.objects.exists()

    def test_only_managers_of_the_source_read_it(
        self, client: Client, decided: Rights, gao: User, lin: User, law_gee: Source
    ) -> None:
        file = evidence.attach(decided, by=gao, name="a.pdf", data=self.LETTER)
        client.force_login(lin)
        assert client.get(f"/review/evidence/{file.pk}/").status_code == 403
        assert "a.pdf" not in client.get("/review/sources/ruozhiba/").content.decode()
        gao.sources.set([law_gee])
        client.force_login(gao)
        assert client.get(f"/review/evidence/{file.pk}/").status_code == 404
        assert client.post(f"/review/rights/{decided.pk}/attach/").status_code == 404

    def test_that_of_a_record_goes_with_its_texts(self, gao: User) -> None:
        of_record = record()
        own = rights.decide_rights(of_record, by=None, licence="MIT")
        file = evidence.attach(own, by=gao, name="梅雨潭.pdf", data=self.LETTER)
        sealing.seal()
        takedown = takedowns.request(by=gao, requester="我", ground="无", asked=Asked(records=(of_record.pk,)))
        takedowns.confirm(takedown, by=gao)
        erasure.erase(takedown, by=gao)
        file.refresh_from_db()
        assert (file.name, bytes(file.data)) == ("—", b"")
        assert not evidence.readable(gao).exists()
        sealing.seal()
        assert list(sealing.verify()) == []

    def test_one_that_was_exchanged_is_named(self, decided: Rights, gao: User) -> None:
        file = evidence.attach(decided, by=gao, name="a.pdf", data=self.LETTER)
        sealing.seal()
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("UPDATE review_evidence SET data = 'x'")
            cursor.execute("SET LOCAL session_replication_role = origin")
        assert list(sealing.verify()) == [f"evidence {file.pk} was changed: its file is not that of its hash"]
