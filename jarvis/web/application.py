"""The Litestar application: its routes and the one exception handler."""

from litestar import Litestar
from litestar.datastructures import State

from jarvis.web import chat, conversations, probes, turns
from jarvis.web.asgi import ASGIApp
from jarvis.web.context import Bounds, Services
from jarvis.web.edge import Edge, EdgeConfig, RequestMetrics
from jarvis.web.legacy import WithoutPrefix
from jarvis.web.problems import log_websocket_bug, respond
from jarvis.web.schema import schema_routes
from jarvis.web.socket import socket

ROUTES = [
    chat.chat,
    chat.regenerate,
    conversations.history,
    conversations.messages,
    conversations.conversations,
    turns.turn,
    turns.events,
    turns.cancel,
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
    metrics: RequestMetrics,
    version: str,
    with_schema: bool,
) -> ASGIApp:
    """Build the ASGI application on open services; it opens and closes nothing itself."""
    litestar = Litestar(
        route_handlers=[*ROUTES, *(schema_routes(version) if with_schema else ())],
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
        metrics=metrics,
        health_body=lambda: services.health.body,
    )
