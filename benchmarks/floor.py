"""The floor: what Jarvis does, by the least code, on the server that Jarvis uses. A program of its own.

Raw ASGI, msgspec and asyncpg; Jarvis' own SQL, so that the rows are the same. No limits, no errors, no log.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, cast

import asyncpg
import httpx
import msgspec
import uvloop

from benchmarks.wire import ANSWER_TEXT, HEALTH_BODY, MODEL, ChatIn, ModelPart, ModelRequest, Said
from jarvis.adapters.postgres import turn_statements as statements
from jarvis.adapters.postgres.begin_statements import BEGIN, BEGIN_IN_NEW_CONVERSATION, Begin
from jarvis.adapters.postgres.list_statements import HISTORY, Before
from jarvis.adapters.postgres.message_rows import MessageRow, message_of
from jarvis.adapters.postgres.statement import ArgumentsT, RowT, Statement
from jarvis.core.prompt import PERSONA
from jarvis.core.turn_store import Ending
from jarvis.core.types import (
    ChatAnswer,
    ChatCommand,
    ContextReport,
    HistoryReport,
    Message,
    MessageMetadata,
    Usage,
    new_id,
)
from jarvis.web.server import Receive, Scope, Send, bind, serve

LEASE = timedelta(seconds=15)
HEADERS = [
    (b"content-type", b"application/json"),
    (b"server", b"jarvis"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-request-id", b"0123456789abcdef-1"),
    (b"vary", b"Origin"),
]
_encode = msgspec.json.Encoder().encode
_chat_in = msgspec.json.Decoder(ChatIn).decode
_part = msgspec.json.Decoder(ModelPart).decode


async def run(connection: Any, statement: Statement[ArgumentsT, RowT], arguments: ArgumentsT) -> list[RowT]:
    return [statement.row(row) for row in await connection.fetch(statement.sql, *statement.values(arguments))]


class Floor:
    def __init__(self, pool: Any, user_id: Any, model: httpx.AsyncClient | None) -> None:
        self._pool = pool
        self._user_id = user_id
        self._opening = f"BEGIN; SET LOCAL ROLE jarvis_app; SET LOCAL jarvis.user_id = '{user_id.hex}'"
        self._model = model

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["path"]:
            case "/health" | "/ready":
                await answer(send, HEALTH_BODY)
            case "/api/chat":
                request = _chat_in((await receive())["body"])
                if request.stream:
                    await self._relay(request, send)
                else:
                    await answer(send, await self._turn(request))
            case "/ws":
                await self._socket(receive, send)
            case path:
                raise ValueError(path)

    async def _turn(self, request: ChatIn) -> bytes:
        started_at = time.perf_counter()
        command = ChatCommand(text=request.message, conversation_id=request.conversation_id)
        begin = Begin(
            user_id=self._user_id,
            conversation_id=request.conversation_id or new_id(),
            turn_id=new_id(),
            message_id=new_id(),
            text=command.text,
            title=command.text,
            request=_encode(command).decode(),
            status="running",
            owner="floor",
            lease=LEASE,
            key=None,
            fingerprint=None,
        )
        history: list[MessageRow] = []
        async with self._pool.acquire() as connection:
            await connection.execute(self._opening)
            if request.conversation_id is None:
                await run(connection, BEGIN_IN_NEW_CONVERSATION, begin)
            else:
                (begun,) = await run(connection, BEGIN, begin)
                before = Before(
                    user_id=self._user_id,
                    conversation_id=begin.conversation_id,
                    position=begun.position,
                    limit=200,
                )
                history = await run(connection, HISTORY, before)
            await connection.execute("COMMIT")
        said = await self._generate(command.text, [message_of(row) for row in reversed(history)])
        answered = _Answered(begin, said, len(history), round((time.perf_counter() - started_at) * 1000))
        async with self._pool.acquire() as connection:
            await connection.execute(self._opening)
            (ended,) = await run(connection, statements.FINISH, answered.finished)
            await connection.execute("COMMIT")
        return answered.body(ended)

    async def _generate(self, text: str, history: list[Message]) -> Said:
        messages = [{"role": "system", "content": PERSONA}]
        messages += [{"role": message.role, "content": message.content} for message in history]
        messages.append({"role": "user", "content": text})
        if self._model is None:
            return Said(text=ANSWER_TEXT, prompt_tokens=len(messages), completion_tokens=1)
        parts = [_part(line) async for line in lines(self._model, messages)]
        return Said(
            text="".join(part.message.content for part in parts),
            prompt_tokens=parts[-1].prompt_eval_count,
            completion_tokens=parts[-1].eval_count,
        )

    async def _relay(self, request: ChatIn, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        async for chunk in self._raw_chunks(request.message):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _socket(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            async for chunk in self._raw_chunks(event["text"]):
                await send({"type": "websocket.send", "text": chunk.decode()})

    async def _raw_chunks(self, text: str) -> AsyncGenerator[bytes]:
        assert self._model is not None
        body = _encode(ModelRequest(messages=[{"role": "user", "content": text}]))
        async with self._model.stream("POST", "/api/chat", content=body) as response:
            async for chunk in response.aiter_raw():
                yield chunk


class _Answered:
    """The rows and the JSON of an answer, as Jarvis has them."""

    def __init__(self, begin: Begin, said: Said, sent: int, response_time_ms: int) -> None:
        self._said = said
        self._metadata = MessageMetadata(
            tokens_used=said.completion_tokens,
            response_time_ms=response_time_ms,
            model_name=MODEL,
            source="rest",
        )
        self._ending = Ending(
            model=MODEL,
            usage=Usage(
                prompt_tokens=said.prompt_tokens,
                completion_tokens=said.completion_tokens,
                total_tokens=said.prompt_tokens + said.completion_tokens,
            ),
            response_time_ms=response_time_ms,
            memory_saved=False,
            context=ContextReport(
                budget_tokens=6144,
                prompt_tokens=said.prompt_tokens,
                history=HistoryReport(sent=sent, summarised=0, dropped=0),
            ),
        )
        self.finished = statements.Finished(
            user_id=begin.user_id,
            turn_id=begin.turn_id,
            owner=begin.owner,
            message_id=new_id(),
            status="complete",
            text=said.text,
            metadata=_encode(self._metadata).decode(),
            error=None,
            ending=_encode(self._ending).decode(),
            last_seq=3,
        )

    def body(self, ended: statements.Ended) -> bytes:
        finished, ending = self.finished, self._ending
        message = Message(
            id=finished.message_id,
            conversation_id=ended.conversation_id,
            turn_id=finished.turn_id,
            role="assistant",
            content=finished.text,
            status="complete",
            alternative_of=None,
            created_at=ended.finished_at,
            updated_at=ended.finished_at,
            timestamp=ended.finished_at,
            metadata=self._metadata,
        )
        return _encode(
            ChatAnswer(
                turn_id=finished.turn_id,
                status="complete",
                conversation_id=ended.conversation_id,
                message=message,
                response=message.content,
                content=message.content,
                id=message.id,
                timestamp=ended.finished_at,
                model=ending.model,
                user_id="default",
                memory_saved=False,
                usage=ending.usage,
                tokens=ending.usage.completion_tokens,
                response_time_ms=ending.response_time_ms,
                context=ending.context,
            )
        )


async def lines(model: httpx.AsyncClient, messages: list[dict[str, str]]) -> AsyncGenerator[bytes]:
    """Yield the lines of Ollama's answer."""
    body = _encode(ModelRequest(messages=messages))
    async with model.stream("POST", "/api/chat", content=body) as response:
        rest = b""
        async for chunk in response.aiter_raw():
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                yield line


async def answer(send: Send, body: bytes) -> None:
    headers = [*HEADERS, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def model_client(url: str) -> httpx.AsyncClient | None:
    if not url:
        return None
    limits = httpx.Limits(max_connections=256, max_keepalive_connections=64)
    return httpx.AsyncClient(base_url=url, timeout=60, trust_env=False, limits=limits)


async def main() -> None:
    create_pool = cast("Any", asyncpg).create_pool
    size = int(os.environ["DB_MAX_CONNECTIONS"])
    async with create_pool(os.environ["DATABASE_URL"], min_size=0, max_size=size, reset=_no_reset) as pool:
        user_id = await pool.fetchval("SELECT id FROM users WHERE username = 'default'")
        floor = Floor(pool, user_id, model_client(os.environ.get("MODEL_URL", "")))
        await serve(floor, await bind("127.0.0.1", int(os.environ["PORT"])), stop=asyncio.Event())


async def _no_reset(connection: object) -> None:
    """As Jarvis does: all that is set is local to a transaction."""


if __name__ == "__main__":
    uvloop.run(main())
