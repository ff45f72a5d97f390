"""A multipart form becomes a file and typed fields, or is refused naming what is wrong."""

import msgspec
import pytest

from jarvis.core.errors import Invalid
from jarvis.web.forms import MAX_FIELD_BYTES, MAX_PARTS, is_form, read_form

BOUNDARY = "------------------------d74496d66958873e"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


class Fields(msgspec.Struct):
    language: str = "auto"
    sample_rate: int | None = None


def part(name: str, content: bytes, *, file_name: str | None = None) -> bytes:
    named = f'; filename="{file_name}"' if file_name else ""
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode()
        + content
        + b"\r\n"
    )


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def read(body: bytes, content_type: str = CONTENT_TYPE) -> tuple[bytes, Fields]:
    made = read_form(body, content_type, file_names=("file", "audio"))
    return made.file, made.decode(Fields)


@pytest.mark.parametrize("name", ["file", "audio"])
def test_a_file_is_known_by_its_name_and_fields_are_typed(name: str) -> None:
    content = bytes(range(256)) * 300 + b"\r\n--almost the boundary"
    body = form(
        part("language", b"fr"), part(name, content, file_name="../x.exe"), part("sample_rate", b"8000")
    )

    assert read(body) == (content, Fields(language="fr", sample_rate=8000))


def test_unknown_fields_are_ignored() -> None:
    assert read(form(part("file", b"x"), part("model", b"whisper-1")))[0] == b"x"


def test_an_empty_file_is_a_file() -> None:
    assert read(form(part("file", b"", file_name="a.wav")))[0] == b""


@pytest.mark.parametrize(
    ("body", "field"),
    [
        pytest.param(form(part("language", b"fr")), "file", id="no file"),
        pytest.param(form(part("file", b"a"), part("audio", b"b")), "file", id="two files"),
        pytest.param(form(part("file", b"a"), part("sample_rate", b"many")), "sample_rate", id="no number"),
        pytest.param(
            form(part("file", b"a"), part("language", b"fr"), part("language", b"en")), "language", id="twice"
        ),
        pytest.param(form(part("file", b"a"), part("language", b"\xff")), "language", id="not UTF-8"),
        pytest.param(form(part("file", b"a"), part("language", b"f\0r")), "language", id="NUL"),
        pytest.param(
            form(part("file", b"a"), part("language", b"x" * (MAX_FIELD_BYTES + 1))), "language", id="long"
        ),
        pytest.param(form(*[part("file", b"")] * (MAX_PARTS + 1)), "", id="too many parts"),
        pytest.param(form(*[part("x", b"")] * 5_000), "", id="5,000 parts"),
        pytest.param(form(part("file", b"a"))[:-8], "", id="cut"),
        pytest.param(b"", "", id="empty"),
        pytest.param(b"no form at all", "", id="rubbish"),
    ],
)
def test_a_bad_form_is_refused_naming_the_field(body: bytes, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read(body)

    assert refused.value.errors[0].field == field


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_form_needs_a_boundary(content_type: str) -> None:
    with pytest.raises(Invalid):
        read(form(part("file", b"a")), content_type)


def test_only_forms_are_forms() -> None:
    assert is_form(CONTENT_TYPE)
    assert not is_form("application/json")
    assert not is_form("")
