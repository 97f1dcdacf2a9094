"""The container of a JSON array: its elements one by one, in bounded memory, each with its place in the file.

What stands between two elements is not judged: white space and commas are passed over, so that a missing or doubled
comma costs no record. An element that is not JSON is cut off where the next one visibly begins, so that an unclosed
quote or bracket costs one record and not all that follow.
"""

import re
from collections.abc import Generator, Iterator

from ingest.document import Refusal, Unreadable
from ingest.readers import encodings
from ingest.readers.piece import Piece
from review.text.strict import MAX_LINE_BYTES, Malformed, fault_position

BLOCK_BYTES = 1 << 16
EARLY_BYTES = 1 << 16
"""An element that is not complete by then is looked at for a fault, before more of the file is held."""
JOINT_BYTES = 256
"""How much of what stands between two elements is looked at for the second one's indentation."""

_WHITE = re.compile(rb"[ \t\r\n]*+")
_JOINT = re.compile(rb"[ \t\r\n,]*+")
_TO_MEMBER = re.compile(rb"[ \t\r\n,:]*+")
_NESTED = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
_IN_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_BARE = re.compile(rb'[^,\[\]{}"]*+')
_OPENING = re.compile(rb'\{[ \t\r\n]*+"[^"\\\r\n]{1,100}+"')
_INDENT = re.compile(rb"\n[ \t]*+\Z")
_QUOTE, _BACKSLASH, _CLOSED = ord('"'), ord("\\"), ord("]")
_OPEN, _CLOSED_OBJECT = ord("{"), ord("}")
_STRUCTURE = b'[]{}"'


def elements(
    stream: encodings.ByteSource, *, offset: int = 0, line: int = 0, encoding: str = "utf-8"
) -> Iterator[Piece | Refusal]:
    """Every element of the array in ``stream``, numbered from 1; positions are bytes of the file's UTF-8 form.

    Reading goes on after an element when its ``end`` and number are given. A refusal after which nothing can follow
    ends one byte beyond the file, so that a reading resumed there knows it. Raises ``Unreadable`` without an array.
    """
    window = _Window(encodings.transcribed(stream, encoding := encodings.resolved(stream, encoding)))
    if not (window.resume(offset) if offset else _enter_array(window)):
        return
    line = yield from _until_closed(window, line, encoding)
    if window.is_at_end():
        return
    window.at += 1
    window.skip(_WHITE)
    if not window.is_at_end():
        yield window.refuse_rest("after_array", line)


def members(
    stream: encodings.ByteSource, *, offset: int = 0, line: int = 0, encoding: str = "utf-8"
) -> Iterator[Piece | Refusal]:
    """Every element of the first list of objects in the one object that ``stream`` holds, as :func:`elements` does.

    What else stands in the object is passed over. Raises ``Unreadable`` when there is no such list.
    """
    window = _Window(encodings.transcribed(stream, encoding := encodings.resolved(stream, encoding)))
    if window.resume(offset) if offset else _enter_member(window):
        yield from _until_closed(window, line, encoding)


def _until_closed(window: "_Window", line: int, encoding: str) -> Generator[Piece | Refusal, None, int]:
    """Yield elements up to the closing bracket, at which the window then stands; at its end when there is none."""
    while True:
        joint = window.skip(_JOINT)
        line += 1
        if window.is_at_end():
            yield window.refuse_rest("array_not_closed", line)
            return line
        if window.data[window.at] == _CLOSED:
            return line
        element = _element(window, joint, line)
        yield element if encoding == "utf-8" else _checked(element, encoding)
        if element.end > window.offset:
            return line


