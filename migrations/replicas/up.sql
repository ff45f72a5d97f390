-- Returns the turns that somebody asked to cancel, and those that are the owner's no more.
DROP FUNCTION jarvis_renew_leases(text, uuid[], interval);
CREATE FUNCTION jarvis_renew_leases(owner text, live uuid[], lease interval)
RETURNS TABLE (turn_id uuid, is_held boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH renewed AS (
        UPDATE turns SET lease_until = now() + lease
         WHERE id = ANY (live) AND lease_owner = owner AND status IN ('queued', 'running')
        RETURNING id, cancel_requested
    )
    SELECT named.id, renewed.id IS NOT NULL
      FROM unnest(live) AS named (id) LEFT JOIN renewed ON renewed.id = named.id
     WHERE renewed.id IS NULL OR renewed.cancel_requested
$$;
GRANT CREATE ON SCHEMA public TO jarvis_system;
REVOKE ALL ON FUNCTION jarvis_renew_leases FROM PUBLIC;
GRANT EXECUTE ON FUNCTION jarvis_renew_leases TO jarvis_app;
ALTER FUNCTION jarvis_renew_leases OWNER TO jarvis_system;
REVOKE CREATE ON SCHEMA public FROM jarvis_system;
