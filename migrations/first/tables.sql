CREATE TYPE user_role AS ENUM ('member', 'owner');
CREATE TYPE user_status AS ENUM ('active', 'suspended');
CREATE TYPE conversation_status AS ENUM ('active', 'archived');
CREATE TYPE message_role AS ENUM ('user', 'assistant', 'system', 'tool');
CREATE TYPE message_status AS ENUM ('complete', 'cancelled', 'interrupted', 'failed');
CREATE TYPE turn_status AS ENUM ('queued', 'running', 'complete', 'cancelled', 'interrupted', 'failed');
CREATE TYPE memory_kind AS ENUM ('episode', 'fact', 'preference');

CREATE TABLE users (
    id uuid PRIMARY KEY,
    username text NOT NULL UNIQUE,
    password_hash text,
    role user_role NOT NULL DEFAULT 'member',
    status user_status NOT NULL DEFAULT 'active',
    wrapped_key bytea,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE conversations (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    title text,
    status conversation_status NOT NULL DEFAULT 'active',
    model text,
    system_prompt text,
    summary text,
    summary_upto integer,
    next_position integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    last_message_at timestamptz,
    UNIQUE (id, user_id),
    CONSTRAINT conversations_next_position_check CHECK (next_position >= 0 AND next_position % 2 = 0)
);
CREATE INDEX conversations_activity_idx
    ON conversations (user_id, status, coalesce(last_message_at, created_at), id);

-- A tsvector holds 1 MB at most, and a longer one would refuse the row: nobody's message may be refused for that.
-- 65,536 characters, in both languages, always fit.
CREATE TABLE messages (
    id uuid PRIMARY KEY,
    conversation_id uuid NOT NULL,
    user_id uuid NOT NULL,
    turn_id uuid,
    position integer NOT NULL,
    alternative smallint NOT NULL DEFAULT 0,
    role message_role NOT NULL,
    content text NOT NULL,
    status message_status NOT NULL DEFAULT 'complete',
    alternative_of uuid,
    metadata jsonb,
    search tsvector GENERATED ALWAYS AS (
        to_tsvector('jarvis_en', left(content, 65536)) || to_tsvector('jarvis_fr', left(content, 65536))
    ) STORED,
    indexed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (conversation_id, user_id) REFERENCES conversations (id, user_id) ON DELETE CASCADE,
    UNIQUE (conversation_id, position, alternative)
);
CREATE INDEX messages_search_idx ON messages USING gin (search);
CREATE INDEX messages_unindexed_idx ON messages (id) WHERE indexed_at IS NULL;

CREATE TABLE turns (
    id uuid PRIMARY KEY,
    conversation_id uuid NOT NULL,
    user_id uuid NOT NULL,
    user_message_id uuid NOT NULL,
    assistant_message_id uuid,
    status turn_status NOT NULL,
    attempt integer NOT NULL DEFAULT 1,
    idempotency_key text,
    fingerprint bytea,
    request jsonb NOT NULL,
    partial_text text NOT NULL DEFAULT '',
    checkpoint_seq bigint NOT NULL DEFAULT 0,
    answer bytea,
    error jsonb,
    ending jsonb,
    cancel_requested boolean NOT NULL DEFAULT false,
    lease_owner text,
    lease_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    FOREIGN KEY (conversation_id, user_id) REFERENCES conversations (id, user_id) ON DELETE CASCADE,
    UNIQUE (user_id, idempotency_key)
);
CREATE INDEX turns_conversation_idx ON turns (conversation_id);
CREATE INDEX turns_live_idx ON turns (lease_owner) WHERE status IN ('queued', 'running');

CREATE TABLE memories (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    kind memory_kind NOT NULL DEFAULT 'fact',
    content text NOT NULL,
    importance real NOT NULL DEFAULT 0.5,
    source jsonb,
    valid_from timestamptz,
    valid_to timestamptz,
    superseded_by uuid,
    search tsvector GENERATED ALWAYS AS (
        to_tsvector('jarvis_en', left(content, 65536)) || to_tsvector('jarvis_fr', left(content, 65536))
    ) STORED,
    indexed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    use_count integer NOT NULL DEFAULT 0,
    CONSTRAINT memories_importance_check CHECK (importance >= 0 AND importance <= 1)
);
CREATE INDEX memories_user_idx ON memories (user_id, created_at, id);
CREATE INDEX memories_search_idx ON memories USING gin (search);
CREATE INDEX memories_unindexed_idx ON memories (id) WHERE indexed_at IS NULL;