class _Window:
    """The part of a stream that is looked at: ``data[at:]`` is what comes next, ``start`` the offset of ``data``."""

    def __init__(self, stream: encodings.ByteSource) -> None:
        self.stream = stream
        self.data, self.at, self.start = b"", 0, 0

    @property
    def offset(self) -> int:
        return self.start + self.at

    def resume(self, offset: int) -> bool:
        """Go to ``offset``, and say whether it lies within the file or directly at its end."""
        self.stream.seek(offset - 1)
        self.start = offset
        return bool(self.stream.read(1))

    def read_on(self) -> bool:
        """Hold one block more, and let go of what lies behind."""
        block = self.stream.read(BLOCK_BYTES)
        self.start += self.at
        self.data = self.data[self.at :] + block
        self.at = 0
        return bool(block)

    def is_at_end(self) -> bool:
        return self.at == len(self.data) and not self.read_on()

    def skip(self, pattern: re.Pattern[bytes]) -> bytes:
        """Pass over all that matches; its last ``JOINT_BYTES`` are returned."""
        passed = b""
        while True:
            begin, self.at = self.at, _reach(pattern, self.data, self.at, len(self.data))
            passed = (passed + self.data[begin : self.at])[-JOINT_BYTES:]
            if self.at < len(self.data) or not self.read_on():
                return passed

    def refuse_rest(self, code: str, line: int) -> Refusal:
        """A refusal of all that is left, which is read to its end."""
        self.read_on()
        begin, head = self.offset, self.data
        while True:
            self.at = len(self.data)
            if not self.read_on():
                return Refusal.because(Malformed(code), line=line, offset=begin, end=self.offset + 1, raw=head)


def _enter_array(window: _Window) -> bool:
    """Pass over the opening bracket; False when the file is empty."""
    window.read_on()
    if window.data.startswith(encodings.byte_order_mark("utf-8")):
        window.at = len(encodings.byte_order_mark("utf-8"))
    window.skip(_WHITE)
    if window.is_at_end():
        return False
    if window.data[window.at] != ord("["):
        raise Unreadable("not_an_array")
    window.at += 1
    return True


def _enter_member(window: _Window) -> bool:
    """Pass over all that stands before the first element of the first list of objects; False when the file is empty."""
    window.read_on()
    if window.data.startswith(encodings.byte_order_mark("utf-8")):
        window.at = len(encodings.byte_order_mark("utf-8"))
    window.skip(_WHITE)
    if window.is_at_end():
        return False
    if window.data[window.at] != _OPEN:
        raise Unreadable("no_list")
    window.at += 1
    while window.skip(_TO_MEMBER) is not None and not window.is_at_end() and window.data[window.at] != _CLOSED_OBJECT:
        if _enter_list_of_objects(window):
            return True
    raise Unreadable("no_list")


def _enter_list_of_objects(window: _Window) -> bool:
    """Pass over a key or a value; True, and before its first element, when that is a list of objects."""
    course: _Nesting | _Bare = _Nesting() if window.data[window.at] in _STRUCTURE else _Bare()
    if window.data[window.at] == ord("["):
        window.at += 1
        window.skip(_WHITE)
        if not window.is_at_end() and window.data[window.at] == _OPEN:
            return True
        course = _Nesting(depth=1)
    _skip_element(window, course)
    return False


class _Nesting:
    """How far an element has been followed: open brackets, and whether within a string or just after a backslash."""

    def __init__(self, depth: int = 0) -> None:
        self.depth = depth
        self.quoted = self.escaped = False

    def follow(self, data: bytes, at: int, stop: int) -> tuple[int, bool]:
        """Go on from ``at``, first from a sign of structure; returns how far, and whether the element is complete."""
        while at < stop:
            if self.quoted:
                at = self._leave_string(data, at, stop)
            elif self.depth:
                at = _reach(_NESTED, data, at, stop)
            if at == stop:
                break
            self._count(data[at])
            at += 1
            if self.depth <= 0 and not self.quoted:
                return at, True
        return at, False

    def _leave_string(self, data: bytes, at: int, stop: int) -> int:
        """Go on within a string to its closing quote, or to ``stop``."""
        at = _reach(_IN_STRING, data, at + self.escaped, stop)
        self.escaped = at < stop and data[at] == _BACKSLASH
        return at + self.escaped

    def _count(self, sign: int) -> None:
        if sign == _QUOTE:
            self.quoted = not self.quoted
        else:
            self.depth += 1 if sign in b"[{" else -1


