"""Bodies of the API."""

from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import get_language
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import JSONParser

from review.text.strict import MAX_LINE_BYTES, Malformed, parse


class StrictJsonParser(JSONParser):
    """JSON by the one strict parser: what it lets through can be stored, and answered with."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002
    ) -> Any:
        """Return the value of the body; 400 with the reason when it is not clean, 415 for any encoding but UTF-8."""
        charset = media_type.partition("charset=")[2].strip(' "').lower() if media_type else ""
        if charset not in {"", "utf-8", "utf8"}:
            raise UnsupportedMediaType(media_type or "")
        try:
            return parse(stream.read(MAX_LINE_BYTES + 1))
        except Malformed as malformed:
            raise ParseError(malformed.message(get_language() or "zh-hans")) from malformed
