"""How a turn that has ended is told from its row: the same, however often and whoever asks. Pure."""

from jarvis.core.events import ChatResponse, LogEntry, Resync, TurnError
from jarvis.core.turn_store import Ending, StoredTurn
from jarvis.core.types import ChatAnswer, ContextReport, HistoryReport, Message, Usage


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


def retell(stored: StoredTurn, message: Message, after: int) -> list[LogEntry]:
    """Tell an ended turn from its row: its text replaces whatever was received, then how it ended."""
    terminal = terminal_event(stored)
    entries = [LogEntry.of(terminal)]
    if after < terminal.seq - 1:
        resync = Resync(turn_id=stored.id, seq=terminal.seq - 1, text=message.content, status=stored.status)
        entries.insert(0, LogEntry.of(resync))
    return entries