class _Bare:
    """What is neither an object, a list nor a string: it goes to the next sign of structure."""

    @staticmethod
    def follow(data: bytes, at: int, stop: int) -> tuple[int, bool]:
        reached = _reach(_BARE, data, at, stop)
        return reached, reached < stop


def _element(window: _Window, joint: bytes, line: int) -> Piece | Refusal:
    """The element that begins at the window; ``joint`` is what stands before it."""
    course = _Nesting() if window.data[window.at] in _STRUCTURE else _Bare()
    length, complete = 0, False
    for limit in (EARLY_BYTES, MAX_LINE_BYTES + 1):
        length, complete = _follow(window, course, length, limit)
        found = window.data[window.at : window.at + length]
        cut = _next_element(found, joint)
        if cut is not None:
            length, complete = cut, True
        if complete or length < limit:
            break
    raw = window.data[window.at : window.at + length]
    if complete and length <= MAX_LINE_BYTES:
        return _taken(window, raw, line)
    begin = window.offset
    window.at += length
    if length <= MAX_LINE_BYTES:
        return Refusal.because(Malformed("truncated"), line=line, offset=begin, end=window.offset + 1, raw=raw)
    ended = not (complete or _skip_element(window, course))
    fault = Malformed("line_too_long", limit=MAX_LINE_BYTES)
    return Refusal.because(fault, line=line, offset=begin, end=window.offset + ended, raw=raw)


def _follow(window: _Window, course: _Nesting | _Bare, length: int, limit: int) -> tuple[int, bool]:
    """Follow an element of which ``length`` bytes are known to at most ``limit`` bytes; shorter only at the end."""
    complete = False
    while not complete and length < limit:
        if window.at + length == len(window.data) and not window.read_on():
            break
        stop = min(len(window.data), window.at + limit)
        reached, complete = course.follow(window.data, window.at + length, stop)
        length = reached - window.at
    return length, complete


def _skip_element(window: _Window, course: _Nesting | _Bare) -> bool:
    """Pass over the rest of an element that is too long, without holding it; False when the file ends in it."""
    complete = False
    while not complete:
        if window.at == len(window.data) and not window.read_on():
            return False
        window.at, complete = course.follow(window.data, window.at, len(window.data))
    return True


def _taken(window: _Window, raw: bytes, line: int) -> Piece:
    """The element without the separators that a cut may have left at its end."""
    raw = raw.rstrip(b" \t\r\n,")
    begin = window.offset
    window.at += len(raw)
    return Piece(line, begin, window.offset, raw, raw)


def _checked(element: Piece | Refusal, encoding: str) -> Piece | Refusal:
    """A transcribed element, refused when anything of it could not be decoded."""
    if isinstance(element, Refusal) or encodings.UNDECODED not in element.raw:
        return element
    fault = Malformed("undecodable", encoding=encoding, byte=element.raw.index(encodings.UNDECODED) + 1)
    return Refusal.because(fault, line=element.line, offset=element.offset, end=element.end, raw=element.raw)


def _next_element(found: bytes, joint: bytes) -> int | None:
    """Where within ``found``, if it is not JSON, another element begins like the one at its beginning.

    In a file of many lines that is a line indented in the same way with the same first key; in a compact one the same
    first key after a closing brace or a comma. What lies before the fault is nested in good order and no beginning.
    """
    opening = _OPENING.match(found)
    fault = fault_position(found) if opening else None
    if not opening or fault is None:
        return None
    indent = _INDENT.search(joint)
    before = re.escape(indent[0]) if indent else rb"[},][ \t\r\n]*+"
    begins = re.compile(rb"(?:%b)(?=%b)" % (before, re.escape(opening[0])))
    return next((match.end() for match in begins.finditer(found) if match.end() + len(opening[0]) > fault), None)


def _reach(pattern: re.Pattern[bytes], data: bytes, at: int, stop: int) -> int:
    """How far ``pattern``, which also matches nothing, goes from ``at``."""
    match = pattern.match(data, at, stop)
    return match.end() if match else at
