"""What Kubernetes and Prometheus ask. Nothing here waits: the answers lie ready."""

from typing import Any

import msgspec
from litestar import Request, get
from litestar.types import ASGIApp

from jarvis.web.context import services_of
from jarvis.web.responses import Body


@get("/health")
async def health(request: Request[Any, Any, Any]) -> ASGIApp:
    """Tell that the process lives, and how its services are."""  # the edge answers it, before it gets here
    return Body(services_of(request).health.body)


@get("/ready")
async def ready(request: Request[Any, Any, Any]) -> ASGIApp:
    """Tell whether requests should be sent here."""
    readiness = services_of(request).health.readiness()
    return Body(msgspec.json.encode(readiness), status=200 if readiness.ready else 503)


@get("/metrics")
async def metrics(request: Request[Any, Any, Any]) -> ASGIApp:
    """Return Prometheus' text format."""
    return Body(services_of(request).render_metrics(), media_type=b"text/plain; version=0.0.4; charset=utf-8")
