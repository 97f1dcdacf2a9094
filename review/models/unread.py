from typing import ClassVar

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Unread(models.Model):
    """Records whose current wording one of the passes behind intake has yet to read.

    Written in the transaction that makes a wording current, deleted in the one that has read it.
    """

    class Task(models.TextChoices):
        SEARCH = "search", _("search index")
        LIKENESS = "likeness", _("near-duplicates")

    task = models.CharField(_("pass"), max_length=8, choices=Task)
    records = ArrayField(models.BigIntegerField(), verbose_name=_("records"))
    number = models.PositiveIntegerField(_("number of records"))

    class Meta:
        verbose_name = _("unread records")
        verbose_name_plural = _("unread records")
        indexes: ClassVar = [models.Index(fields=["task", "id"], include=["number"], name="review_unread_by_task")]
        constraints: ClassVar = [
            models.CheckConstraint(name="review_unread_task_known", condition=Q(task__in=["search", "likeness"])),
        ]

    def __str__(self) -> str:
        return f"{self.task}: {self.number}"


def note_changed_wordings() -> pgtrigger.Trigger:
    """Return the trigger by which the records whose wording a statement changed are read once more."""
    return pgtrigger.Trigger(
        name="note_unread",
        when=pgtrigger.After,
        level=pgtrigger.Statement,
        operation=pgtrigger.Update,
        referencing=pgtrigger.Referencing(old="before", new="after"),
        func=pgtrigger.Func("""
            INSERT INTO review_unread (task, records, number)
            SELECT task, array_agg(id ORDER BY id), count(*)
            FROM (SELECT id, row_number() OVER (ORDER BY id) / 2000 FROM before JOIN after USING (id)
                  WHERE before.revision_id <> after.revision_id) AS changed(id, part)
            CROSS JOIN (VALUES ('search'), ('likeness')) AS passes(task) GROUP BY task, part;
            RETURN NULL;
        """),
    )
