"""Triggers that keep history as it was written."""

import pgtrigger


class AppendOnly(pgtrigger.Trigger):
    """Refuse UPDATE and DELETE of any row: what was written stays."""

    when = pgtrigger.Before
    operation = pgtrigger.Update | pgtrigger.Delete
    func = pgtrigger.Func(
        "RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';"
    )


class NoTruncate(pgtrigger.Trigger):
    """Refuse TRUNCATE, except where the session was opened with `cqia.allow_truncate=on` (tests that flush)."""

    when = pgtrigger.Before
    level = pgtrigger.Statement
    operation = pgtrigger.Truncate
    func = pgtrigger.Func(
        "IF current_setting('cqia.allow_truncate', true) IS DISTINCT FROM 'on' THEN "
        "RAISE EXCEPTION '% is append-only: TRUNCATE refused', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; "
        "END IF; RETURN NULL;"
    )


def append_only() -> list[pgtrigger.Trigger]:
    """Return the triggers of an append-only table, for its `Meta.triggers`."""
    return [AppendOnly(name="append_only"), NoTruncate(name="no_truncate")]


class ToBeSealed(pgtrigger.Trigger):
    """Note each new row for the sealer, in the transaction that writes it; nothing waits for the sealer."""

    when = pgtrigger.After
    level = pgtrigger.Statement
    operation = pgtrigger.Insert
    referencing = pgtrigger.Referencing(new="incoming")

    def __init__(self, *, name: str, kind: str, pk: str = "id") -> None:
        func = f"INSERT INTO review_unsealed (kind, row) SELECT '{kind}', {pk} FROM incoming; RETURN NULL;"  # noqa: S608
        super().__init__(name=name, func=pgtrigger.Func(func))


class ToBeSealedByAuthor(pgtrigger.Trigger):
    """Note a wording that a person wrote; those that came in by import are sealed together (`Intake`)."""

    when = pgtrigger.After
    operation = pgtrigger.Insert
    condition = pgtrigger.Q(new__author__isnull=False)
    func = pgtrigger.Func("INSERT INTO review_unsealed (kind, row) VALUES ('revision', NEW.id); RETURN NULL;")


def sealed(kind: str) -> list[pgtrigger.Trigger]:
    """Return the triggers of an append-only table whose rows are sealed under the name `kind`."""
    return [*append_only(), ToBeSealed(name="to_be_sealed", kind=kind)]
