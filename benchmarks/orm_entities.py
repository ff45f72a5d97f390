"""The tables as entities of SQLAlchemy's ORM, for orm.py: the columns a turn reads or writes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, FetchedValue, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from jarvis.adapters.postgres.schema import instant, message_role, message_status, turn_status


class Base(DeclarativeBase):
    type_annotation_map = {datetime: instant, dict[str, Any]: JSONB, str: Text}  # noqa: RUF012 - SQLAlchemy's way


class User(Base):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    username: Mapped[str]


class Conversation(Base):
    __tablename__ = "conversations"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID]
    title: Mapped[str | None]
    next_position: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())
    updated_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())
    last_message_at: Mapped[datetime | None]


class StoredMessage(Base):
    __tablename__ = "messages"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[UUID]
    user_id: Mapped[UUID]
    turn_id: Mapped[UUID]
    position: Mapped[int]
    alternative: Mapped[int] = mapped_column(server_default=FetchedValue())
    role: Mapped[str] = mapped_column(message_role)
    content: Mapped[str]
    status: Mapped[str] = mapped_column(message_status, server_default=FetchedValue())
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata")
    created_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())
    updated_at: Mapped[datetime] = mapped_column(server_default=FetchedValue())


class Turn(Base):
    __tablename__ = "turns"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    conversation_id: Mapped[UUID]
    user_id: Mapped[UUID]
    user_message_id: Mapped[UUID]
    assistant_message_id: Mapped[UUID | None]
    status: Mapped[str] = mapped_column(turn_status)
    request: Mapped[dict[str, Any]]
    checkpoint_seq: Mapped[int] = mapped_column(BigInteger, server_default=FetchedValue())
    ending: Mapped[dict[str, Any] | None]
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
