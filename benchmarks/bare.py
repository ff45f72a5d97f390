"""A route of Litestar's that does nothing, on the server that Jarvis uses. A program of its own."""

import asyncio
import gc
import os
from typing import Any

import uvloop
from litestar import Litestar, Request, get
from litestar.types import ASGIApp

from benchmarks.wire import WHO_BODY, WHO_PATH
from jarvis.web.responses import Body
from jarvis.web.server import bind, serve


@get(WHO_PATH)
async def whoami(request: Request[Any, Any, Any]) -> ASGIApp:
    del request
    return Body(WHO_BODY)


@get("/ready")
async def ready() -> ASGIApp:
    return Body(b"{}")


async def main() -> None:
    app = Litestar([whoami, ready], openapi_config=None, logging_config=None)
    listener = await bind("127.0.0.1", int(os.environ["PORT"]))
    gc.freeze()  # as Jarvis does when its model is there
    await serve(app, listener, stop=asyncio.Event())  # pyright: ignore[reportArgumentType] as in application.py


if __name__ == "__main__":
    uvloop.run(main())
