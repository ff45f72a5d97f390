CREATE INDEX turns_keyed_idx ON turns (created_at) WHERE idempotency_key IS NOT NULL;

-- Keys whose turn was deleted with its conversation: what they were used for is gone, and must not come again.
CREATE TABLE spent_keys (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    digest bytea NOT NULL,
    spent_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, digest)
);
CREATE INDEX spent_keys_spent_idx ON spent_keys (spent_at);
GRANT SELECT, INSERT ON spent_keys TO jarvis_app;
GRANT SELECT, DELETE ON spent_keys TO jarvis_system;
ALTER TABLE spent_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE spent_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON spent_keys TO jarvis_app
    USING (user_id = nullif(current_setting('jarvis.user_id', true), '')::uuid)
    WITH CHECK (user_id = nullif(current_setting('jarvis.user_id', true), '')::uuid);
CREATE POLICY all_rows ON spent_keys TO jarvis_system USING (true) WITH CHECK (true);

-- Returns whether there may be more.
CREATE FUNCTION jarvis_forget_keys(kept interval, most integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    forgotten integer;
    is_full boolean;
BEGIN
    UPDATE turns SET idempotency_key = NULL, fingerprint = NULL, answer = NULL WHERE id = ANY (ARRAY(
        SELECT t.id FROM turns t WHERE t.idempotency_key IS NOT NULL AND t.created_at < now() - kept
         ORDER BY t.created_at LIMIT most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    is_full := forgotten >= most;
    DELETE FROM spent_keys WHERE (user_id, digest) IN (
        SELECT k.user_id, k.digest FROM spent_keys k WHERE k.spent_at < now() - kept
         ORDER BY k.spent_at LIMIT most FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS forgotten = ROW_COUNT;
    RETURN is_full OR forgotten >= most;
END $$;
GRANT CREATE ON SCHEMA public TO jarvis_system;
REVOKE ALL ON FUNCTION jarvis_forget_keys FROM PUBLIC;
GRANT EXECUTE ON FUNCTION jarvis_forget_keys TO jarvis_app;
ALTER FUNCTION jarvis_forget_keys OWNER TO jarvis_system;
REVOKE CREATE ON SCHEMA public FROM jarvis_system;
