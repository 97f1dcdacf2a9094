"""Triggers that keep history as it was written."""

import pgtrigger


class AppendOnly(pgtrigger.Trigger):
    """Refuse UPDATE and DELETE of any row: what was written stays."""

    when = pgtrigger.Before
    operation = pgtrigger.Update | pgtrigger.Delete
    func = pgtrigger.Func(
        "RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';"
    )


class AppendOnlyButErasable(pgtrigger.Trigger):
    """Refuse UPDATE and DELETE, except the blanking of texts that an erasure makes, and nothing beside it.

    That is: the transaction says by `cqia.erasing` which takedown it erases; that takedown is confirmed and not erased
    yet; the hashes of this row's texts have been kept in `Erased` under that takedown; every text becomes blank, and
    no other column changes. `generated` are columns that the database computes, which it has not done yet.
    """

    when = pgtrigger.Before
    operation = pgtrigger.Update | pgtrigger.Delete

    def __init__(self, *, name: str, kind: str, texts: tuple[str, ...], generated: tuple[str, ...] = ()) -> None:
        apart = ", ".join(f"'{column}'" for column in (*texts, *generated))
        blank = " AND ".join(f"COALESCE(NEW.{column}::text, '') IN {BLANKS}" for column in texts)
        func = f"""
            IF TG_OP = 'UPDATE' AND COALESCE(current_setting('cqia.erasing', true), '') <> '' THEN
                IF {blank} AND to_jsonb(NEW) - ARRAY[{apart}] = to_jsonb(OLD) - ARRAY[{apart}] AND EXISTS (
                    SELECT FROM review_erased e JOIN review_takedown t ON t.id = e.takedown_id
                    WHERE e.kind = '{kind}' AND e.row = OLD.id AND t.state = 'confirmed'
                        AND t.id = current_setting('cqia.erasing', true)::bigint
                ) THEN
                    RETURN NEW;
                END IF;
            END IF;
            RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
        """
        super().__init__(name=name, func=pgtrigger.Func(func))


BLANKS = "('', '—', '\\x')"
"""What an erased text becomes: nothing, or a dash where something must stand."""


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


def erasable(kind: str, *texts: str, generated: tuple[str, ...] = ()) -> list[pgtrigger.Trigger]:
    """Return the triggers of an append-only table whose `texts` an erasure may blank; `kind` names it in `Erased`."""
    guard = AppendOnlyButErasable(name="append_only", kind=kind, texts=texts, generated=generated)
    return [guard, NoTruncate(name="no_truncate")]


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


def sealed(kind: str, *texts: str, generated: tuple[str, ...] = ()) -> list[pgtrigger.Trigger]:
    """Return the triggers of an append-only table whose rows are sealed under the name `kind`; `texts` are erasable."""
    guards = erasable(kind, *texts, generated=generated) if texts else append_only()
    return [*guards, ToBeSealed(name="to_be_sealed", kind=kind)]
