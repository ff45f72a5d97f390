-- Lists read counts instead of counting, titles know whether they may still change, and search pages by place.
ALTER TABLE conversations
    ADD COLUMN message_count integer NOT NULL DEFAULT 0,
    ADD COLUMN title_is_settled boolean NOT NULL DEFAULT false;

-- The owner of a table is bound by FORCE too, and has no policy.
ALTER TABLE conversations NO FORCE ROW LEVEL SECURITY;
ALTER TABLE messages NO FORCE ROW LEVEL SECURITY;
UPDATE conversations SET
    title_is_settled = title IS NOT NULL,
    message_count = (SELECT count(*) FROM messages WHERE conversation_id = conversations.id AND alternative_of IS NULL);
ALTER TABLE conversations FORCE ROW LEVEL SECURITY;
ALTER TABLE messages FORCE ROW LEVEL SECURITY;

-- What a common word is looked up with: its newest matches, from the end of this index.
CREATE INDEX messages_newest_idx ON messages (user_id, id);

SET LOCAL ROLE jarvis_system;
DROP FUNCTION jarvis_search_messages;
RESET ROLE;

-- Under a policy @@ could not use its index, since it is not leakproof: this function filters by user itself.
-- A generic plan would not use the right index: GIN for a rare word, the newest messages for a common one.
-- The newest 1,000 matches are ranked; `total` counts these. The last row may be a total without a message.
CREATE FUNCTION jarvis_search_messages(wanted text, most integer, below_score real, below_id uuid)
RETURNS TABLE (message_id uuid, score real, total bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 20
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    reader uuid := nullif(current_setting('jarvis.user_id', true), '')::uuid;
    query tsquery := websearch_to_tsquery('jarvis_en', wanted) || websearch_to_tsquery('jarvis_fr', wanted);
BEGIN
    RETURN QUERY
    WITH newest AS MATERIALIZED (
        SELECT m.id, ts_rank(m.search, query) AS rank
          FROM messages m
         WHERE m.user_id = reader AND m.search @@ query AND m.alternative_of IS NULL
         ORDER BY m.id DESC
         LIMIT 1000
    ), page AS (
        SELECT n.id, n.rank FROM newest n
         WHERE (n.rank, n.id) < (below_score, below_id)
         ORDER BY n.rank DESC, n.id DESC
         LIMIT most
    )
    SELECT page.id, page.rank, counted.total
      FROM (SELECT count(*) AS total FROM newest) AS counted LEFT JOIN page ON true
     ORDER BY page.rank DESC NULLS LAST, page.id DESC;
END $$;

GRANT CREATE ON SCHEMA public TO jarvis_system;
REVOKE ALL ON FUNCTION jarvis_search_messages FROM PUBLIC;
GRANT EXECUTE ON FUNCTION jarvis_search_messages TO jarvis_app;
ALTER FUNCTION jarvis_search_messages OWNER TO jarvis_system;
REVOKE CREATE ON SCHEMA public FROM jarvis_system;
