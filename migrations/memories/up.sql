-- What supersession, duplicates and the background work need of memories. The columns `digest` and
-- `told_in` are there for plain equality: under row security an expression that is not leakproof ends an index's
-- use. The cast to bytea reads a backslash as an escape, so it is doubled: digest is SHA-256 of the UTF-8 text.
-- The nil UUID stands for what was told outside of any conversation.
-- In a real 0.7 would come back as 0.699999988.
ALTER TABLE memories
    ALTER COLUMN importance TYPE double precision,
    ADD COLUMN attribute text,
    ADD COLUMN value text,
    ADD COLUMN digest bytea NOT NULL GENERATED ALWAYS AS (sha256(replace(content, '\', '\\')::bytea)) STORED,
    ADD COLUMN told_in uuid NOT NULL GENERATED ALWAYS AS (
        coalesce((source ->> 'conversation_id')::uuid, '00000000-0000-0000-0000-000000000000')
    ) STORED;

-- A memory is live until it is superseded. Of live ones no two of a kind say the same.
CREATE UNIQUE INDEX memories_live_idx ON memories (user_id, digest, kind) WHERE valid_to IS NULL;
CREATE INDEX memories_attribute_idx ON memories (user_id, attribute) WHERE attribute IS NOT NULL;
CREATE INDEX memories_told_idx ON memories (user_id, told_in, created_at, id);
CREATE INDEX memories_superseded_idx ON memories (user_id, superseded_by) WHERE superseded_by IS NOT NULL;
DROP INDEX memories_unindexed_idx;
CREATE INDEX memories_unindexed_idx ON memories (user_id, created_at, id) WHERE indexed_at IS NULL;

-- Answers are never looked through for memories by themselves.
DROP INDEX messages_unindexed_idx;
CREATE INDEX messages_unremembered_idx ON messages (user_id, created_at, id)
    WHERE indexed_at IS NULL AND role = 'user';

-- Which vectors `indexed_at` tells of; those that anybody else has made are not to be trusted. No row: none yet.
CREATE TABLE indexed_space (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    name text NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON indexed_space TO jarvis_app;

-- What was forgotten while the turn ran: it may have been told of it, and must not say so at its end.
ALTER TABLE turns ADD COLUMN forgotten uuid[] NOT NULL DEFAULT '{}';

-- Memories that are gone, until the vector store has dropped them too: whatever deletes a memory, and however long
-- the vector store is away. No reference to the user, whose rows may go first.
CREATE TABLE forgotten_memories (
    user_id uuid NOT NULL,
    id uuid NOT NULL,
    forgotten_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, id)
);
CREATE FUNCTION note_forgotten() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO forgotten_memories (user_id, id) SELECT gone.user_id, gone.id FROM gone ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER memories_forgotten AFTER DELETE ON memories
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION note_forgotten();

GRANT SELECT, INSERT, DELETE ON forgotten_memories TO jarvis_app;
GRANT SELECT ON forgotten_memories TO jarvis_system;
ALTER TABLE forgotten_memories ENABLE ROW LEVEL SECURITY;
ALTER TABLE forgotten_memories FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON forgotten_memories TO jarvis_app
    USING (user_id = nullif(current_setting('jarvis.user_id', true), '')::uuid)
    WITH CHECK (user_id = nullif(current_setting('jarvis.user_id', true), '')::uuid);
CREATE POLICY all_rows ON forgotten_memories TO jarvis_system USING (true) WITH CHECK (true);

-- What spans users, as in migrations/first/functions.sql: ids, names and counts only.

CREATE FUNCTION jarvis_owner_of_memory(wanted uuid) RETURNS TABLE (user_id uuid, username text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.username FROM memories m JOIN users u ON u.id = m.user_id WHERE m.id = wanted
$$;

-- Both of these step from user to user along indexes: what one user has waiting may be a lot.

CREATE FUNCTION jarvis_users_to_remember(most integer) RETURNS TABLE (user_id uuid, username text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE waiting AS (
        (SELECT m.user_id FROM messages m WHERE m.indexed_at IS NULL AND m.role = 'user' ORDER BY m.user_id LIMIT 1)
        UNION ALL
        SELECT (SELECT m.user_id FROM messages m
                 WHERE m.indexed_at IS NULL AND m.role = 'user' AND m.user_id > waiting.user_id
                 ORDER BY m.user_id LIMIT 1)
          FROM waiting WHERE waiting.user_id IS NOT NULL
    )
    SELECT u.id, u.username FROM waiting JOIN users u ON u.id = waiting.user_id
     WHERE EXISTS (SELECT FROM messages m
                    WHERE m.user_id = u.id AND m.indexed_at IS NULL AND m.role = 'user'
                      AND coalesce((SELECT t.status NOT IN ('queued', 'running') FROM turns t WHERE t.id = m.turn_id),
                                   true))
     LIMIT most
$$;

CREATE FUNCTION jarvis_users_to_index(most integer) RETURNS TABLE (user_id uuid, username text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE waiting AS (
        (SELECT m.user_id FROM memories m WHERE m.indexed_at IS NULL ORDER BY m.user_id LIMIT 1)
        UNION ALL
        SELECT (SELECT m.user_id FROM memories m
                 WHERE m.indexed_at IS NULL AND m.user_id > waiting.user_id
                 ORDER BY m.user_id LIMIT 1)
          FROM waiting WHERE waiting.user_id IS NOT NULL
    ), forgetting AS (
        (SELECT f.user_id FROM forgotten_memories f ORDER BY f.user_id LIMIT 1)
        UNION ALL
        SELECT (SELECT f.user_id FROM forgotten_memories f
                 WHERE f.user_id > forgetting.user_id
                 ORDER BY f.user_id LIMIT 1)
          FROM forgetting WHERE forgetting.user_id IS NOT NULL
    )
    SELECT u.id, u.username FROM users u
     WHERE u.id IN (SELECT waiting.user_id FROM waiting UNION SELECT forgetting.user_id FROM forgetting)
     LIMIT most
$$;

CREATE FUNCTION jarvis_unindexed_memories() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*) FROM memories WHERE indexed_at IS NULL
$$;

-- Goes through all memories in the order of their ids, `most` at a time; returns where to go on, or nothing.
CREATE FUNCTION jarvis_unindex_memories(passed uuid, most integer) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH slice AS (
        SELECT id, indexed_at FROM memories WHERE id > passed ORDER BY id LIMIT most
    ), unindexed AS (
        UPDATE memories SET indexed_at = NULL FROM slice
         WHERE memories.id = slice.id AND slice.indexed_at IS NOT NULL
    )
    SELECT id FROM slice ORDER BY id DESC LIMIT 1
$$;
GRANT UPDATE (indexed_at) ON memories TO jarvis_system;

GRANT CREATE ON SCHEMA public TO jarvis_system;
DO $$
DECLARE
    made regproc;
BEGIN
    FOREACH made IN ARRAY ARRAY[
        'jarvis_owner_of_memory', 'jarvis_users_to_remember', 'jarvis_users_to_index', 'jarvis_unindexed_memories',
        'jarvis_unindex_memories'
    ]::regproc[] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', made);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO jarvis_app', made);
        EXECUTE format('ALTER FUNCTION %s OWNER TO jarvis_system', made);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM jarvis_system;
