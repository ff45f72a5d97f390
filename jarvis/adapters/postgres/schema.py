"""The tables as SQLAlchemy Core sees them, for statements and for Alembic's comparison.

Migrations make them; nothing here does. Ids are made by the application, times by Postgres.
"""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import Column, FetchedValue, Index, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, ENUM, JSONB, TIMESTAMP, TSVECTOR

metadata = sa.MetaData()


def _enum(name: str, *values: str) -> sa.types.TypeEngine[str]:
    return ENUM(*values, name=name, create_type=False)


conversation_status = _enum("conversation_status", "active", "archived")
message_role = _enum("message_role", "user", "assistant", "system", "tool")
message_status = _enum("message_status", "complete", "cancelled", "interrupted", "failed")
turn_status = _enum("turn_status", "queued", "running", "complete", "cancelled", "interrupted", "failed")
user_role = _enum("user_role", "member", "owner")
user_status = _enum("user_status", "active", "suspended")
memory_kind = _enum("memory_kind", "episode", "fact", "preference")

instant = TIMESTAMP(timezone=True)


def _made_at(name: str) -> Column[object]:
    return Column(name, instant, nullable=False, server_default=sa.func.now())


def _of_user() -> Column[UUID]:
    return Column("user_id", Uuid, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False)


def _of_conversation() -> sa.ForeignKeyConstraint:
    """Name the user too, so that no row can lie in another user's conversation, whoever writes it."""
    return sa.ForeignKeyConstraint(
        ["conversation_id", "user_id"], ["conversations.id", "conversations.user_id"], ondelete="CASCADE"
    )


users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("username", Text, nullable=False, unique=True),
    Column("password_hash", Text),
    Column("role", user_role, nullable=False, server_default="member"),
    Column("status", user_status, nullable=False, server_default="active"),
    Column("wrapped_key", BYTEA),
    _made_at("created_at"),
    Index(
        "users_account_name_idx",
        sa.func.lower(sa.column("username")),
        unique=True,
        postgresql_where=sa.text("password_hash IS NOT NULL"),
    ),
)

