"""Finding the records that a takedown request means, however little it says of them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import batched
from typing import Any, Self

from django.db import connection
from django.db.models import Q
from django.utils.translation import gettext as _

from review import duplicates, origins, search
from review.models import Record, Revision, Rights, Source
from review.refused import Ground, Refused
from review.text.minhash import squeezed
from review.text.signature import duplicate_key
from review.text.strict import Malformed, parse_object

NEAR = 0.9
"""As similar a text is taken for the same one."""

MOST = 10_000
"""No person looks through more; a request that finds more is worded too widely."""

SHORTEST = 4
"""Fewer characters occur everywhere."""

QUOTED = ("passages", "texts")
"""What of a request quotes texts: an erasure leaves their hashes."""

AT_ONCE = 5_000
"""Records whose texts are looked at in one statement."""

CLAUSES = 3
"""Stretches of a passage that are looked up in the index."""

BEGINNING = 500
"""Characters by which a whole text is looked up: those stand in the index, also of a long one."""

type Found = dict[int, float]
"""Records, each with how similar it is to what is asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request names: any of these, each one or more."""

    addresses: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    external_ids: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    """Whole texts, as a list of records gives them: known by likeness, and wherever they stand in another one."""
    keys: tuple[str, ...] = ()
    """Duplicate keys, in hex."""
    records: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return what the takedown keeps of it."""
        return {name: list(values) for name, values in asdict(self).items() if values}

    @classmethod
    def of(cls, said: dict[str, Any]) -> Self:
        """Return what a takedown has kept; a passage that was erased is left out."""
        known = {field.name: tuple(said.get(field.name, ())) for field in fields(cls)}
        for name in QUOTED:
            known[name] = tuple(text for text in known[name] if isinstance(text, str))
        return cls(**known)

    def with_list(self, text: str) -> "Asked":
        """Add what a list names, one a line: `#12`, a key in hex, a record as a JSON object, else an external id."""
        added: dict[str, list[Any]] = {"records": [], "keys": [], "external_ids": [], "texts": []}
        for line in filter(None, (line.strip() for line in text.split("\n"))):
            for name, value in _named(line):
                added[name].append(value)
        merged = {name: (*getattr(self, name), *values) for name, values in added.items()}
        return replace(self, **merged)


def _named(line: str) -> Iterator[tuple[str, Any]]:
    """Tell what one line of a list names."""
    if re.fullmatch(r"#\d{1,18}", line):
        yield "records", int(line[1:])
    elif re.fullmatch(r"[0-9a-f]{64}", line):
        yield "keys", line
    elif line.startswith("{"):
        yield from _named_by_object(line)
    else:
        yield "external_ids", line[:200]


def _named_by_object(line: str) -> Iterator[tuple[str, Any]]:
    try:
        texts = parse_object(line.encode())
    except Malformed as fault:
        message = _("A line of the list is no JSON object: %(line)s") % {"line": line[:80]}
        raise Refused(message, ground=Ground.INVALID) from fault
    key = texts.get("key")
    if isinstance(key, str):  # as such a list is exported
        yield "keys", key
        return
    parts = [
        value if isinstance(value := texts.get(name, ""), str) else "" for name in ("instruction", "input", "output")
    ]
    yield "keys", duplicate_key(*parts).hex()
    longest = max(parts, key=len)
    if len(longest) >= SHORTEST:
        yield "texts", longest


def find(asked: Asked) -> Found:
    """Return every record that the request means, those of the same text and those of nearly the same one."""
    for passage in asked.passages:
        _check_long_enough(passage)
    found: Found = duplicates.similar_to_any([*asked.passages, *asked.texts], at_least=NEAR)
    found |= dict.fromkeys(_exact(asked), 1.0)
    for passage in asked.passages:
        found |= dict.fromkeys(_containing(passage), 1.0)
    found |= dict.fromkeys(_holding_any(asked.texts), 1.0)
    if len(found) > MOST:
        said = {"found": len(found), "most": MOST}
        message = _(
            "%(found)s records fit, and nobody looks through more than %(most)s. Say more exactly what is meant."
        )
        raise Refused(message % said, ground=Ground.INVALID)
    return found


def _check_long_enough(text: str) -> None:
    if len(text.strip()) < SHORTEST:
        said = {"text": text, "number": SHORTEST}
        message = _("“%(text)s” occurs everywhere. Give at least %(number)s characters.") % said
        raise Refused(message, ground=Ground.INVALID)


