"""Requests that name what may be another's, made from the live OpenAPI document, and what they tell."""

import asyncio
import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import httpx
import msgspec

from jarvis.core.types import new_id
from tests.clients import SIDE_BY_SIDE, Json
from tests.isolation.inputs import operations, takes
from tests.isolation.stand import Stand, a_random_id

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
BODIES: Mapping[str, Json] = {
    "POST /api/chat/conversation/{conversation_id}/regenerate": {"stream": True},
    "PATCH /api/chat/conversation/{conversation_id}": {"title": "mine now", "status": "archived"},
    "PATCH /api/memory/{memory_id}": {"content": "My ferret is called mine now.", "importance": 1.0},
}
"""What is sent to the routes by id that take something."""
ACCEPTED = ("*/*", "text/event-stream")
UNHELD_S = 5.0
"""A stream that has not ended by then is one that should not have begun."""
REQUEST_ID = {"X-Request-ID": "the-same-for-all"}
SAYS_OTHERWISE = {"date", "ratelimit", "ratelimit-policy", "connection"}
"""The last one tells whether the body of a request that was refused had arrived by then."""
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
NUMBER = re.compile(r'("(?:response_time_ms|query_time_ms|prompt_tokens)": ?)\d+')
"""Of how long something took, and of an estimate that learns from what the model counts."""


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: list[tuple[str, str]]
    body: str

    def but(self, other: "Answer") -> str:
        """Tell in what it differs."""
        mine, others = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return "; ".join(f"{one}, not {two}" for one, two in zip(mine, others, strict=True) if one != two)


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """`request` makes of an id what httpx is to send; `covers` names inputs as `id_inputs` does."""

    name: str
    covers: frozenset[str] = frozenset()
    request: Callable[[str], Json]


async def ask(stand: Stand, headers: Mapping[str, str], request: Json) -> Answer:
    """Return the answer without what is another at every request."""
    wanted: Json = request | {"headers": {**headers, **request.get("headers", {}), **REQUEST_ID}}
    try:
        response = await stand.http.request(**wanted, timeout=UNHELD_S)
    except httpx.TimeoutException:
        return Answer(0, [], "did not end")
    kept = [(name, value) for name, value in response.headers.multi_items() if name not in SAYS_OTHERWISE]
    return Answer(response.status_code, sorted(kept), response.text)


def scrubbed(answer: Answer) -> Answer:
    """Leave out what differs between two things that were made the same way."""
    headers = [(name, scrubbed_text(value)) for name, value in answer.headers if name != "content-length"]
    return Answer(answer.status, headers, scrubbed_text(answer.body))


def scrubbed_text(text: str) -> str:
    return NUMBER.sub(r"\g<1>0", TIME.sub("then", UUID.sub("an id", text)))


async def differences(
    stand: Stand, headers: Mapping[str, str], probes: Iterable[Probe], ids: Mapping[str, str] | None = None
) -> list[str]:
    """Tell where the answer to an id of `ids` (none: all that ben has no part in) is not a random one's.

    Nothing is asked twice at once: who asks would wait for himself.
    """
    found: list[str] = []
    random: list[tuple[Probe, Answer]] = []
    for probe in probes:
        one, two = [await ask(stand, headers, probe.request(id_)) for id_ in (a_random_id(), str(new_id()))]
        random.append((probe, one))
        if one != two:
            found.append(f"{probe.name} at random ids: {two.but(one)}")
    waiting = iter((stand.theirs if ids is None else ids).items())

    async def lane() -> None:
        for what, id_ in waiting:
            for probe, expected in random:
                answer = await ask(stand, headers, probe.request(id_))
                if answer != expected:
                    found.append(f"{probe.name} of {what}: {answer.but(expected)}")

    async with asyncio.TaskGroup() as tasks:
        for _ in range(SIDE_BY_SIDE):
            tasks.create_task(lane())
    return found


def by_path(schema: Json) -> Iterator[Probe]:
    """Ask every route by id, as what it is for and with every other verb."""
    paths: set[str] = set()
    for method, path, operation in operations(schema):
        named = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
        if not named:
            continue
        (name,) = named
        key = f"{method} {path}"
        if "requestBody" in operation and key not in BODIES:
            raise AssertionError(f"{key} takes a body; give it one in BODIES")
        covers = frozenset({f"{key}: {name}"})
        if path not in paths:
            paths.add(path)
            yield from (_by_path(verb, path, name) for verb in VERBS)
        for accept in ACCEPTED:
            body = {"json": BODIES[key]} if key in BODIES else {}
            yield _by_path(method, path, name, covers, headers={"Accept": accept}, **body)
            if path.startswith("/api/chat"):
                bare = path.removeprefix("/api")
                yield _by_path(method, bare + "/", name, covers, headers={"Accept": accept}, **body)
        yield from _with_parameters(method, path, name, operation)


