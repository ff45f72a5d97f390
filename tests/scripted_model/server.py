"""The scripted model server: listens, lets each request be routed, scripted, delivered and logged."""

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from tests.scripted_model import wire
from tests.scripted_model.call import GENERATING, Call, Kind, Usage, numbered_words, tokenise
from tests.scripted_model.catalogue import CHAT_MODEL, EMBEDDING_MODEL, Catalogue, Model
from tests.scripted_model.connection import Connection
from tests.scripted_model.control import Control, is_control
from tests.scripted_model.delivery import Answer, Delivery
from tests.scripted_model.gates import Gates
from tests.scripted_model.log import Event, Log, Record
from tests.scripted_model.ollama import PULL_STEPS
from tests.scripted_model.routes import Routed, Routes
from tests.scripted_model.scripts import PLAIN, Playbook, Rule, Script
from tests.scripted_model.wire import Malformed, Request

T = TypeVar("T")


class ScriptedModel:
    """A model server whose every answer is decided by the test. Use as an async context manager.

    In the test's own loop, or as a process of its own (`python -m tests.scripted_model`), then told over
    `POST /__script__` and asked over `GET /__log__` and `GET /__wait__`.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        models: Iterable[Model] = (CHAT_MODEL, EMBEDDING_MODEL),
        default: Script = PLAIN,
        embedding_dimensions: int = 64,
        bytes_per_token: float = 4.0,
        keep: int | None = None,
        on_event: Callable[[Event, Record], None] | None = None,
    ) -> None:
        self.log = Log(keep=keep, on_event=on_event)
        self._host = host
        self._port = port
        self._catalogue = Catalogue(models)
        self._playbook = Playbook(default)
        self._gates = Gates()
        self._routes = Routes(
            self._catalogue, dimensions=embedding_dimensions, bytes_per_token=bytes_per_token
        )
        self._control = Control(self._playbook, self._gates, self.log)
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        return self._port

    @property
    def tasks(self) -> frozenset[asyncio.Task[None]]:
        """Return its own tasks, one for each connection, which in a test's loop are among all others."""
        return frozenset(self._tasks)

    @property
    def url(self) -> str:
        """Return what Ollama clients are given."""
        return f"http://{self._host}:{self._port}"

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    def script(self, script: Script, *, match: str = "", kind: Kind | None = None) -> None:
        """Answer so whenever the last user message contains `match`; the newest rule that fits wins."""
        self._playbook.add(Rule(script=script, match=match, kind=kind))

    def script_next(self, script: Script, *, match: str = "", kind: Kind | None = None) -> None:
        """Answer the next request that fits so; several are used in the order given, before any `script`."""
        self._playbook.add(Rule(script=script, match=match, kind=kind, once=True))

    def clear_scripts(self) -> None:
        self._playbook.clear()

    def release(self, gate: str | None = None) -> None:
        """Open a gate for good, or without a name let the requests go on that hang now."""
        self._gates.release(gate)

    async def wait_for(self, predicate: Callable[[Log], T], *, timeout_s: float = 10.0) -> T:
        """Return the predicate's first true value, asked now and after every event; raise TimeoutError."""
        return await self.log.wait_for(predicate, timeout_s=timeout_s)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(self._serve, self._tasks), self._host, self._port, backlog=1024
        )
        self._port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        if self._listener is not None:
            self._listener.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, connection: Connection) -> None:
        try:
            while True:
                request = await connection.next_request()
                if is_control(request.path):
                    await self._obey(connection, request)
                else:
                    await self._answer(connection, request)
                if not request.keep_alive:
                    return
        except Malformed as error:
            body = msgspec.json.encode({"error": str(error)})
            connection.write(wire.head(400, "application/json", body_bytes=len(body)) + body)
        except asyncio.CancelledError:
            # The client left or the server closes: the log has it, and nobody waits for this task.
            connection.abort()
        finally:
            connection.close()

    async def _obey(self, connection: Connection, request: Request) -> None:
        status, body = await self._control.obey(request)
        connection.write(wire.head(status, "application/json", body_bytes=len(body)) + body)
        await connection.drain()

    async def _answer(self, connection: Connection, request: Request) -> None:
        routed = self._routes.route(request)
        record = self.log.start(routed.call)
        script = self._playbook.choose(routed.call)
        if routed.refusal is not None:
            script = Script(fault=routed.refusal)
        delivery = Delivery(
            connection=connection,
            script=script,
            answer=self._say(routed, script),
            log=self.log,
            record=record,
            gates=self._gates,
        )
        try:
            outcome = await delivery.deliver()
        except asyncio.CancelledError:
            gone_s = connection.left_s
            self.log.end(record, "server_closed" if gone_s is None else "client_disconnected", ended_s=gone_s)
            raise
        if routed.call.kind == "pull" and outcome == "complete":
            self._catalogue.add(routed.call.model)
        self.log.end(record, outcome)

    def _say(self, routed: Routed, script: Script) -> Answer:
        call = routed.call
        pieces, done_reason = _pieces(call, script)
        usage = Usage(
            prompt_tokens=self._routes.prompt_tokens(call)
            if script.prompt_tokens is None
            else script.prompt_tokens,
            completion_tokens=len(pieces),
            done_reason=script.done_reason or done_reason,
        )
        return Answer(call=call, voice=routed.voice, pieces=pieces, usage=usage)


def _pieces(call: Call, script: Script) -> tuple[tuple[str, ...], str]:
    if call.kind == "pull":
        return PULL_STEPS, "stop"
    if call.kind not in GENERATING:
        return (), "stop"
    if not call.messages:
        return (), "load"
    if script.text is not None:
        pieces = tokenise(script.text)
    elif script.tokens is not None:
        pieces = numbered_words(script.tokens)
    else:
        pieces = tokenise(f"You said: {call.last_user_message}")
    if call.prefill:
        pieces = tokenise("".join(pieces).removeprefix(call.prefill))
    # Ollama takes a num_predict of -1 or -2 as no limit.
    if call.max_tokens is not None and 0 <= call.max_tokens < len(pieces):
        return pieces[: call.max_tokens], "length"
    return pieces, "stop"
