"""One turn, start to end: read the history, fit the prompt, stream the answer, store it.

It decides nothing about who may run, when, or for how long: that is turns.py.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from contextlib import aclosing
from itertools import chain, repeat
from typing import Protocol

import anyio
import msgspec
from msgspec import UNSET

from jarvis.core import prompt
from jarvis.core.endings import terminal_event
from jarvis.core.errors import JarvisError, TimedOut, Unavailable
from jarvis.core.events import Ack, ChatResponse, Context, Delta, Notice, Resync, Terminal, TurnError
from jarvis.core.memories import Memory
from jarvis.core.ports import LLM, Options, TurnLog
from jarvis.core.tokens import Calibration, was_truncated
from jarvis.core.turn_store import Ending, StoredTurn, TurnOutcome, TurnStore
from jarvis.core.types import (
    ChatCommand,
    Message,
    MessageMetadata,
    MessageStatus,
    Turn,
    Usage,
    User,
)
from jarvis.services.live import Deltas, LiveTurn
from jarvis.services.memory import Memories, Recollection
from jarvis.services.speaking import Speaker, Speaking
from jarvis.services.summaries import Summaries

HISTORY_LIMIT = 200
"""Messages read back at most: their templates alone take 1,000 tokens."""
RECALLED = 12
"""Memories considered for a turn; how many are sent is a matter of room."""
AT_HAND = 20
"""Messages before this one that are hardly ever dropped."""
MODEL_WITHIN_S = 60.0
"""How long a model may take to come back: where its server died, it most often starts with that."""
MODEL_LOOK_S = 0.5
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
    memory_tokens: int | None = None
    """For memories in a prompt; None: a share of the window."""


class Orchestrator:
    def __init__(
        self,
        *,
        store: TurnStore,
        log: TurnLog,
        llm: LLM,
        memories: Memories,
        summaries: Summaries,
        speaking: Speaking,
        policy: Policy,
        metrics: TurnMetrics,
    ) -> None:
        self._store = store
        self._log = log
        self._llm = llm
        self._memories = memories
        self._summaries = summaries
        self._speaking = speaking
        self._policy = policy
        self._metrics = metrics
        self._calibration = Calibration()

    async def check_model(self, name: str | None) -> None:
        """Raises Invalid("model", ...) for a model that there is not; one that is away is found out later."""
        if name is not None:
            with contextlib.suppress(Unavailable, TimedOut):
                await self._llm.window_tokens(name)

    async def can_go_on(self, turn: Turn) -> bool:
        """Wait for the model, and tell whether it answers a turn whose process died.

        Where something was said already it is to go on with that.
        """
        model = turn.command.model or turn.conversation_model
        with anyio.move_on_after(MODEL_WITHIN_S):
            while True:
                try:
                    return await self._llm.continues(model) or not turn.said
                except (Unavailable, TimedOut):
                    await asyncio.sleep(MODEL_LOOK_S)
                except JarvisError:
                    return False  # it is not there any more
        return False

    async def recall(self, user: User, command: ChatCommand) -> Recollection:
        """Return the memories to be told, if the turn wants any. Never raises."""
        if not command.use_memory:
            return Recollection(memories=[], is_partial=False)
        return await self._memories.recall(user, command.text, limit=RECALLED)

    def acknowledge(self, live: LiveTurn) -> None:
        """Say that the user's message is committed: the turn's first event.

        Where this is not the first attempt, whoever heard the one before begins anew, or with what was said.
        """
        turn = live.turn
        self._log.append(
            Ack(
                turn_id=turn.id,
                seq=live.next_seq(),
                conversation_id=turn.conversation_id,
                message_id=turn.user_message_id,
                idempotency_key=turn.once.key if turn.once else UNSET,
                request_id=turn.command.request_id,
            )
        )
        if turn.last_seq >= 0:
            live.go_on_after(turn.last_seq)
            self._log.append(Resync(turn_id=turn.id, seq=live.next_seq(), text=live.text, status="running"))

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
        if turn.said:
            said_tokens = self._calibration.of(self._model(options)).text_tokens(turn.said)
            left = max(1, options.max_tokens - round(said_tokens))
            options = msgspec.structs.replace(options, max_tokens=left)
        fitted = await self._fit(live, options)
        self._log.append(Context.of(turn.id, live.next_seq(), live.report))
        self._memories.note_used(turn.user, [memory.id for memory in live.report.memories])
        if turn.command.speak_in is None:
            await self._answer(live, fitted, options)
        else:
            async with self._speaking.aloud(live, lambda error: self._fall_silent(live, error)) as speaker:
                await self._answer(live, fitted, options, speaker)

    async def _answer(
        self, live: LiveTurn, fitted: prompt.Fitted, options: Options, speaker: Speaker | None = None
    ) -> None:
        deltas = Deltas(lambda text: self._emit_delta(live, text))
        room_bytes = self._policy.max_answer_bytes - len(live.text.encode())
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
                        if speaker is not None:
                            speaker.write(text)
                    if len(text) < len(chunk.text):
                        self._add_notice(live, "answer_cut")
                        deltas.flush()
                        self.notice(live, "answer_cut", "The answer reached its size limit and was cut.")
                        break
        finally:
            deltas.flush()
        if live.finish and live.finish.prompt_tokens is not None:
            if was_truncated(fitted.report.prompt_tokens, live.finish.prompt_tokens):
                self._add_notice(live, "truncated_by_model")
            self._calibration.learn(self._model(options), fitted.size, live.finish.prompt_tokens)

    def _fall_silent(self, live: LiveTurn, error: JarvisError) -> None:
        self._add_notice(live, error.code)
        self.notice(live, error.code, error.detail)

    async def _fit(self, live: LiveTurn, options: Options) -> prompt.Fitted:
        """Read what was said before, recall, and fit both; what does not fit any more is to be summarised."""
        turn = live.turn
        recalling = live.recalling or asyncio.ensure_future(self.recall(turn.user, turn.command))
        try:
            window_tokens = await self._llm.window_tokens(options.model)
            history = turn.history or await self._store.history(turn, limit=HISTORY_LIMIT)
            recollection = await recalling
        finally:
            recalling.cancel()
        room = prompt.room(
            window_tokens, max_tokens=options.max_tokens, memory_tokens=self._policy.memory_tokens
        )
        fitted = prompt.fit(
            system=self._system_text(turn),
            history=history,
            memories=_not_at_hand(recollection.memories, history.messages),
            text=turn.command.text,
            begun=turn.said or "",
            room=room,
            estimate=self._calibration.of(self._model(options)),
        )
        live.report = fitted.report
        if recollection.is_partial:
            self._add_notice(live, "memory_unavailable")
            self.notice(live, "memory_unavailable", "Part of the memory is away; some may not be recalled.")
        if fitted.outgrown_upto is not None:
            self._summaries.wish(
                turn.user,
                turn.conversation_id,
                upto=fitted.outgrown_upto,
                model=options.model,
                tokens=room.summary,
            )
        return fitted

    async def store(self, live: LiveTurn) -> None:
        """Commit the turn's end, then say so: the terminal event is never made before the commit.

        Tries again while the database is away, for as long as a turn may take. Of a turn that another process
        goes on with nothing is said: whoever reads it is to read on there.
        """
        status: MessageStatus = live.verdict or ("failed" if live.error else "complete")
        if live.speech is not None and live.speech.is_stopped:
            live.cut(live.speech.heard(live.text))
            self._log.append(Resync(turn_id=live.turn.id, seq=live.next_seq(), text=live.text, status=status))
        outcome = self._outcome(live, status)
        try:
            stored = await self._finish(live.turn, outcome)
        except JarvisError as exc:
            self.give_up(live, exc)
        else:
            if stored.message is None:  # it was taken over by another process, which goes on with it
                self._log.hand_over(live.turn.id)
                return
            if stored.checkpoint_seq != outcome.last_seq:  # likewise, and ended there
                self._tell_again(live, stored)
            live.go_on_after(stored.checkpoint_seq)
            event = terminal_event(stored)
            if live.turn.once is not None and isinstance(event, ChatResponse):
                await self._keep_answer(live.turn, event)
            self._conclude(live, event)

    async def _keep_answer(self, turn: Turn, event: ChatResponse) -> None:
        """Keep the answer as whoever asked first gets it; should that fail, it is made again from the row."""
        with contextlib.suppress(JarvisError):
            await self._store.keep_answer(turn.user, turn.id, msgspec.json.encode(event.answer()))

    def give_up(self, live: LiveTurn, error: JarvisError) -> None:
        """Tell that the turn's end could not be stored; its row is ended by the sweep."""
        event = TurnError(turn_id=live.turn.id, seq=live.next_seq(), code=error.code, message=error.detail)
        self._conclude(live, event)

    def _conclude(self, live: LiveTurn, event: Terminal) -> None:
        live.terminal = event
        self._log.append(event)
        self._metrics.turn_ended(event.status)

    async def _finish(self, turn: Turn, outcome: TurnOutcome) -> StoredTurn:
        give_up_at = time.perf_counter() + self._policy.turn_s
        delays = chain(STORE_RETRY_S, repeat(STORE_RETRY_S[-1]))
        while True:
            try:
                return await self._store.finish(turn.user, turn.id, outcome, owner=turn.owner)
            except Unavailable:
                if time.perf_counter() > give_up_at:
                    raise
                await asyncio.sleep(next(delays))

    def _options(self, turn: Turn) -> Options:
        command = turn.command
        return Options(
            model=command.model or turn.conversation_model,
            temperature=self._policy.temperature if command.temperature is None else command.temperature,
            max_tokens=command.max_tokens or self._policy.max_tokens,
        )

    def _model(self, options: Options) -> str:
        return options.model or self._llm.model

    def _system_text(self, turn: Turn) -> str:
        persona = turn.command.system_prompt or turn.conversation_system_prompt or self._policy.system_prompt
        return prompt.system_text(persona, turn.command.context)

    def _tell_again(self, live: LiveTurn, stored: StoredTurn) -> None:
        """Have what is stored stand for what was said here."""
        text = stored.message.content if stored.message else ""
        self._log.append(
            Resync(turn_id=live.turn.id, seq=stored.checkpoint_seq - 1, text=text, status=stored.status)
        )

    def _emit_delta(self, live: LiveTurn, text: str) -> None:
        live.told_chars += len(text)
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
                audio={"cut": True} if live.speech is not None and live.speech.is_stopped else None,
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
                memory_saved=command.save_memory,
                context=live.report,
            ),
        )


def _not_at_hand(memories: Sequence[Memory], history: Sequence[Message]) -> list[Memory]:
    """Leave out what was said a moment ago in this conversation: the model reads that anyway."""
    at_hand = {message.id for message in history[-AT_HAND:]}
    return [
        memory
        for memory in memories
        if memory.source is None or at_hand.isdisjoint(memory.source.message_ids)
    ]


def _cut(text: str, room_bytes: int) -> str:
    """Return as much of `text` as fits into `room_bytes` of UTF-8, whole characters only."""
    if len(text) * 4 <= room_bytes:
        return text
    return text.encode()[:room_bytes].decode(errors="ignore")