def _with_parameters(method: str, path: str, name: str, operation: Json) -> Iterator[Probe]:
    for place in ("0", "2", "1000000"):
        for parameter in operation["parameters"]:
            covers = frozenset({f"{method} {path}: {parameter['name']}"})
            match parameter["name"]:
                case "after":
                    yield _by_path(method, path, name, covers, params={"after": place})
                case "Last-Event-ID":
                    yield _by_path(method, path, name, covers, headers={"Last-Event-ID": place})
                case "format":
                    yield _by_path(method, path, name, params={"format": "markdown"})
                case _:
                    pass


def _by_path(method: str, path: str, name: str, covers: frozenset[str] = frozenset(), **sent: Any) -> Probe:
    def request(one: str) -> Json:
        return {"method": method, "url": path.replace(f"{{{name}}}", one), **sent}

    return Probe(
        name=f"{method} {path} {sent or ''}",
        covers=covers,
        request=request,
    )


def in_chat() -> Iterator[Probe]:
    """Say something in the conversation, in every way there is over HTTP, or look into it."""
    covers = frozenset({"POST /api/chat: conversation_id"})
    for if_busy in ("queue", "reject", "interrupt"):
        for stream in (False, True):
            for path in ("/api/chat", "/chat"):
                said = {"message": "mine", "if_busy": if_busy, "stream": stream}
                yield _in_body(path, said, covers)
    yield _in_body("/api/chat", {"content": "mine"}, covers, headers={"Accept": "text/event-stream"})
    for more in ({}, {"limit": 1}, {"offset": 1}, {"alternatives": "true"}, {"user_id": "anna"}):
        yield _in_query("/api/chat/history", dict(more))


def _in_body(path: str, said: Json, covers: frozenset[str], **sent: Any) -> Probe:
    def request(one: str) -> Json:
        return {"method": "POST", "url": path, "json": said | {"conversation_id": one}, **sent}

    return Probe(name=f"POST {path} {said}", covers=covers, request=request)


def _in_query(path: str, more: Json) -> Probe:
    def request(one: str) -> Json:
        return {"method": "GET", "url": path, "params": more | {"conversation_id": one}}

    covers = frozenset({f"GET {path}: conversation_id"})
    return Probe(name=f"GET {path} {more}", covers=covers, request=request)


def valid_requests(stand: Stand, who: str) -> dict[str, Json]:
    """Return what each operation that takes a `user_id` is sent, so that it does what it is for."""
    own = {"conversation_id": stand.mine[who]}
    words = {"q": "canaryanna ferret"}
    return {
        "POST /api/chat": {"json": {"message": "hello", "save_memory": False}},
        "GET /api/chat/history": {},
        "GET /api/chat/history/{conversation_id}": {"path": own},
        "GET /api/chat/conversations": {},
        "GET /api/chat/search": {"params": words},
        "POST /api/chat/conversation": {"json": {"title": "new"}},
        "GET /api/chat/conversation/{conversation_id}/export": {"path": own},
        "POST /api/chat/import": {
            "json": {"conversation": {"created_at": "2026-01-01T00:00:00Z"}, "messages": []}
        },
        "POST /api/memory/add": {"json": {"content": "The piano stands in the hall."}},
        "POST /api/memory/search": {"json": {"query": "canaryanna ferret"}},
        "GET /api/memory/search": {"params": words},
        "GET /api/memory/list": {},
        "DELETE /api/memory": {},
        "GET /api/chat/models": {},
        "GET /api/chat/turns/{turn_id}/events": {"path": {"turn_id": a_random_id()}},
    }


def by_name(schema: Json, valid: Mapping[str, Json]) -> Iterator[Probe]:
    """Name somebody in each operation that takes a name."""
    for method, path, operation in operations(schema):
        in_query, in_body = takes(schema, operation, "user_id")
        if path == "/ws" or not (in_query or in_body):
            continue
        sent = dict(valid[f"{method} {path}"])
        url = path.format(**sent.pop("path", {}))
        covers = frozenset({f"{method} {path}: user_id"})
        for name in ["params"] * in_query + ["json"] * in_body:

            def request(
                one: str, method: str = method, url: str = url, sent: Json = sent, name: str = name
            ) -> Json:
                return {"method": method, "url": url, **sent, name: sent.get(name, {}) | {"user_id": one}}

            yield Probe(name=f"{method} {path} in {name}", covers=covers, request=request)


def forged(cursor: str) -> str:
    """Return the same place in a list with a random id in it."""
    place = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    return base64.urlsafe_b64encode(UUID.sub(a_random_id(), place).encode()).decode().rstrip("=")


def ids_in(document: object) -> set[str]:
    return set(UUID.findall(json.dumps(document)))


def renamed(document: Json) -> Json:
    """Return the document with a random id for each that it has, the same for the same."""
    new: dict[str, str] = {}
    text = UUID.sub(lambda found: new.setdefault(found[0], a_random_id()), json.dumps(document))
    return json.loads(text)