def _exact(asked: Asked) -> Iterator[int]:
    named = Q(pk__in=asked.records) | Q(key__in=_bytes(asked.keys))
    sources = Source.objects.values_list("pk", flat=True)
    by_name = Q(source__in=list(sources), external_id__in=asked.external_ids)
    for condition, is_asked in ((named, asked.records or asked.keys), (by_name, asked.external_ids)):
        if is_asked:
            yield from Record.objects.filter(condition).values_list("pk", flat=True)[: MOST + 1]
    for author in asked.authors:
        _check_named(author)
        yield from _by_rights(Q(holder__contains=author) | Q(published_text__contains=author))
        yield from _by_origin(author)
    for address in asked.addresses:
        _check_long_enough(address)
        yield from _by_rights(Q(source_address__contains=address) | Q(evidence__contains=address))
        yield from _by_origin(address)


def _check_named(author: str) -> None:
    if len(author.strip()) < 2:  # noqa: PLR2004  the shortest Chinese names
        message = _("“%(text)s” is too short for a name.") % {"text": author}
        raise Refused(message, ground=Ground.INVALID)


def _bytes(keys: Iterable[str]) -> list[bytes]:
    try:
        return [bytes.fromhex(key) for key in keys]
    except ValueError as error:
        raise Refused(_("A key is written as 64 hexadecimal digits."), ground=Ground.INVALID) from error


def _by_rights(said: Q) -> Iterator[int]:
    """Return the records whose own rights say so, and those of an import that all have them."""
    rights = Rights.objects.filter(said)
    yield from rights.filter(scope="record").values_list("record", flat=True)[: MOST + 1]
    own = Record.objects.filter(rights=None, batch__rights__in=rights.filter(scope="batch"))
    yield from own.values_list("pk", flat=True)[: MOST + 1]


def _by_origin(text: str) -> Iterator[int]:
    """Return the records whose origin tells the text, and those in whose wordings it stands."""
    yield from origins.telling(text, most=MOST + 1)
    yield from _containing(text)


def _containing(passage: str) -> Iterator[int]:
    """Yield the records of which any wording holds the passage, whatever its case and its white space."""
    clauses = _clauses(passage)
    if not clauses:
        yield from _holding(passage, _every_record())
        return
    indexed = search.candidates(clauses)
    yield from _holding(passage, indexed)
    yield from _holding(passage, sorted(set(search.beyond()).difference(indexed)))


def _clauses(passage: str) -> list[str]:
    """Return the longest stretches of a passage without a mark or a blank: white space seldom stands inside of one."""
    stretches = re.findall(r"\w{2,}", passage) or re.findall(r"\S{2,}", passage)
    return sorted(set(stretches), key=lambda each: (-len(each), each))[:CLAUSES]


def _holding_any(texts: Sequence[str]) -> Iterator[int]:
    """Yield the indexed records of which a wording holds one of these texts."""
    squeezed_texts = [squeezed(text) for text in texts]
    meant = search.candidates_of_each([max(_clauses(text[:BEGINNING]) or [""], key=len) for text in texts])
    for part in batched(sorted(meant), AT_ONCE):
        wordings = Revision.objects.filter(record__in=part).values_list("record", "instruction", "input", "output")
        for record, *parts in wordings.iterator(chunk_size=AT_ONCE):
            whole = squeezed(*parts)
            if any(squeezed_texts[place] in whole for place in meant[record]):
                yield record


def _every_record() -> Iterator[int]:
    """Yield all there are: for a passage that the index knows nothing of, such as one of single characters."""
    yield from Record.objects.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=AT_ONCE)


def _holding(passage: str, records: Iterable[int]) -> Iterator[int]:
    """Yield those of the records of which a wording holds the passage; not more than a request may find."""
    wanted = squeezed(passage)
    clause = max(_clauses(passage) or [""], key=len)
    fold = "lower" if clause.lower() != clause.upper() else ""
    holds = " OR ".join(f"strpos({fold}({name}), %(clause)s) > 0" for name in ("output", "instruction", "input"))
    sql = (
        "SELECT record_id, instruction, input, output FROM review_revision"  # noqa: S608  names of columns
        f" WHERE record_id = ANY(%(records)s) AND ({holds})"
    )
    number = 0
    for part in batched(records, AT_ONCE):
        with connection.cursor() as cursor:
            cursor.execute(sql, {"clause": clause.lower() if fold else clause, "records": list(part)})
            for record, *texts in cursor:
                if wanted in squeezed(*texts):
                    yield record
                    number += 1
        if number > MOST:
            return
