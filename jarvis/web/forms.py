"""A multipart form (RFC 7578) with one file becomes typed values. Pure; bounded in parts."""

from collections.abc import Sequence
from typing import TypeVar, cast

import msgspec
from multipart import (
    MultipartError,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,  # pyright: ignore[reportUnknownVariableType] it has no types
)

from jarvis.core.errors import Invalid
from jarvis.web.query import decode_strings

MEDIA_TYPE = "multipart/form-data"
MAX_PARTS = 16
MAX_FIELD_BYTES = 16 * 1024

T = TypeVar("T")


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """The first file, under the name that it came by, and the other parts as (name, text)."""

    file: bytes
    file_name: str
    fields: list[tuple[str, str]]

    def decode(self, type: type[T]) -> T:  # noqa: A002 as in decode_json
        """Convert the fields as a query's are. Raises Invalid."""
        return decode_strings(self.fields, type)


def is_form(content_type: str) -> bool:
    return _parsed(content_type)[0] == MEDIA_TYPE


def read_form(body: bytes, content_type: str, *, file_names: Sequence[str]) -> Form:
    """Take a body apart; whatever a part says of itself, it is a file by its name alone. Raises Invalid."""
    _, options = _parsed(content_type)
    parts: list[tuple[str, bytes]] = []
    try:
        with PushMultipartParser(
            options.get("boundary", ""),
            content_length=len(body),
            max_segment_size=len(body),
            max_segment_count=MAX_PARTS,
            strict=True,
        ) as parser:
            name, pieces = "", list[bytes]()
            for event in parser.parse(body):
                match event:
                    case None:
                        parts.append((name, pieces[0] if len(pieces) == 1 else b"".join(pieces)))
                    case bytes():
                        pieces.append(event)
                    case _:
                        name, pieces = event.name or "", []
    except ParserLimitReached:
        raise Invalid("", f"The form has more than {MAX_PARTS} parts, or one with too long a head.") from None
    except MultipartError:
        raise Invalid("", "The form is not complete, or not made as RFC 7578 has it.") from None
    return _form(parts, file_names)


def _parsed(content_type: str) -> tuple[str, dict[str, str]]:
    return cast("tuple[str, dict[str, str]]", parse_options_header(content_type))


def _form(parts: Sequence[tuple[str, bytes]], file_names: Sequence[str]) -> Form:
    files = [(name, content) for name, content in parts if name in file_names]
    if len(files) != 1:
        expected = " or ".join(file_names)
        raise Invalid(file_names[0], f"is needed once, as a part named {expected}")
    ((file_name, file),) = files
    fields = [(name, _text(name, content)) for name, content in parts if name not in file_names]
    return Form(file=file, file_name=file_name, fields=fields)


def _text(name: str, content: bytes) -> str:
    if len(content) > MAX_FIELD_BYTES:
        raise Invalid(name, f"has more than {MAX_FIELD_BYTES} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise Invalid(name, "is not valid UTF-8") from None
    if "\0" in text:
        raise Invalid(name, "holds a NUL character")
    return text