conversations = Table(
    "conversations",
    metadata,
    Column("id", Uuid, primary_key=True),
    _of_user(),
    Column("title", Text),
    Column("title_is_settled", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("status", conversation_status, nullable=False, server_default="active"),
    Column("model", Text),
    Column("system_prompt", Text),
    Column("summary", Text),
    Column("summary_upto", sa.Integer),
    Column("next_position", sa.Integer, nullable=False, server_default="0"),
    Column("message_count", sa.Integer, nullable=False, server_default="0"),
    _made_at("created_at"),
    _made_at("updated_at"),
    Column("last_message_at", instant),
    sa.UniqueConstraint("id", "user_id"),
    sa.CheckConstraint(
        "next_position >= 0 AND next_position % 2 = 0", name="conversations_next_position_check"
    ),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("conversation_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("turn_id", Uuid),
    Column("position", sa.Integer, nullable=False),
    Column("alternative", sa.SmallInteger, nullable=False, server_default="0"),
    Column("role", message_role, nullable=False),
    Column("content", Text, nullable=False),
    Column("status", message_status, nullable=False, server_default="complete"),
    Column("alternative_of", Uuid),
    Column("metadata", JSONB),
    Column("search", TSVECTOR, FetchedValue()),
    Column("indexed_at", instant),
    _made_at("created_at"),
    _made_at("updated_at"),
    _of_conversation(),
    sa.UniqueConstraint("conversation_id", "position", "alternative"),
    Index("messages_search_idx", "search", postgresql_using="gin"),
    Index("messages_newest_idx", "user_id", "created_at", "id"),
    Index(
        "messages_unremembered_idx",
        *("user_id", "created_at", "id"),
        postgresql_where=sa.text("indexed_at IS NULL AND role = 'user'"),
    ),
)

turns = Table(
    "turns",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("conversation_id", Uuid, nullable=False),
    Column("user_id", Uuid, nullable=False),
    Column("user_message_id", Uuid, nullable=False),
    Column("assistant_message_id", Uuid),
    Column("status", turn_status, nullable=False),
    Column("attempt", sa.Integer, nullable=False, server_default="1"),
    Column("idempotency_key", Text),
    Column("fingerprint", BYTEA),
    Column("request", JSONB, nullable=False),
    Column("partial_text", Text, nullable=False, server_default=""),
    Column("checkpoint_seq", sa.BigInteger, nullable=False, server_default="0"),
    Column("answer", BYTEA),
    Column("error", JSONB),
    Column("ending", JSONB),
    Column("cancel_requested", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("lease_owner", Text),
    Column("lease_until", instant),
    _made_at("created_at"),
    Column("started_at", instant),
    Column("finished_at", instant),
    Column("forgotten", ARRAY(Uuid), nullable=False, server_default="{}"),
    _of_conversation(),
    sa.UniqueConstraint("user_id", "idempotency_key"),
    Index("turns_conversation_idx", "conversation_id"),
    Index("turns_keyed_idx", "created_at", postgresql_where=sa.text("idempotency_key IS NOT NULL")),
    Index("turns_live_idx", "lease_owner", postgresql_where=sa.text("status IN ('queued', 'running')")),
)

spent_keys = Table(
    "spent_keys",
    metadata,
    Column("user_id", Uuid, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", BYTEA, primary_key=True),
    _made_at("spent_at"),
    Index("spent_keys_spent_idx", "spent_at"),
)

memories = Table(
    "memories",
    metadata,
    Column("id", Uuid, primary_key=True),
    _of_user(),
    Column("kind", memory_kind, nullable=False, server_default="fact"),
    Column("content", Text, nullable=False),
    Column("importance", sa.Double, nullable=False, server_default="0.5"),
    Column("source", JSONB),
    Column("told_in", Uuid, FetchedValue(), nullable=False),
    Column("attribute", Text),
    Column("value", Text),
    Column("digest", BYTEA, FetchedValue(), nullable=False),
    Column("valid_from", instant),
    Column("valid_to", instant),
    Column("superseded_by", Uuid),
    Column("search", TSVECTOR, FetchedValue()),
    Column("indexed_at", instant),
    _made_at("created_at"),
    Column("last_used_at", instant),
    Column("use_count", sa.Integer, nullable=False, server_default="0"),
    sa.CheckConstraint("importance >= 0 AND importance <= 1", name="memories_importance_check"),
    Index("memories_user_idx", "user_id", "created_at", "id"),
    Index("memories_search_idx", "search", postgresql_using="gin"),
    Index(
        "memories_live_idx",
        *("user_id", "digest", "kind"),
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
    ),
    Index(
        "memories_attribute_idx", "user_id", "attribute", postgresql_where=sa.text("attribute IS NOT NULL")
    ),
    Index("memories_told_idx", "user_id", "told_in", "created_at", "id"),
    Index(
        "memories_superseded_idx",
        *("user_id", "superseded_by"),
        postgresql_where=sa.text("superseded_by IS NOT NULL"),
    ),
    Index(
        "memories_unindexed_idx",
        *("user_id", "created_at", "id"),
        postgresql_where=sa.text("indexed_at IS NULL"),
    ),
)

forgotten_memories = Table(
    "forgotten_memories",
    metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("id", Uuid, primary_key=True),
    _made_at("forgotten_at"),
)

indexed_space = Table(
    "indexed_space",
    metadata,
    Column("is_only", sa.Boolean, primary_key=True, server_default=sa.true()),
    Column("name", Text, nullable=False),
    sa.CheckConstraint("is_only", name="indexed_space_is_only_check"),
)

erasure_wanted = Table(
    "erasure_wanted",
    metadata,
    Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    Column("table_name", Text, nullable=False),
    _made_at("since"),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("session_id", Uuid, nullable=False),
    _of_user(),
    Column("digest", BYTEA, nullable=False, unique=True),
    _made_at("created_at"),
    Column("expires_at", instant, nullable=False),
    Column("used_at", instant),
    Column("revoked_at", instant),
    Index(
        "refresh_tokens_live_idx",
        "session_id",
        unique=True,
        postgresql_where=sa.text("used_at IS NULL AND revoked_at IS NULL"),
    ),
    Index("refresh_tokens_user_idx", "user_id"),
    Index("refresh_tokens_expires_idx", "expires_at"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    _of_user(),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("digest", BYTEA, nullable=False, unique=True),
    _made_at("created_at"),
    Column("expires_at", instant),
    Index("api_keys_user_idx", "user_id"),
    Index("api_keys_expires_idx", "expires_at"),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    _made_at("at"),
    Column("event", Text, nullable=False),
    Column("user_id", Uuid, sa.ForeignKey("users.id", ondelete="SET NULL")),
    Column("address", Text, nullable=False, server_default=""),
    Column("detail", Text),
    Index("audit_log_at_idx", "at"),
    Index("audit_log_user_idx", "user_id"),
)

activity = sa.func.coalesce(conversations.c.last_message_at, conversations.c.created_at)
"""What lists of conversations are ordered by; indexes serve exactly this expression."""

for _status in ("active", "archived"):
    Index(
        f"conversations_{_status}_idx",
        conversations.c.user_id,
        activity,
        conversations.c.id,
        postgresql_where=sa.text(f"status = '{_status}'"),
    )
