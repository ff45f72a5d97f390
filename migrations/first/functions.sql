-- What spans users. Each runs as jarvis_system, is called by jarvis_app only, and returns ids, names and leases.

CREATE FUNCTION jarvis_profile(wanted text, new_id uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    known uuid;
BEGIN
    SELECT id INTO known FROM users WHERE username = wanted;
    IF known IS NULL THEN
        INSERT INTO users (id, username) VALUES (new_id, wanted) ON CONFLICT (username) DO NOTHING;
        SELECT id INTO STRICT known FROM users WHERE username = wanted;
    END IF;
    RETURN known;
END $$;

CREATE FUNCTION jarvis_owner_of_conversation(wanted uuid) RETURNS TABLE (user_id uuid, username text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.username FROM conversations c JOIN users u ON u.id = c.user_id WHERE c.id = wanted
$$;

CREATE FUNCTION jarvis_owner_of_turn(wanted uuid) RETURNS TABLE (user_id uuid, username text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.username FROM turns t JOIN users u ON u.id = t.user_id WHERE t.id = wanted
$$;

-- Returns the turns that somebody asked to cancel.
CREATE FUNCTION jarvis_renew_leases(owner text, live uuid[], lease interval) RETURNS TABLE (turn_id uuid)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH renewed AS (
        UPDATE turns SET lease_until = now() + lease
         WHERE id = ANY (live) AND lease_owner = owner AND status IN ('queued', 'running')
        RETURNING id, cancel_requested
    )
    SELECT id FROM renewed WHERE cancel_requested
$$;

-- What is taken is not among what its taker renews, so that its lease ends when the taker fails.
CREATE FUNCTION jarvis_take_abandoned(
    owner text, live uuid[], predecessors text, lease interval, most integer
)
RETURNS TABLE (turn_id uuid, user_id uuid, username text)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH gone AS (
        SELECT id FROM turns
         WHERE status IN ('queued', 'running')
           AND id <> ALL (live)
           AND (lease_until < now()
                OR (predecessors <> '' AND lease_owner <> owner AND starts_with(lease_owner, predecessors)))
         ORDER BY id
         LIMIT most
           FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE turns SET lease_owner = owner, lease_until = now() + lease
          FROM gone WHERE turns.id = gone.id
        RETURNING turns.id, turns.user_id
    )
    SELECT taken.id, u.id, u.username FROM taken JOIN users u ON u.id = taken.user_id
$$;

-- Under a policy @@ could not use its index, since it is not leakproof: this function filters by user itself.
-- A generic plan would not use the index either.
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

-- To give a function away one must be allowed to become the new owner, who must be allowed to create there.
GRANT CREATE ON SCHEMA public TO jarvis_system;
DO $$
DECLARE
    made regprocedure;
BEGIN
    FOR made IN
        SELECT p.oid FROM pg_proc p
         WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef AND starts_with(p.proname, 'jarvis_')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', made);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO jarvis_app', made);
        EXECUTE format('ALTER FUNCTION %s OWNER TO jarvis_system', made);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM jarvis_system;
