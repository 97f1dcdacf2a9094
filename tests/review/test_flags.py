import pytest
from django.db import IntegrityError, connection, transaction

from review import flags
from review.models import Flag, Record, Source, User
from tests.factories import add_records, approve, candidate, record

EATEN = "概率为 $\frac{1}{3}$。"


def of(record: Record) -> dict[str, list[list[object]]]:
    current = Record.objects.get(pk=record.pk)
    return dict(Flag.objects.filter(revision=current.revision_id).values_list("rule", "spans"))


@pytest.mark.core
def test_intake_writes_what_the_rules_find_with_its_place(ruozhiba: Source) -> None:
    flagged = record(output=EATEN)
    assert of(flagged) == {"eaten_escape": [["output", 5, 9]], "control_characters": [["output", 5, 6]]}
    assert of(record()) == {}
    assert list(Record.objects.flagged("eaten_escape")) == [flagged]


def test_labels_are_looked_at_with_the_names_of_the_source(ruozhiba: Source) -> None:
    flagged = record(major=("弱智吧",), minor=("问答", "问答"), answer_from="")
    assert of(flagged) == {
        "label_is_source": [["major", 0, 0]],
        "repeated_label": [["minor", 0, 0]],
        "answer_from_unknown": [["answer_from", 0, 0]],
    }


def test_a_flag_that_the_source_switched_off_is_not_written(ruozhiba: Source) -> None:
    ruozhiba.rules = {"eaten_escape": False, "control_characters": True}
    ruozhiba.save(update_fields=["rules"])
    assert set(of(record(output=EATEN))) == {"control_characters"}


def test_a_new_wording_is_looked_at_anew(lin: User, ruozhiba: Source) -> None:
    flagged = record(output=EATEN)
    approve(flagged, lin, output="概率为三分之一，见下图")
    assert set(of(flagged)) == {"unfinished_ending", "image_reference"}
    assert not Record.objects.flagged("eaten_escape").exists()
    assert Record.objects.flagged("image_reference").exists()


def test_a_wording_that_was_approved_as_it_stands_keeps_its_flags(lin: User, ruozhiba: Source) -> None:
    flagged = record(output=EATEN)
    before = of(flagged)
    approve(flagged, lin)
    assert of(flagged) == before
    assert Flag.objects.count() == len(before)


def test_another_wording_from_the_source_is_looked_at(ruozhiba: Source) -> None:
    first = record(output=EATEN, external_id="a")
    add_records("ruozhiba", [candidate(instruction="另一问？", output="好，见下图", external_id="a")])
    assert set(of(first)) == {"unfinished_ending", "image_reference"}


def test_a_rule_is_noted_once_a_wording_and_only_of_the_records_own(ruozhiba: Source) -> None:
    one, other = record(output=EATEN), record()
    with pytest.raises(IntegrityError, match="review_flag_once_a_revision"), transaction.atomic():
        Flag.objects.create(record=one, revision=one.revision, rule="eaten_escape", spans=[])
    with pytest.raises(IntegrityError, match="review_flag_of_own_revision"), transaction.atomic():
        Flag.objects.create(record=other, revision=one.revision, rule="web_address", spans=[])
        connection.check_constraints()


def test_writing_flags_costs_one_statement(ruozhiba: Source, django_assert_num_queries: "object", lin: User) -> None:
    flagged = record(output=EATEN)
    Flag.objects.all().delete()
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert flags.write_flags(flagged.revision, source=ruozhiba) == 2
