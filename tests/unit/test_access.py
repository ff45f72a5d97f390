"""What a request's head says of who asks, and what a request counts as."""

from typing import Any

import pytest

from jarvis.core.errors import Unauthenticated
from jarvis.services.identity import Budget
from jarvis.web.access import budget_of
from jarvis.web.asgi import Header
from jarvis.web.head import Head

TOKEN, KEY = "eyJh.eyJz.c2ln", "jvk_0123abcd_secret"


def sent(*headers: tuple[str, str]) -> list[Header]:
    return [(name.encode(), value.encode()) for name, value in headers]


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ([], None),
        ([("cookie", f"token={TOKEN}"), ("proxy-authorization", f"Bearer {TOKEN}")], None),
        ([("authorization", f"Bearer {TOKEN}")], TOKEN),
        ([("authorization", f"bearer {TOKEN}")], TOKEN),
        ([("authorization", f"BEARER {KEY}")], KEY),
        ([("x-api-key", KEY)], KEY),
    ],
)
def test_one_token_is_found(headers: list[tuple[str, str]], token: str | None) -> None:
    assert Head(sent(*headers)).token == token


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", "")],
        [("authorization", TOKEN)],
        [("authorization", f"Basic {TOKEN}")],
        [("authorization", f"Bearer{TOKEN}")],
        [("authorization", f"Bearer\t{TOKEN}")],
        [("authorization", "Bearer jvk_\u00e9")],
        [("x-api-key", "")],
        [("x-api-key", TOKEN)],
        [("x-api-key", f"Bearer {KEY}")],
        [("x-api-key", KEY.upper())],
        [("x-api-key", f"{KEY}\u00e9")],
        [("authorization", f"Bearer {TOKEN}"), ("x-api-key", KEY)],
        [("authorization", f"Bearer {TOKEN}"), ("authorization", f"Bearer {TOKEN}")],
        [("authorization", "Basic x"), ("authorization", f"Bearer {TOKEN}")],
        [("x-api-key", KEY), ("x-api-key", KEY)],
        [("x-api-key", ""), ("x-api-key", KEY)],
    ],
    ids=str,
)
def test_what_is_neither_or_more_than_one_is_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(Unauthenticated):
        _ = Head(sent(*headers)).token


@pytest.mark.parametrize(
    ("method", "path", "budget"),
    [
        ("POST", "/api/chat", "chat"),
        ("POST", "/chat", "chat"),
        ("GET", "/api/chat", "reads"),
        ("POST", "/api/chat/conversation/1/regenerate", "chat"),
        ("POST", "/chat/conversation/1/regenerate", "chat"),
        ("GET", "/chat/conversation/1/regenerate", "reads"),
        ("POST", "/api/chat/conversation", "reads"),
        ("POST", "/api/chat/turns/1/cancel", "reads"),
        ("POST", "/api/memory/add", "reads"),
        ("POST", "/api/voice/transcribe", "voice"),
        ("POST", "/voice/synthesize", "voice"),
        ("GET", "/api/voice/voices", "voice"),
        ("GET", "/voices", "reads"),
        ("POST", "/api/auth/logout", "reads"),
        (None, "/ws", "reads"),
        ("POST", "/", "reads"),
    ],
)
def test_every_request_counts_as_something(method: str | None, path: str, budget: Budget) -> None:
    scope: dict[str, Any] = {} if method is None else {"method": method}
    assert budget_of(scope, path) == budget
