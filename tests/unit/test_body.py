"""Reading a body: its type, its size, its deadline, and a client that leaves."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from jarvis.core.errors import Refused
from jarvis.web.asgi import Event, Header, Scope
from jarvis.web.body import BodyUnread, ClientGone, check_json_headers, read_body, read_json

JSON: Header = (b"content-type", b"application/json")


def scope(*headers: Header) -> Scope:
    return {"type": "http", "headers": list(headers)}


def body_events(*chunks: bytes) -> Callable[[], Awaitable[Event]]:
    events = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    events[-1]["more_body"] = False

    async def receive() -> Event:
        return events.pop(0)

    return receive


async def never_called() -> Event:
    pytest.fail("the body was read")


async def test_chunks_are_joined() -> None:
    assert await read_body(scope(), body_events(b"a", b"", b"b"), max_bytes=2, deadline_s=1) == b"ab"


async def test_content_length_refuses_before_a_byte_is_read() -> None:
    for length in (b"3", b"9" * 30):
        with pytest.raises(BodyUnread) as caught:
            await read_body(scope((b"content-length", length)), never_called, max_bytes=2, deadline_s=1)
        assert (caught.value.status, caught.value.code) == (413, "too_large")


async def test_counting_refuses_what_no_content_length_announced() -> None:
    receive = body_events(b"a", b"b", b"c", b"d")
    with pytest.raises(BodyUnread) as caught:
        await read_body(scope(), receive, max_bytes=2, deadline_s=1)
    assert caught.value.code == "too_large"
    assert (await receive())["body"] == b"d"  # it stopped at the first byte too many


async def test_a_body_that_does_not_arrive_in_time_is_refused() -> None:
    async def receive() -> Event:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(BodyUnread) as caught:
        await read_body(scope(), receive, max_bytes=2, deadline_s=0)
    assert (caught.value.status, caught.value.code) == (400, "invalid_request")


async def test_a_client_that_leaves_is_no_exception_a_handler_could_answer() -> None:
    async def receive() -> Event:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientGone) as caught:
        await read_body(scope(), receive, max_bytes=2, deadline_s=1)
    assert not isinstance(caught.value, Exception)


@pytest.mark.parametrize(
    "content_type",
    [
        b"application/json",
        b"Application/JSON",
        b"application/json; charset=utf-8",
        b'application/json;charset="UTF-8"',
        b"application/json; version=1",
    ],
)
def test_json_is_taken(content_type: bytes) -> None:
    check_json_headers(scope((b"content-type", content_type), (b"content-encoding", b"identity")))


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="none"),
        pytest.param([JSON, JSON], id="twice"),
        pytest.param([(b"content-type", b"text/plain")], id="text"),
        pytest.param([(b"content-type", b"application/x-www-form-urlencoded")], id="form"),
        pytest.param([(b"content-type", b"application/jsonp")], id="prefix"),
        pytest.param([(b"content-type", b"text/plain; application/json")], id="hidden in a parameter"),
        pytest.param([(b"content-type", b"application/json; charset=latin-1")], id="other charset"),
        pytest.param([JSON, (b"content-encoding", b"gzip")], id="compressed"),
    ],
)
def test_anything_else_is_415(headers: list[Header]) -> None:
    with pytest.raises(Refused) as caught:
        check_json_headers(scope(*headers))
    assert (caught.value.status, caught.value.code) == (415, "unsupported_media_type")


async def test_read_json_does_all_of_it() -> None:
    class Say(msgspec.Struct):
        message: str

    said = await read_json(
        scope(JSON), body_events(b'{"message"', b': "hi"}'), Say, max_bytes=99, deadline_s=1
    )
    assert said == Say("hi")
