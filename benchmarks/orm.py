"""The usual way to write it: FastAPI, pydantic and SQLAlchemy's ORM, run by uvicorn as `benchmarks.orm:app`.

The same rows in the same two transactions, with the same row security, and the same JSON.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa
from fastapi import FastAPI, Response
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from benchmarks.floor import lines, model_client
from benchmarks.orm_entities import Conversation, StoredMessage, Turn, User
from benchmarks.wire import ANSWER_TEXT, HEALTH_BODY, MODEL, Said
from jarvis.core.prompt import PERSONA
from jarvis.core.types import new_id


class ChatRequest(BaseModel):
    message: str
    conversation_id: UUID | None = None


class MessageOut(BaseModel):
    id: UUID
    conversation_id: UUID
    turn_id: UUID
    role: str
    content: str
    status: str
    alternative_of: UUID | None
    created_at: datetime
    updated_at: datetime
    timestamp: datetime
    metadata: dict[str, Any]


class UsageOut(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ContextOut(BaseModel):
    budget_tokens: int
    prompt_tokens: int
    history: dict[str, int]
    memories: list[str]
    notices: list[str]


class ChatAnswer(BaseModel):
    turn_id: UUID
    status: str
    conversation_id: UUID
    message: MessageOut
    response: str
    content: str
    id: UUID
    role: Literal["assistant"] = "assistant"
    timestamp: datetime
    model: str
    user_id: str
    memory_saved: bool
    usage: UsageOut
    tokens: int
    response_time_ms: int
    context: ContextOut


engine = create_async_engine(
    "postgresql+asyncpg" + os.environ["DATABASE_URL"].removeprefix("postgresql"),
    pool_size=int(os.environ["DB_MAX_CONNECTIONS"]),
    max_overflow=0,
)
new_session = async_sessionmaker(engine, expire_on_commit=False)
model = model_client(os.environ.get("MODEL_URL", ""))


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with new_session() as session:
        app.state.user_id = await session.scalar(sa.select(User.id).where(User.username == "default"))
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.get("/health")
@app.get("/ready")
async def health() -> Response:
    headers = {"x-request-id": str(new_id()), "x-content-type-options": "nosniff", "vary": "Origin"}
    return Response(HEALTH_BODY, media_type="application/json", headers=headers)


@app.post("/api/chat")
async def chat(request: ChatRequest) -> ChatAnswer:
    started_at = perf_counter()
    user_id: UUID = app.state.user_id
    async with new_session() as session:
        async with session.begin():
            await open_as(session, user_id)
            turn, history = await begin(session, user_id, request)
        said = await generate(request.message, history)
        async with session.begin():
            await open_as(session, user_id)
            return await finish(
                session, turn, said, sent=len(history), ms=round((perf_counter() - started_at) * 1000)
            )


async def open_as(session: AsyncSession, user_id: UUID) -> None:
    role = sa.func.set_config("role", "jarvis_app", True)
    await session.execute(sa.select(role, sa.func.set_config("jarvis.user_id", str(user_id), True)))


async def begin(
    session: AsyncSession, user_id: UUID, request: ChatRequest
) -> tuple[Turn, list[StoredMessage]]:
    now = datetime.now(UTC)
    if request.conversation_id is None:
        conversation = Conversation(
            id=new_id(), user_id=user_id, title=request.message[:200], next_position=0
        )
        session.add(conversation)
    else:
        conversation = await session.get_one(
            Conversation, request.conversation_id, with_for_update=True, populate_existing=True
        )
    position = conversation.next_position
    conversation.next_position = position + 2
    conversation.last_message_at = now
    await session.flush()
    turn = Turn(
        id=new_id(),
        conversation_id=conversation.id,
        user_id=user_id,
        user_message_id=new_id(),
        status="running",
        request=request.model_dump(mode="json"),
        lease_owner="orm",
        lease_until=now + timedelta(seconds=15),
        started_at=now,
    )
    message = StoredMessage(
        id=turn.user_message_id,
        conversation_id=conversation.id,
        user_id=user_id,
        turn_id=turn.id,
        position=position,
        role="user",
        content=request.message,
    )
    session.add_all([message, turn])
    if request.conversation_id is None:
        return turn, []
    older = sa.select(StoredMessage).where(
        StoredMessage.conversation_id == conversation.id,
        StoredMessage.position < position,
        StoredMessage.alternative == 0,
    )
    found = await session.scalars(older.order_by(StoredMessage.position.desc()).limit(200))
    return turn, list(reversed(found.all()))


async def generate(text: str, history: list[StoredMessage]) -> Said:
    messages = [{"role": "system", "content": PERSONA}]
    messages += [{"role": message.role, "content": message.content} for message in history]
    messages.append({"role": "user", "content": text})
    if model is None:
        return Said(text=ANSWER_TEXT, prompt_tokens=len(messages), completion_tokens=1)
    parts = [_Part.model_validate_json(line) async for line in lines(model, messages)]
    return Said(
        text="".join(part.message.content for part in parts),
        prompt_tokens=parts[-1].prompt_eval_count,
        completion_tokens=parts[-1].eval_count,
    )


class _Text(BaseModel):
    content: str


class _Part(BaseModel):
    message: _Text
    prompt_eval_count: int = 0
    eval_count: int = 0


async def finish(session: AsyncSession, turn: Turn, said: Said, *, sent: int, ms: int) -> ChatAnswer:
    now = datetime.now(UTC)
    usage = UsageOut(
        prompt_tokens=said.prompt_tokens,
        completion_tokens=said.completion_tokens,
        total_tokens=said.prompt_tokens + said.completion_tokens,
    )
    context = ContextOut(
        budget_tokens=6144,
        prompt_tokens=said.prompt_tokens,
        history={"sent": sent, "summarised": 0, "dropped": 0},
        memories=[],
        notices=[],
    )
    metadata = {"tokens_used": usage.completion_tokens, "response_time_ms": ms, "model_name": MODEL}
    question = await session.get_one(StoredMessage, turn.user_message_id)
    answer = StoredMessage(
        id=new_id(),
        conversation_id=turn.conversation_id,
        user_id=turn.user_id,
        turn_id=turn.id,
        position=question.position + 1,
        role="assistant",
        content=said.text,
        status="complete",
        details=metadata,
        created_at=now,
        updated_at=now,
    )
    session.add(answer)
    turn.status = "complete"
    turn.assistant_message_id = answer.id
    turn.ending = {"usage": usage.model_dump(), "context": context.model_dump(), "model": MODEL}
    turn.finished_at = now
    turn.lease_owner = turn.lease_until = None
    conversation = await session.get_one(Conversation, turn.conversation_id)
    conversation.last_message_at = conversation.updated_at = now
    await session.flush()
    message = MessageOut(
        id=answer.id,
        conversation_id=answer.conversation_id,
        turn_id=turn.id,
        role="assistant",
        content=answer.content,
        status="complete",
        alternative_of=None,
        created_at=now,
        updated_at=now,
        timestamp=now,
        metadata=metadata,
    )
    return ChatAnswer(
        turn_id=turn.id,
        status="complete",
        conversation_id=answer.conversation_id,
        message=message,
        response=answer.content,
        content=answer.content,
        id=answer.id,
        timestamp=now,
        model=MODEL,
        user_id="default",
        memory_saved=False,
        usage=usage,
        tokens=usage.completion_tokens,
        response_time_ms=ms,
        context=context,
    )
