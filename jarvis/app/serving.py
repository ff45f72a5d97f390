"""`jarvis serve`: from the settings to a listening server, and its orderly end."""

import asyncio
import os
import signal
import socket

import anyio
import structlog

from jarvis import __version__
from jarvis.app.assembly import Assembly, open_assembly
from jarvis.settings import Settings
from jarvis.telemetry import RequestLog
from jarvis.web.application import create_app
from jarvis.web.asgi import ASGIApp
from jarvis.web.closing import RESTART
from jarvis.web.context import Bounds, Services
from jarvis.web.edge import EdgeConfig
from jarvis.web.server import bind, serve

DRAINING = "draining"
TRUSTED = "TRUST_NETWORK is set: whoever reaches this address can read and write everything."

log = structlog.stdlib.get_logger("jarvis")


class AddressUnusable(Exception):
    """The address is taken or not ours; the text says which and what to do."""


async def run_server(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends the process at once, with code 1.

    A signal during the start ends that. Raises AddressUnusable, and what `open_assembly` raises.
    """
    signals = _Signals()
    listener = await _bind(settings)
    try:
        async with open_assembly(settings, place=_place(listener.getsockname())) as assembly:
            signals.started()
            await _serve(settings, assembly, listener, signals)
    except asyncio.CancelledError:
        if not signals.ended_the_start:
            raise
    finally:
        listener.close()
    log.info("stopped")
    return 0


async def _bind(settings: Settings) -> socket.socket:
    try:
        return await bind(settings.host, settings.port)
    except OSError as exc:
        raise AddressUnusable(
            f"Jarvis cannot listen on {settings.host}, port {settings.port}: {exc.strerror or exc}. "
            "Is another server running there? Stop it, or choose another PORT (or HOST)."
        ) from exc


async def _serve(
    settings: Settings, assembly: Assembly, listener: socket.socket, signals: "_Signals"
) -> None:
    port: int = listener.getsockname()[1]
    app = build_app(settings, assembly, port=port)
    stop = asyncio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_leave, settings, assembly.services, signals, stop)
        if not settings.on_loopback and not settings.signs_in:
            log.warning("network.trusted", detail=TRUSTED)
        log.info("listening", url=f"http://{_host_in_url(settings.host)}:{port}", version=__version__)
        await serve(app, listener, stop=stop)
        tasks.cancel_scope.cancel()


def build_app(settings: Settings, assembly: Assembly, *, port: int) -> ASGIApp:
    """Build the application of an open assembly, for a server that listens on `port`."""
    return create_app(
        assembly.services,
        bounds=Bounds(
            max_body_bytes=settings.max_body_bytes,
            max_message_chars=settings.max_message_chars,
            max_answer_bytes=settings.max_answer_bytes,
            max_ws_frame_bytes=settings.max_ws_frame_bytes,
            max_audio_bytes=settings.max_audio_bytes,
            body_deadline_s=settings.request_timeout_secs,
        ),
        edge=EdgeConfig(
            loopback=settings.on_loopback,
            port=port,
            allowed_origins=settings.allowed_origins,
            allowed_hosts=settings.allowed_hosts,
        ),
        access=assembly.access,
        metrics=assembly.metrics.requests,
        log=RequestLog(settings.log_level, settings.log_format),
        version=__version__,
        with_schema=settings.schema == "on",
    )


async def _leave(settings: Settings, services: Services, signals: "_Signals", stop: asyncio.Event) -> None:
    """Wait for the first signal, then end in the contract's order (section 9, Stopping)."""
    received = await signals.first()
    services.health.not_ready[DRAINING] = None
    idle = settings.on_loopback and not services.turns.inflight
    delay_s = 0 if received is signal.SIGINT or idle else settings.drain_delay_secs
    log.info("draining", signal=received.name, delay_s=delay_s, turns=services.turns.inflight)
    await asyncio.sleep(delay_s)
    await services.turns.drain(settings.drain_secs)
    await services.sockets.close_all(RESTART)
    stop.set()


class _Signals:
    """SIGTERM and SIGINT: the first ends the start, or is awaited; a second ends the process at once.

    To be made in the task that starts the server.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._starting = asyncio.current_task()
        self.ended_the_start = False
        self._first: asyncio.Future[signal.Signals] = self._loop.create_future()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._take, number)

    def started(self) -> None:
        """From now on the first signal cancels nothing."""
        self._starting = None

    async def first(self) -> signal.Signals:
        return await self._first

    def _take(self, number: signal.Signals) -> None:
        if self._first.done():
            os._exit(1)  # children end with us: each has PR_SET_PDEATHSIG
        self._first.set_result(number)
        if self._starting is not None:
            self.ended_the_start = self._starting.cancel()


def _place(address: tuple[str, int]) -> str:
    """Name what only one process can be: this machine's port."""
    return f"{socket.gethostname()}:{address[1]}"


def _host_in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
