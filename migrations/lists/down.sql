SET LOCAL ROLE jarvis_system;
DROP FUNCTION jarvis_search_messages;
RESET ROLE;

CREATE FUNCTION jarvis_search_messages(wanted text, most integer, skipped integer)
RETURNS TABLE (message_id uuid, score real, total bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    reader uuid := nullif(current_setting('jarvis.user_id', true), '')::uuid;
    query tsquery := websearch_to_tsquery('jarvis_en', wanted) || websearch_to_tsquery('jarvis_fr', wanted);
BEGIN
    RETURN QUERY
    SELECT m.id, ts_rank(m.search, query), count(*) OVER ()
      FROM messages m
     WHERE m.user_id = reader AND m.search @@ query
     ORDER BY 2 DESC, m.id DESC
     LIMIT most OFFSET skipped;
END $$;

GRANT CREATE ON SCHEMA public TO jarvis_system;
REVOKE ALL ON FUNCTION jarvis_search_messages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION jarvis_search_messages TO jarvis_app;
ALTER FUNCTION jarvis_search_messages OWNER TO jarvis_system;
REVOKE CREATE ON SCHEMA public FROM jarvis_system;

DROP INDEX messages_newest_idx;
DROP INDEX conversations_active_idx, conversations_archived_idx;
CREATE INDEX conversations_activity_idx
    ON conversations (user_id, status, coalesce(last_message_at, created_at), id);
ALTER TABLE conversations DROP COLUMN message_count, DROP COLUMN title_is_settled;
