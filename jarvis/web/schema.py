"""The API's description, as OpenAPI and as a page that works offline."""

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from jarvis.web import auth, probes
from jarvis.web.described import DESCRIBED
from jarvis.web.memory_requests import (
    MAX_FOUND,
    AddRequest,
)
from jarvis.web.openapi import document
from jarvis.web.requests import (
    MAX_LIMIT,
    ChatRequest,
)
from jarvis.web.responses import Body

PATH = "/schema"
PAGE = Path(__file__).with_name("schema_page.html")

DESCRIPTION = f"""
A self-hosted conversational assistant. JSON in and out; ids are UUIDs, times RFC 3339 with their offset.
Every answer carries X-Request-ID. Errors are problem documents (RFC 9457) with a stable `code`.
Every path also answers with a trailing slash, and /api/chat... also without /api.
A list gives at most {MAX_LIMIT}.
""".strip()

SECURITY = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of /api/auth/login. AUTH_MODE=local needs none.",
    },
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A key of /api/auth/keys.",
    },
}
PUBLIC = (auth.login, auth.refresh, auth.register, probes.health, probes.ready, probes.metrics)
"""Where nobody needs to be signed in, register and metrics if the settings have it so."""

NOTES = {
    "limit": f"Above {MAX_LIMIT} (of a search for memories {MAX_FOUND}): taken as that.",
    "cursor": "`next_cursor` (or X-Next-Cursor) of the page before; stands instead of `offset`.",
    "offset": "How many to pass over; a cursor is exact also while something is added.",
    "conversation_id": "Absent: the conversation last active.",
    "alternatives": "Earlier answers too, those that were answered again.",
    "as_of": "What was true then, superseded since or not. With its offset, as RFC 3339 has it.",
    "since": "Only what is strictly later. With its offset, as RFC 3339 has it.",
    "after": "The last `seq` seen, where there is no Last-Event-ID. -1: from the start.",
    "user_id": "A profile of the owner, made on first use; absent: `default`. AUTH_MODE=jwt ignores it.",
    "q": (
        'Of conversations, part of a title. Of messages, words, French or English; "as a phrase", or, '
        "-without. Of memories, a question or words."
    ),
    "format": "Only what `json` gives can be imported.",
}


def schema_routes(version: str) -> list[HTTPRouteHandler]:
    """Make the two routes; the document is built when it is first asked for."""

    @cache
    def rendered() -> Body:
        return Body(msgspec.json.encode(describe(version)), media_type=b"application/vnd.oai.openapi+json")

    @get(f"{PATH}/openapi.json")
    async def openapi_json() -> ASGIApp:
        return rendered()

    shown = Body(
        PAGE.read_bytes(),
        media_type=b"text/html; charset=utf-8",
        headers=((b"content-security-policy", page_policy(PAGE.read_text(encoding="utf-8")).encode()),),
    )

    @get(PATH)
    async def page() -> ASGIApp:
        return shown

    return [openapi_json, page]


def describe(version: str) -> dict[str, Any]:
    """Build the OpenAPI document of all routes."""
    info = {"title": "Jarvis", "version": version, "description": DESCRIPTION}
    built = document(DESCRIBED, info=info, notes=NOTES)
    for shape, either in ((ChatRequest, ("message", "content")), (AddRequest, ("content", "memories"))):
        built["components"]["schemas"][shape.__name__]["oneOf"] = [{"required": [name]} for name in either]
    built["components"]["securitySchemes"] = SECURITY
    built["security"] = [{"token": []}, {"key": []}, {}]
    for handler in PUBLIC:
        for path in handler.paths:
            for operation in built["paths"][path].values():
                operation["security"] = []
    return built


def page_policy(page: str) -> str:
    """Allow the page its own script and style, by their hashes, and to ask its own origin; nothing else."""
    script, style = (_hash_of(tag, page) for tag in ("script", "style"))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash_of(tag: str, page: str) -> str:
    (text,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
