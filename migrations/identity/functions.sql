-- What spans users, as in migrations/first/functions.sql. Only jarvis_account returns a password's hash, to whoever
-- checks a password.

-- Waits until nobody else changes the credentials of this user; null: which accounts there are.
CREATE FUNCTION jarvis_lock_identity(whose uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT pg_advisory_xact_lock(hashtextextended(coalesce(whose::text, ''), 6578273))
$$;

CREATE FUNCTION jarvis_note(event text, whose uuid, address text, detail text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO audit_log (event, user_id, address, detail) VALUES (event, whose, address, detail)
$$;

CREATE FUNCTION jarvis_account(wanted text)
RETURNS TABLE (id uuid, username text, role text, status text, password_hash text, created_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = public, pg_temp AS $$
    SELECT u.id, u.username, u.role::text, u.status::text, u.password_hash, u.created_at
      FROM users u WHERE u.username = wanted
$$;

-- Returns whether there was none of that name, in whatever capitals.
CREATE FUNCTION jarvis_sign_up(wanted text, new_password_hash text, new_id uuid, address text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM jarvis_lock_identity(NULL);
    IF EXISTS (SELECT FROM users WHERE lower(username) = lower(wanted)) THEN
        RETURN false;
    END IF;
    INSERT INTO users (id, username, password_hash, role)
    SELECT new_id, wanted, new_password_hash,
           CASE WHEN EXISTS (SELECT FROM users WHERE password_hash IS NOT NULL) THEN 'member' ELSE 'owner' END::user_role
        ON CONFLICT (username) DO NOTHING; -- a profile may be made meanwhile
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM jarvis_note('signed_up', new_id, address, NULL);
    RETURN true;
END $$;

CREATE FUNCTION jarvis_rehash(whose uuid, outdated text, new_password_hash text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE users SET password_hash = new_password_hash WHERE id = whose AND password_hash = outdated
$$;

-- Of two that come with the same token one waits for the other, and then finds it used.
CREATE FUNCTION jarvis_renew_session(
    exchanged bytea, new_id uuid, new_digest bytea, new_expires_at timestamptz, address text
)
RETURNS TABLE (credential_id uuid, user_id uuid, username text, role text)
LANGUAGE plpgsql SECURITY DEFINER ROWS 1 SET search_path = public, pg_temp AS $$
DECLARE
    token refresh_tokens;
    holder users;
BEGIN
    SELECT t.user_id INTO token.user_id FROM refresh_tokens t WHERE t.digest = exchanged;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM jarvis_lock_identity(token.user_id);
    SELECT * INTO token FROM refresh_tokens t WHERE t.digest = exchanged;
    IF token.used_at IS NOT NULL THEN
        UPDATE refresh_tokens t SET revoked_at = now()
         WHERE t.session_id = token.session_id AND t.used_at IS NULL AND t.revoked_at IS NULL;
        IF FOUND THEN
            PERFORM jarvis_note('refresh_token_reused', token.user_id, address, NULL);
        END IF;
        RETURN;
    END IF;
    SELECT * INTO holder FROM users u WHERE u.id = token.user_id;
    IF token.revoked_at IS NULL AND token.expires_at > now() AND holder.status = 'active' THEN
        UPDATE refresh_tokens t SET used_at = now() WHERE t.id = token.id;
        INSERT INTO refresh_tokens (id, session_id, user_id, digest, expires_at)
        VALUES (new_id, token.session_id, token.user_id, new_digest, new_expires_at);
        RETURN QUERY SELECT token.session_id, holder.id, holder.username, holder.role::text;
    END IF;
END $$;

-- Asked all the time, and planned once for a connection: whatever the ids, they are looked up in indexes, and planning
-- took twice as long as the rest.
CREATE FUNCTION jarvis_standings(wanted uuid[])
RETURNS TABLE (credential_id uuid, user_id uuid, username text, role text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN QUERY
    SELECT t.session_id, u.id, u.username, u.role::text
      FROM refresh_tokens t JOIN users u ON u.id = t.user_id
     WHERE t.session_id = ANY (wanted) AND t.used_at IS NULL AND t.revoked_at IS NULL AND t.expires_at > now()
       AND u.status = 'active'
    UNION ALL
    SELECT k.id, u.id, u.username, u.role::text
      FROM api_keys k JOIN users u ON u.id = k.user_id
     WHERE k.id = ANY (wanted) AND (k.expires_at IS NULL OR k.expires_at > now()) AND u.status = 'active';
END $$;

CREATE FUNCTION jarvis_key_of(wanted bytea) RETURNS TABLE (key_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1 SET search_path = public, pg_temp AS $$
    SELECT k.id FROM api_keys k WHERE k.digest = wanted
$$;

-- Returns whether there may be more, unless another process is at it. Used tokens stay as long as the others, so that
-- one shown again is known.
CREATE FUNCTION jarvis_sweep_identity(audit_days integer, most integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    swept integer;
    is_full boolean;
BEGIN
    IF NOT pg_try_advisory_xact_lock(6578274) THEN
        RETURN false;
    END IF;
    DELETE FROM refresh_tokens WHERE id = ANY (ARRAY(
        SELECT t.id FROM refresh_tokens t WHERE t.expires_at < now() - interval '1 day'
         ORDER BY t.expires_at LIMIT most));
    GET DIAGNOSTICS swept = ROW_COUNT;
    is_full := swept >= most;
    DELETE FROM api_keys WHERE id = ANY (ARRAY(
        SELECT k.id FROM api_keys k WHERE k.expires_at < now() - interval '1 day'
         ORDER BY k.expires_at LIMIT most));
    GET DIAGNOSTICS swept = ROW_COUNT;
    is_full := is_full OR swept >= most;
    DELETE FROM audit_log WHERE id = ANY (ARRAY(
        SELECT a.id FROM audit_log a WHERE a.at < now() - make_interval(days => audit_days)
         ORDER BY a.at LIMIT most));
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN is_full OR swept >= most;
END $$;

GRANT CREATE ON SCHEMA public TO jarvis_system;
DO $$
DECLARE
    made regproc;
BEGIN
    FOREACH made IN ARRAY ARRAY[
        'jarvis_lock_identity', 'jarvis_note', 'jarvis_account', 'jarvis_sign_up', 'jarvis_rehash',
        'jarvis_renew_session', 'jarvis_standings', 'jarvis_key_of', 'jarvis_sweep_identity'
    ]::regproc[] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', made);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO jarvis_app', made);
        EXECUTE format('ALTER FUNCTION %s OWNER TO jarvis_system', made);
    END LOOP;
END $$;
REVOKE CREATE ON SCHEMA public FROM jarvis_system;
