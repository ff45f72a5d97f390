"""One turn, start to end: read the history, fit the prompt, stream the answer, store it.

It decides nothing about who may run, when, or for how long: that is turns.py.
"""

import asyncio
import contextlib
import time
from contextlib import aclosing
from typing import Protocol

import msgspec

from jarvis.core import prompt
from jarvis.core.errors import JarvisError, TimedOut, Unavailable
from jarvis.core.events import Ack, ChatResponse, Context, Delta, Notice, TurnError, TurnEvent
from jarvis.core.ports import LLM, Ending, Options, StoredTurn, TurnLog, TurnOutcome, TurnStore
from jarvis.core.types import (
    ChatAnswer,
    ChatCommand,
    ContextReport,
    HistoryReport,
    Message,
    MessageMetadata,
    MessageStatus,
    Turn,
    Usage,
)
from jarvis.services.live import Deltas, LiveTurn

HISTORY_LIMIT = 200
"""Messages read back at most: more never fit a window of 8,192 tokens beside any conversation's texture."""
STORE_RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)


class TurnMetrics(Protocol):
    """What a turn tells the outside about itself."""

    def first_token(self, wait_s: float) -> None: ...

    def tokens_used(self, *, prompt: int, completion: int) -> None: ...

    def turn_ended(self, status: str) -> None: ...


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say about every turn."""

    system_prompt: str
    temperature: float
    max_tokens: int
    max_answer_bytes: int
    turn_s: float


class Orchestrator:
    def __init__(
        self, *, store: TurnStore, log: TurnLog, llm: LLM, policy: Policy, metrics: TurnMetrics
    ) -> None:
        self._store = store
        self._log = log
        self._llm = llm
        self._policy = policy
        self._metrics = metrics

    async def check(self, command: ChatCommand) -> None:
        """Raises Invalid("model", ...) for a model that there is not; one that is away is found out later."""
        if command.model is not None:
            with contextlib.suppress(Unavailable, TimedOut):
                await self._llm.window_tokens(command.model)

    def acknowledge(self, live: LiveTurn) -> None:
        """Say that the user's message is committed: the turn's first event."""
        turn = live.turn
        self._log.append(
            Ack(
                turn_id=turn.id,
                seq=live.next_seq(),
                conversation_id=turn.conversation_id,
                message_id=turn.user_message_id,
                request_id=turn.command.request_id,
            )
        )

    def notice(self, live: LiveTurn, code: str, detail: str, **waiting: float) -> None:
        """Tell of something degraded or waiting."""
        self._log.append(
            Notice(
                turn_id=live.turn.id,
                seq=live.next_seq(),
                code=code,
                detail=detail,
                **waiting,  # pyright: ignore[reportArgumentType] position is an int by the contract
            )
        )

    async def generate(self, live: LiveTurn) -> None:
        """Stream the model's answer into the log. Raises JarvisError; what was said stays in `live`."""
        turn = live.turn
        options = self._options(turn)
        window_tokens = await self._llm.window_tokens(options.model)
        history = turn.history or await self._store.history(turn, limit=HISTORY_LIMIT)
        reserve_tokens = prompt.answer_reserve_tokens(window_tokens, options.max_tokens)
        fitted = prompt.fit(
            system=self._system_text(turn),
            history=history.messages,
            history_total=history.total,
            text=turn.command.text,
            budget_tokens=window_tokens - reserve_tokens,
        )
        live.report = fitted.report
        self._log.append(Context.of(turn.id, live.next_seq(), fitted.report))
        deltas = Deltas(lambda text: self._emit_delta(live, text))
        room_bytes = self._policy.max_answer_bytes
        try:
            async with aclosing(self._llm.stream(fitted.messages, options)) as chunks:
                async for chunk in chunks:
                    if chunk.finish is not None:
                        live.finish = chunk.finish
                    if not chunk.text:
                        continue
                    text = _cut(chunk.text, room_bytes)
                    room_bytes -= len(text.encode())
                    if not live.text_chars:
                        self._metrics.first_token(time.perf_counter() - live.started_at)
                    if text:
                        live.say(text)
                        deltas.write(text)
                    if len(text) < len(chunk.text):
                        self._add_notice(live, "answer_cut")
                        deltas.flush()
                        self.notice(live, "answer_cut", "The answer reached its size limit and was cut.")
                        break
        finally:
            deltas.flush()
        if live.finish and prompt.was_truncated(fitted.report.prompt_tokens, live.finish.prompt_tokens):
            self._add_notice(live, "truncated_by_model")

    async def store(self, live: LiveTurn) -> None:
        """Commit the turn's end, then say so: the terminal event is never made before the commit.

        Tries again while the database is away, for as long as a turn may take.
        """
        status: MessageStatus = live.verdict or ("failed" if live.error else "complete")
        outcome = self._outcome(live, status)
        give_up_at = time.perf_counter() + self._policy.turn_s
        delays = iter(STORE_RETRY_S)
        delay_s = 0.0
        event: TurnEvent
        while True:
            try:
                stored = await self._store.finish(live.turn.user, live.turn.id, outcome)
            except Unavailable as exc:
                delay_s = next(delays, delay_s)
                if time.perf_counter() > give_up_at:
                    event = TurnError(
                        turn_id=live.turn.id, seq=live.next_seq(), code=exc.code, message=exc.detail
                    )
                    break
                await asyncio.sleep(delay_s)
            except JarvisError as exc:
                event = TurnError(
                    turn_id=live.turn.id, seq=live.next_seq(), code=exc.code, message=exc.detail
                )
                break
            else:
                live.next_seq()
                event = terminal_event(stored)
                break
        self._log.append(event)
        self._metrics.turn_ended(status)

    def give_up(self, live: LiveTurn) -> None:
        """Tell that the turn's end could not be stored."""
        error = Unavailable("database", "The database is away, so the end of this turn could not be stored.")
        self._log.append(
            TurnError(turn_id=live.turn.id, seq=live.next_seq(), code=error.code, message=error.detail)
        )
        self._metrics.turn_ended("failed")

    def _options(self, turn: Turn) -> Options:
        command = turn.command
        return Options(
            model=command.model or turn.conversation_model,
            temperature=self._policy.temperature if command.temperature is None else command.temperature,
            max_tokens=command.max_tokens or self._policy.max_tokens,
        )

    def _system_text(self, turn: Turn) -> str:
        persona = turn.command.system_prompt or turn.conversation_system_prompt or self._policy.system_prompt
        return prompt.system_text(persona, turn.command.context)

    def _emit_delta(self, live: LiveTurn, text: str) -> None:
        self._log.append(Delta(turn_id=live.turn.id, seq=live.next_seq(), text=text))

    @staticmethod
    def _add_notice(live: LiveTurn, code: str) -> None:
        live.report = msgspec.structs.replace(live.report, notices=[*live.report.notices, code])

    def _outcome(self, live: LiveTurn, status: MessageStatus) -> TurnOutcome:
        response_time_ms = round((time.perf_counter() - live.started_at) * 1000)
        finish = live.finish
        usage = Usage()
        if finish is not None:
            prompt_tokens, completion_tokens = finish.prompt_tokens or 0, finish.completion_tokens or 0
            usage = Usage(
                prompt_tokens=prompt_tokens,
                completion_tokens=completion_tokens,
                total_tokens=prompt_tokens + completion_tokens,
            )
            self._metrics.tokens_used(prompt=prompt_tokens, completion=completion_tokens)
        command = live.turn.command
        model = finish.model if finish else command.model or live.turn.conversation_model or self._llm.model
        return TurnOutcome(
            status=status,
            text=live.text,
            last_seq=live.seq + 1,
            metadata=MessageMetadata(
                tokens_used=usage.completion_tokens or None,
                response_time_ms=response_time_ms,
                model_name=model,
                temperature=command.temperature,
                source=command.source,
            ),
            error=(
                {"code": live.error.code, "message": live.error.detail}
                if live.error and status == "failed"
                else None
            ),
            ending=Ending(
                model=model,
                usage=usage,
                response_time_ms=response_time_ms,
                memory_saved=False,
                context=live.report,
            ),
        )


