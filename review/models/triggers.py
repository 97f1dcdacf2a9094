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
