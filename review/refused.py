"""How a verb says no."""

from enum import StrEnum


class Ground(StrEnum):
    """Why: decides the status that a page or the API answers with."""

    FORBIDDEN = "forbidden"
    CONFLICT = "conflict"
    INVALID = "invalid"


class Refused(Exception):  # noqa: N818  it is an answer, not an error
    """A verb was asked for something that may not be. Nothing was changed; `message` is for the person who asked.

    `fields` holds, for an invalid form, the messages by field.
    """

    def __init__(
        self, message: object, *, ground: Ground = Ground.CONFLICT, fields: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.ground = ground
        self.fields = fields or {}

    def __str__(self) -> str:
        return str(self.message)