def terminal_event(stored: StoredTurn) -> ChatResponse | TurnError:
    """Tell the end of a stored turn: the same event, however often and whoever asks."""
    if stored.status == "failed":
        error = stored.error or {"code": "llm_unavailable", "message": "The turn failed."}
        partial = stored.message if stored.message and stored.message.content else None
        return TurnError(
            turn_id=stored.id,
            seq=stored.checkpoint_seq,
            code=error["code"],
            message=error["message"],
            partial=partial,
        )
    return ChatResponse.of(stored.checkpoint_seq, answer_of(stored))


def answer_of(stored: StoredTurn) -> ChatAnswer:
    """Build the answer to a turn that ended otherwise than `failed`."""
    message, ending = _ended(stored)
    return ChatAnswer(
        turn_id=stored.id,
        status=message.status,
        conversation_id=stored.conversation_id,
        message=message,
        response=message.content,
        content=message.content,
        id=message.id,
        timestamp=message.created_at,
        model=ending.model,
        user_id=stored.user.name,
        memory_saved=ending.memory_saved,
        usage=ending.usage,
        tokens=ending.usage.completion_tokens,
        response_time_ms=ending.response_time_ms,
        context=ending.context,
    )


def _ended(stored: StoredTurn) -> tuple[Message, Ending]:
    if stored.message is None:
        msg = f"turn has not ended: {stored.status}"
        raise ValueError(msg)
    unknown = HistoryReport(sent=0, summarised=0, dropped=0)
    return stored.message, stored.ending or Ending(
        model=(stored.message.metadata and stored.message.metadata.model_name) or "",
        usage=Usage(),
        response_time_ms=0,
        memory_saved=False,
        context=ContextReport(budget_tokens=0, prompt_tokens=0, history=unknown),
    )


def _cut(text: str, room_bytes: int) -> str:
    """Return as much of `text` as fits into `room_bytes` of UTF-8, whole characters only."""
    if len(text) * 4 <= room_bytes:
        return text
    return text.encode()[:room_bytes].decode(errors="ignore")
