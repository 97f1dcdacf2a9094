"""Records for tests, made through the same doors as real ones."""

import itertools
import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from ingest.document import Document
from review import decisions, intake, rights
from review.models import Batch, Decision, Record, Source, User, Verdict

_numbers = itertools.count(1)


def candidate(**fields: Any) -> Document:
    """A clean candidate, unlike every other one; `fields` replace what it says."""
    number = next(_numbers)
    texts: dict[str, Any] = {
        "instruction": f"第{number}问：为什么天空是蓝色的？",
        "input": "",
        "output": f"因为大气分子散射短波长的光更多。这是第{number}个回答。",
        "major": ("问答",),
        "minor": ("百科问答",),
        "domain": ("百科",),
        "metadata": "暂无元数据信息",
        "answer_from": "human",
        "external_id": None,
        "claimed_human_verified": None,
        "claimed_copyright": None,
        "unknown_keys": (),
    } | fields
    raw = json.dumps({"instruction": texts["instruction"], "output": texts["output"]}, ensure_ascii=False).encode()
    return Document(line=number, offset=0, end=len(raw) + 1, raw=raw, **texts)


def add_records(
    source: str, candidates: Sequence[Document], *, licence: str | None = None, holder: str = "", by: User | None = None
) -> Batch:
    """Take the candidates in as one batch, with rights when `licence` is given."""
    batch = Batch.objects.create(source=Source.objects.get(slug=source), name="test", by=by)
    if licence is not None:
        rights.decide_rights(batch, by=None, licence=licence, holder=holder)
    intake.add_records(candidates, batch=batch)
    return batch


def record(source: str = "ruozhiba", **fields: Any) -> Record:
    """One record, waiting in the queue."""
    batch = add_records(source, [candidate(**fields)])
    return Record.objects.select_related("revision").get(batch=batch)


def judgement(record: Record, verdict: Verdict = Verdict.APPROVE, **said: Any) -> decisions.Judgement:
    """What a reviewer says who has read the record as it stands; an edit is given as fields of the wording."""
    current = Record.objects.select_related("revision").get(pk=record.pk)
    edits = {name: said.pop(name) for name in list(said) if name in decisions.Wording.__dataclass_fields__}
    wording = decisions.Wording.of(current.revision)
    whole: dict[str, Any] = {
        "seen_revision": current.revision_id,
        "request_id": uuid4(),
        "rights": decisions.SaidOfRights(Decision.RightsSaid.CONFIRM) if verdict == Verdict.APPROVE else None,
        "reason": "测试" if verdict in {Verdict.REJECT, Verdict.ESCALATE} else "",
    } | said
    if edits:
        whole["wording"] = decisions.Wording(
            **{name: edits.get(name, getattr(wording, name)) for name in decisions.Wording.__dataclass_fields__}
        )
    return decisions.Judgement(verdict=verdict, **whole)


def approve(record: Record, by: User, **said: Any) -> Decision:
    """Approve a record, with edits when fields of the wording are given."""
    return decisions.decide(by=by, record=record.pk, judgement=judgement(record, **said))
