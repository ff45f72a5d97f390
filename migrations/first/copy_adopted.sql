-- Copies what set_aside.sql put aside. Rows are read as JSON, so that a missing column is a null and a time
-- without zone is UTC. Deleted conversations stay behind.
DO $$
DECLARE
    has_users boolean := to_regclass('jarvis_adopted.users') IS NOT NULL;
BEGIN
    IF to_regclass('jarvis_adopted.conversations') IS NULL THEN
        RETURN;
    END IF;
    SET LOCAL timezone = 'UTC';

    CREATE TEMPORARY TABLE old_conversations ON COMMIT DROP AS
    SELECT (j ->> 'id')::uuid AS id, (j ->> 'user_id')::uuid AS user_id, j ->> 'title' AS title,
           CASE j ->> 'status' WHEN 'archived' THEN 'archived' ELSE 'active' END AS status,
           coalesce((j ->> 'created_at')::timestamptz, (j ->> 'updated_at')::timestamptz, now()) AS created_at,
           (j ->> 'updated_at')::timestamptz AS updated_at,
           (j ->> 'last_message_at')::timestamptz AS last_message_at
      FROM (SELECT to_jsonb(c) AS j FROM jarvis_adopted.conversations c) AS rows
     WHERE coalesce(j ->> 'status', 'active') <> 'deleted';

    CREATE TEMPORARY TABLE old_messages ON COMMIT DROP AS
    SELECT (j ->> 'id')::uuid AS id, (j ->> 'conversation_id')::uuid AS conversation_id,
           CASE WHEN j ->> 'role' IN ('user', 'assistant', 'system', 'tool') THEN j ->> 'role' ELSE 'system' END AS role,
           j ->> 'content' AS content, nullif(j -> 'metadata', 'null') AS metadata,
           coalesce((j ->> 'created_at')::timestamptz, c.created_at) AS created_at,
           (j ->> 'updated_at')::timestamptz AS updated_at
      FROM (SELECT to_jsonb(m) AS j FROM jarvis_adopted.messages m) AS rows
      JOIN old_conversations c ON c.id = (j ->> 'conversation_id')::uuid;

    -- Users keep their ids. Names that the wire would not take, or that two users share, give way to the id.
    CREATE TEMPORARY TABLE old_users (id uuid PRIMARY KEY, username text) ON COMMIT DROP;
    INSERT INTO old_users SELECT DISTINCT user_id FROM old_conversations WHERE user_id IS NOT NULL;
    IF has_users THEN
        UPDATE old_users SET username = named.username
          FROM (SELECT to_jsonb(u) ->> 'id' AS id, coalesce(to_jsonb(u) ->> 'username', to_jsonb(u) ->> 'name') AS username
                  FROM jarvis_adopted.users u) AS named
         WHERE named.id = old_users.id::text AND named.username ~ '^[A-Za-z0-9_.@-]{1,64}$';
    END IF;
    UPDATE old_users SET username = 'user-' || left(id::text, 8) WHERE username IS NULL;
    UPDATE old_users SET username = 'user-' || id::text
     WHERE username IN (SELECT username FROM old_users GROUP BY username HAVING count(*) > 1);
    IF NOT EXISTS (SELECT FROM old_users WHERE username = 'default')
       AND EXISTS (SELECT FROM old_conversations WHERE user_id IS NULL) THEN
        INSERT INTO old_users VALUES (gen_random_uuid(), 'default');
    END IF;
    INSERT INTO users (id, username) SELECT id, username FROM old_users;
    UPDATE old_conversations SET user_id = (SELECT id FROM old_users WHERE username = 'default') WHERE user_id IS NULL;

    INSERT INTO conversations (id, user_id, title, status, created_at, updated_at, last_message_at)
    SELECT id, user_id, title, status::conversation_status, created_at, coalesce(updated_at, created_at),
           coalesce(last_message_at, (SELECT max(m.created_at) FROM old_messages m WHERE m.conversation_id = c.id))
      FROM old_conversations c;

    -- Every user message gets an even place, as later turns will; the one after it stays free for its answer.
    WITH numbered AS (
        SELECT id, conversation_id, created_at,
               count(*) FILTER (WHERE role = 'user') OVER (PARTITION BY conversation_id ORDER BY created_at, id) AS part
          FROM old_messages
    ), placed AS (
        SELECT *, row_number() OVER (PARTITION BY conversation_id, part ORDER BY created_at, id) - 1 AS place
          FROM numbered
    ), parts AS (
        SELECT conversation_id, part, (count(*) + 1) / 2 * 2 AS places FROM placed GROUP BY conversation_id, part
    ), starts AS (
        SELECT *, sum(places) OVER (PARTITION BY conversation_id ORDER BY part) - places AS start FROM parts
    )
    INSERT INTO messages (id, conversation_id, user_id, position, role, content, metadata, created_at, updated_at)
    SELECT m.id, m.conversation_id, c.user_id, starts.start + placed.place, m.role::message_role, m.content, m.metadata,
           m.created_at, coalesce(m.updated_at, m.created_at)
      FROM old_messages m
      JOIN conversations c ON c.id = m.conversation_id
      JOIN placed ON placed.id = m.id
      JOIN starts ON starts.conversation_id = placed.conversation_id AND starts.part = placed.part;

    UPDATE conversations SET next_position = (
        SELECT coalesce(max(position) / 2 * 2 + 2, 0) FROM messages WHERE conversation_id = conversations.id);
END $$;
