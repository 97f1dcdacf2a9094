"""What a record's text is known by: the key that finds exact duplicates, and the hash of one revision's content."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

# Neither byte occurs in UTF-8, so that no text can imitate the end of a field or of a list's item.
_FIELD_END = b"\xff"
_ITEM_END = b"\xfe"
_SPACE = re.compile(r"\s")
"""The white space of `str.split`."""


def duplicate_key(instruction: str, input: str, output: str) -> bytes:  # noqa: A002 -- the published field's name
    """32 bytes that are equal exactly when the three texts are, but for white space and canonical equivalence.

    White space is what ``str.split`` takes for it: every Unicode space and line separator, and U+001C to U+001F.
    It goes first and the rest is brought to NFC, so that neither order nor form of the original matters.
    """
    texts = (instruction, input, output)
    return duplicate_key_of(texts, [_encoded(text) for text in texts])


def duplicate_key_of(texts: Iterable[str], encoded: Iterable[bytes]) -> bytes:
    """The same of the three texts and of what they are encoded, which most of them are known by as they stand."""
    fields = [_canonical(text, body) for text, body in zip(texts, encoded, strict=True)]
    return hashlib.sha256(_FIELD_END.join(fields)).digest()


def content_hash(  # noqa: PLR0913 -- a revision's content has these eight parts
    *,
    instruction: str,
    input: str,  # noqa: A002 -- the published field's name
    output: str,
    major: Sequence[str],
    minor: Sequence[str],
    domain: Sequence[str],
    metadata: str,
    answer_from: str,
) -> bytes:
    """32 bytes that change with every change of a revision's content, be it one blank or the order of its labels."""
    texts = [_encoded(text) for text in (instruction, input, output, metadata, answer_from)]
    return content_hash_of(texts, joined_labels(major, minor, domain))


def content_hash_of(texts: Iterable[bytes], labels: bytes) -> bytes:
    """The same of texts that are encoded already, in the order of :func:`content_hash`, and of ``joined_labels``."""
    return hashlib.sha256(_FIELD_END.join([*texts, labels])).digest()


def joined_labels(*lists: Sequence[str]) -> bytes:
    """What goes into the hash for the three lists of labels."""
    return _FIELD_END.join([b"".join([_encoded(label) + _ITEM_END for label in given]) for given in lists])


def _canonical(text: str, encoded: bytes) -> bytes:
    if not text:
        return b""
    packed = "".join(text.split()) if _SPACE.search(text) else text  # to look takes a third of the time of splitting
    canonical = unicodedata.normalize("NFC", packed)
    return encoded if canonical == text else _encoded(canonical)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
