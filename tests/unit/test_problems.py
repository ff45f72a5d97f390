"""Every failure as the document a client reads."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from litestar.exceptions import (
    HTTPException,
    InternalServerException,
    MethodNotAllowedException,
    NotFoundException,
)
from structlog.testing import capture_logs

from jarvis.core.errors import (
    PROBLEMS,
    Draining,
    Invalid,
    JarvisError,
    NotFound,
    Overloaded,
    Refused,
    Unavailable,
)
from jarvis.core.types import Message
from jarvis.web.body import BodyUnread
from jarvis.web.problems import StoredTurn, answer_problem, error_of, log_bug

ID = UUID("0190163d-8694-739b-aea5-966c26f8ad91")


def test_the_document_holds_what_the_contract_names_and_nothing_else() -> None:
    answer = answer_problem(NotFound("conversation"), "r-1")
    assert answer.status == 404
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "Not found",
        "status": 404,
        "detail": "There is no such conversation.",
        "code": "not_found",
        "request_id": "r-1",
    }
    assert dict(answer.headers) == {
        b"content-type": b"application/problem+json",
        b"content-length": str(len(answer.body)).encode(),
    }


def test_an_invalid_request_lists_its_fields() -> None:
    document = json.loads(answer_problem(Invalid("memories[3].content", "is required"), "r").body)
    assert document["errors"] == [{"field": "memories[3].content", "message": "is required"}]


@pytest.mark.parametrize("partial", [None, "some"])
def test_a_stored_turn_is_told_with_its_partial_answer_or_null(partial: str | None) -> None:
    at = datetime(2026, 11, 21, tzinfo=UTC)
    message = partial and Message(
        id=ID,
        conversation_id=ID,
        turn_id=ID,
        role="assistant",
        content=partial,
        status="failed",
        alternative_of=None,
        created_at=at,
        updated_at=at,
        timestamp=at,
        metadata=None,
    )
    stored = StoredTurn(turn_id=ID, conversation_id=ID, message_id=ID, partial=message or None)
    document = json.loads(answer_problem(Unavailable("llm", "It went away."), "r", stored=stored).body)
    assert (document["code"], document["turn_id"], document["message_id"]) == (
        "llm_unavailable",
        str(ID),
        str(ID),
    )
    assert document["conversation_id"] == str(ID)
    assert (document["partial"] and document["partial"]["content"]) == partial


@pytest.mark.parametrize("wanted_s", [None, 0, 5, 30, 4000])
def test_503_names_a_wait_between_1_and_30(wanted_s: int | None) -> None:
    error = Overloaded("full")
    error.retry_after_s = wanted_s
    wait_s = int(dict(answer_problem(error, "r").headers)[b"retry-after"])
    assert wait_s == min(max(wanted_s or 1, 1), 30)


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_every_code_is_answered_with_its_status(code: str) -> None:
    answer = answer_problem(Refused(code, "why"), "r")
    document = json.loads(answer.body)
    assert (answer.status, document["status"], document["title"]) == (
        *[PROBLEMS[code][0]] * 2,
        PROBLEMS[code][1],
    )
    assert (b"retry-after" in dict(answer.headers)) == (answer.status in {429, 503})


def test_an_unread_body_ends_the_connection() -> None:
    assert dict(answer_problem(BodyUnread("too_large", "why"), "r").headers)[b"connection"] == b"close"
    assert b"connection" not in dict(answer_problem(Refused("too_large", "why"), "r").headers)


@pytest.mark.parametrize(
    ("exc", "code"),
    [
        (NotFoundException(), "not_found"),
        (MethodNotAllowedException(), "method_not_allowed"),
        (HTTPException(status_code=413), "too_large"),
        (HTTPException(status_code=400, detail="SELECT secret"), "invalid_request"),
        (HTTPException(status_code=418), "invalid_request"),
        (InternalServerException("SELECT secret"), "internal"),
        (RuntimeError("SELECT secret"), "internal"),
        (Draining(), "draining"),
    ],
)
def test_whatever_is_raised_becomes_one_of_our_codes_and_leaks_nothing(exc: Exception, code: str) -> None:
    error = error_of(exc)
    assert error.code == code
    assert b"secret" not in answer_problem(error, "r").body


def _fail(text: str) -> None:
    try:
        dict[str, str]()[text]
    except KeyError as exc:
        raise ExceptionGroup(text, [ValueError(text)]) from exc


def test_a_bug_is_logged_with_its_place_and_without_what_it_says() -> None:
    said = "what the " + "user said"
    scope = {"type": "http", "method": "GET", "path_template": "/api/chat", "state": {"request_id": "r-9"}}
    with capture_logs() as lines:
        try:
            _fail(said)
        except ExceptionGroup as exc:
            log_bug(exc, scope)
    (line,) = lines
    assert (line["event"], line["log_level"], line["request_id"], line["route"]) == (
        "bug",
        "error",
        "r-9",
        "/api/chat",
    )
    for expected in ("_fail", "test_problems.py", "KeyError", "ExceptionGroup", "ValueError"):
        assert expected in line["traceback"]
    assert said not in repr(lines)


def test_our_own_error_passes_as_it_is() -> None:
    error = JarvisError("x")
    assert error_of(error) is error
