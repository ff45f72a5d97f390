-- Deleting leaves what was deleted in the files of Postgres: in holes of pages, in TOAST, in the keys of GIN and in the
-- planner's samples. These rows say which tables are to be written anew; they are made with the deletion, so that
-- neither a crash nor another process misses them. No table twice would be enough, but who deletes would then wait
-- for who else does.
CREATE TABLE erasure_wanted (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name text NOT NULL,
    since timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, INSERT, DELETE ON erasure_wanted TO jarvis_app;

CREATE FUNCTION want_erasure() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_LEVEL = 'STATEMENT' THEN
        IF NOT EXISTS (SELECT FROM gone) THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO erasure_wanted (table_name) SELECT unnest(TG_ARGV);
    RETURN NULL;
END $$;
-- What turns were told of a memory is taken out by who deletes or edits it, and with it the wish for `turns`.
CREATE TRIGGER memories_erasure AFTER DELETE ON memories
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION want_erasure('memories');
CREATE TRIGGER memories_edit_erasure AFTER UPDATE OF content ON memories
    FOR EACH ROW WHEN (OLD.content IS DISTINCT FROM NEW.content) EXECUTE FUNCTION want_erasure('memories');
CREATE TRIGGER conversations_erasure AFTER DELETE ON conversations
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT
    EXECUTE FUNCTION want_erasure('conversations', 'messages', 'turns');

-- No plan is better for samples of what people said. A superuser takes out what was sampled before; for others it
-- stays until an administrator does: docs/forgetting.md.
ALTER TABLE memories
    ALTER COLUMN content SET STATISTICS 0, ALTER COLUMN value SET STATISTICS 0, ALTER COLUMN source SET STATISTICS 0;
ALTER TABLE messages ALTER COLUMN content SET STATISTICS 0, ALTER COLUMN metadata SET STATISTICS 0;
ALTER TABLE conversations
    ALTER COLUMN title SET STATISTICS 0, ALTER COLUMN summary SET STATISTICS 0,
    ALTER COLUMN system_prompt SET STATISTICS 0;
ALTER TABLE turns
    ALTER COLUMN request SET STATISTICS 0, ALTER COLUMN partial_text SET STATISTICS 0,
    ALTER COLUMN answer SET STATISTICS 0, ALTER COLUMN error SET STATISTICS 0, ALTER COLUMN ending SET STATISTICS 0;
DO $$
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        DELETE FROM pg_statistic s USING pg_attribute a
         WHERE a.attrelid = s.starelid AND a.attnum = s.staattnum AND a.attstattarget = 0
           AND a.attrelid IN ('memories'::regclass, 'messages'::regclass, 'conversations'::regclass, 'turns'::regclass);
    END IF;
END $$;
