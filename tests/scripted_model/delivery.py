"""Acts out one script on one connection: pace, gates, faults, and what of it goes into the log."""

import asyncio
import time

import msgspec

from tests.scripted_model import wire
from tests.scripted_model.call import Call, Usage
from tests.scripted_model.connection import Connection
from tests.scripted_model.gates import Gates
from tests.scripted_model.log import Log, Outcome, Record
from tests.scripted_model.scripts import (
    ByteByByte,
    Garbage,
    Hang,
    MissingEnd,
    Refuse,
    Reset,
    Script,
    SlowHead,
    StreamError,
    TwoPerChunk,
)
from tests.scripted_model.voice import Voice

FLUSH_BYTES = 16 * 1024
JSON = "application/json"


class Over(Exception):
    """A fault ended the answer before its end."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome: Outcome = outcome


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is said when nothing goes wrong."""

    call: Call
    voice: Voice
    pieces: tuple[str, ...]
    usage: Usage


class Delivery:
    """`deliver()` returns the outcome; cancelled, it leaves the log to its caller."""

    def __init__(
        self,
        *,
        connection: Connection,
        script: Script,
        answer: Answer,
        log: Log,
        record: Record,
        gates: Gates,
    ) -> None:
        self._connection = connection
        self._script = script
        self._fault = script.fault
        self._answer = answer
        self._log = log
        self._record = record
        self._gates = gates
        self._buffer = bytearray()
        self._unsent_tokens = 0
        self._head_sent = False
        self._started_s = time.monotonic()
        self._first_due_s = self._started_s + script.first_token_delay_s

    async def deliver(self) -> Outcome:
        try:
            if isinstance(self._fault, Refuse):
                return await self._refuse(self._fault.status, self._fault.message)
            if self._answer.call.stream:
                return await self._stream()
            return await self._whole()
        except Over as over:
            return over.outcome

    async def _stream(self) -> Outcome:
        pieces, voice = self._answer.pieces, self._answer.voice
        if self._script.head_first:
            await self._send_head(200, voice.content_type, body_bytes=None)
            await self._flush()
        step = 2 if isinstance(self._fault, TwoPerChunk) else 1
        for position in range(0, len(pieces), step):
            for index in range(position, min(position + step, len(pieces))):
                await self._before_token(index)
            group = pieces[position : position + step]
            await self._put(b"".join(map(voice.token, group)), tokens=len(group))
        await self._before_token(len(pieces), last=True)
        return await self._finish()

    async def _finish(self) -> Outcome:
        end = self._answer.voice.end(self._answer.usage)
        if not isinstance(self._fault, MissingEnd):
            if isinstance(self._fault, TwoPerChunk):
                end = [b"".join(end)]
            for part in end:
                await self._put(part)
            await self._end_body()
            return "complete"
        dropped = len(end) if self._fault.drop is None else self._fault.drop
        for part in end[: max(0, len(end) - dropped)]:
            await self._put(part)
        if self._fault.cut_http:
            await self._flush()
        else:
            await self._end_body()
        self._connection.close()
        return "error"

    async def _whole(self) -> Outcome:
        for position in range(len(self._answer.pieces)):
            await self._before_token(position)
        await self._before_token(len(self._answer.pieces), last=True)
        body = self._answer.voice.whole(self._answer.pieces, self._answer.usage)
        await self._send_head(200, JSON, body_bytes=len(body))
        match self._fault:
            case MissingEnd():
                self._buffer += body[: len(body) // 2]
                await self._flush()
                self._connection.close()
                return "error"
            case ByteByByte():
                await self._write_bytewise(body)
            case _:
                self._buffer += body
        self._unsent_tokens = len(self._answer.pieces)
        await self._flush()
        return "complete"

    async def _before_token(self, index: int, *, last: bool = False) -> None:
        script = self._script
        if script.gate is not None and _is_at(script.gate_at_token, index, last=last):
            await self._wait_at_gate(script.gate)
        await self._pace(index, last=last)
        match self._fault:
            case Hang(at_token=at) if _is_at(at, index, last=last):
                await self._flush()
                self._log.wait_at(self._record, "hang")
                await self._gates.hang()
                self._record.waiting_at = None
            case Reset(at_token=at) if _is_at(at, index, last=last):
                await self._flush()
                self._connection.reset()
                raise Over("reset")
            case StreamError(at_token=at, message=message) if _is_at(at, index, last=last):
                await self._fail(message)
            case Garbage(at_token=at, text=text) if _is_at(at, index, last=last):
                await self._talk_nonsense(text)
            case _:
                pass

    async def _wait_at_gate(self, gate: str) -> None:
        if self._gates.is_open(gate):
            return
        await self._flush()
        self._log.wait_at(self._record, gate)
        await self._gates.wait(gate)
        self._record.waiting_at = None

    async def _pace(self, index: int, *, last: bool) -> None:
        due_s = self._first_due_s
        if self._script.tokens_per_s is not None and index:
            due_s += (index - last) / self._script.tokens_per_s
        elif index:
            return
        wait_s = due_s - time.monotonic()
        if wait_s > 0:
            await self._flush()
            await asyncio.sleep(wait_s)

    async def _fail(self, message: str) -> None:
        wording = self._answer.voice.wording
        if not self._answer.call.stream:
            await self._refuse(500, message)
        else:
            await self._put(wording.stream_error(message))
            await self._end_body()
        raise Over("error")

    async def _talk_nonsense(self, text: str) -> None:
        if self._answer.call.stream:
            await self._put(self._answer.voice.wording.garbage(text))
            await self._end_body()
        else:
            body = text.encode()
            await self._send_head(200, JSON, body_bytes=len(body))
            self._buffer += body
            await self._flush()
        raise Over("error")

    async def _refuse(self, status: int, message: str | None) -> Outcome:
        body = self._answer.voice.wording.refusal(status, message, self._answer.call.model)
        await self._send_head(status, JSON, body_bytes=len(body))
        self._buffer += body
        await self._flush()
        return "error"

    async def _put(self, data: bytes, *, tokens: int = 0) -> None:
        if not self._head_sent:
            await self._send_head(200, self._answer.voice.content_type, body_bytes=None)
        self._unsent_tokens += tokens
        if isinstance(self._fault, ByteByByte):
            await self._write_bytewise(data, chunked=True)
            await self._flush()
            return
        self._buffer += wire.chunk(data)
        if self._script.tokens_per_s is not None or len(self._buffer) >= FLUSH_BYTES:
            await self._flush()
            # A long answer at full speed must not keep other clients, or this one's end, waiting.
            await asyncio.sleep(0)

    async def _end_body(self) -> None:
        if not self._head_sent:
            await self._send_head(200, self._answer.voice.content_type, body_bytes=None)
        self._buffer += wire.LAST_CHUNK
        await self._flush()

    async def _flush(self) -> None:
        if self._buffer:
            self._connection.write(self._buffer)
            self._buffer = bytearray()
        if self._unsent_tokens:
            self._log.sent(self._record, self._unsent_tokens)
            self._unsent_tokens = 0
        await self._connection.drain()

    async def _send_head(self, status: int, content_type: str, *, body_bytes: int | None) -> None:
        self._head_sent = True
        self._record.status = status
        head = wire.head(status, content_type, body_bytes=body_bytes)
        if isinstance(self._fault, SlowHead):
            for position in range(len(head)):
                self._connection.write(head[position : position + 1])
                await asyncio.sleep(self._fault.byte_interval_s)
        else:
            self._buffer += head

    async def _write_bytewise(self, data: bytes, *, chunked: bool = False) -> None:
        await self._flush()
        for position in range(len(data)):
            byte = data[position : position + 1]
            self._connection.write(wire.chunk(byte) if chunked else byte)
            # Lets the event loop (and a client in it) read this byte before the next is written.
            await asyncio.sleep(0)
        await self._connection.drain()


def _is_at(wanted: int, index: int, *, last: bool) -> bool:
    return wanted == index or (last and wanted > index)
