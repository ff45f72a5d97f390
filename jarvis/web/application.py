"""The Litestar application: its routes and the one exception handler."""

from collections.abc import Iterable

from litestar import Litestar, route
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler
from litestar.types import ASGIApp as LitestarASGIApp

from jarvis.web import auth, chat, conversations, memory, models, probes, transcripts, turns, voice
from jarvis.web.access import Access
from jarvis.web.asgi import ASGIApp
from jarvis.web.context import Bounds, Services
from jarvis.web.edge import Edge, EdgeConfig, RequestLog, RequestMetrics
from jarvis.web.legacy import WithoutPrefix, synthesize_as_before
from jarvis.web.problems import log_websocket_bug, respond
from jarvis.web.responses import Body
from jarvis.web.schema import schema_routes
from jarvis.web.upgrading import socket

ROUTES = [
    chat.chat,
    chat.regenerate,
    conversations.history,
    conversations.messages,
    conversations.conversations,
    conversations.search,
    conversations.create,
    conversations.conversation,
    conversations.change,
    conversations.remove,
    transcripts.export,
    transcripts.import_,
    memory.add_memories,
    memory.search_memories,
    memory.search_by_address,
    memory.memories,
    memory.forget_all,
    memory.memory,
    memory.change_memory,
    memory.forget,
    voice.transcribe,
    voice.synthesize,
    voice.voices,
    voice.languages,
    synthesize_as_before,
    models.models,
    turns.turn,
    turns.events,
    turns.cancel,
    auth.login,
    auth.refresh,
    auth.register,
    auth.logout,
    auth.verify,
    auth.whoami,
    auth.keys,
    auth.add_key,
    auth.delete_key,
    socket,
    probes.health,
    probes.ready,
    probes.metrics,
]


def create_app(
    services: Services,
    *,
    bounds: Bounds,
    edge: EdgeConfig,
    access: Access,
    metrics: RequestMetrics,
    log: RequestLog,
    version: str,
    with_schema: bool,
) -> ASGIApp:
    """Build the ASGI application on open services; it opens and closes nothing itself."""
    routes = [*ROUTES, *(schema_routes(version) if with_schema else ())]
    litestar = Litestar(
        route_handlers=[*_options(routes), *routes],  # first, or Litestar makes its own
        exception_handlers={Exception: respond},
        after_exception=[log_websocket_bug],
        openapi_config=None,  # handlers answer in bytes, of which Litestar can say nothing; schema.py does
        state=State({"services": services, "bounds": bounds}),
        request_max_body_size=None,  # body.py bounds every body
        logging_config=None,
    )
    return Edge(
        WithoutPrefix(litestar),  # pyright: ignore[reportArgumentType] Litestar types its scopes more narrowly
        edge,
        access=access,
        metrics=metrics,
        log=log,
        health_body=lambda: services.health.body,
    )


def _options(routes: Iterable[BaseRouteHandler]) -> list[HTTPRouteHandler]:
    """Answer OPTIONS with all methods of a path: Litestar's own answer knows its first handler only."""
    methods: dict[str, set[str]] = {}
    for handler in routes:
        if isinstance(handler, HTTPRouteHandler):
            for path in handler.paths:
                methods.setdefault(path, {"OPTIONS"}).update(handler.http_methods)
    return [_allowing(path, allowed) for path, allowed in methods.items()]


def _allowing(path: str, methods: Iterable[str]) -> HTTPRouteHandler:
    answer = Body(b"", status=204, headers=((b"allow", ", ".join(sorted(methods)).encode()),))

    @route(path, http_method="OPTIONS")
    async def options() -> LitestarASGIApp:
        return answer

    return options
