-- Accounts, sessions, keys and the audit log. Of a secret only its SHA-256 is here.

-- Of accounts no two are told apart by capitals only; of profiles without a password some may be.
CREATE UNIQUE INDEX users_account_name_idx ON users (lower(username)) WHERE password_hash IS NOT NULL;

-- A session is a family of tokens, of which one at most can be exchanged.
CREATE TABLE refresh_tokens (
    id uuid PRIMARY KEY,
    session_id uuid NOT NULL,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    digest bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX refresh_tokens_live_idx ON refresh_tokens (session_id)
    WHERE used_at IS NULL AND revoked_at IS NULL;
CREATE INDEX refresh_tokens_user_idx ON refresh_tokens (user_id);
CREATE INDEX refresh_tokens_expires_idx ON refresh_tokens (expires_at);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name text NOT NULL,
    prefix text NOT NULL,
    digest bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz
);
CREATE INDEX api_keys_user_idx ON api_keys (user_id);
CREATE INDEX api_keys_expires_idx ON api_keys (expires_at);

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    event text NOT NULL,
    user_id uuid REFERENCES users ON DELETE SET NULL,
    address text NOT NULL DEFAULT '',
    detail text
);
CREATE INDEX audit_log_at_idx ON audit_log (at);
CREATE INDEX audit_log_user_idx ON audit_log (user_id);

GRANT SELECT, INSERT, UPDATE (revoked_at) ON refresh_tokens TO jarvis_app;
GRANT SELECT, INSERT, DELETE ON api_keys TO jarvis_app;
GRANT SELECT ON audit_log TO jarvis_app;
GRANT UPDATE (password_hash, role, status) ON users TO jarvis_system;
GRANT SELECT, INSERT, UPDATE, DELETE ON refresh_tokens TO jarvis_system;
GRANT SELECT, DELETE ON api_keys TO jarvis_system;
GRANT SELECT, INSERT, DELETE ON audit_log TO jarvis_system;

DO $$
DECLARE
    owned name;
BEGIN
    FOREACH owned IN ARRAY ARRAY['refresh_tokens', 'api_keys', 'audit_log'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', owned);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', owned);
        EXECUTE format(
            'CREATE POLICY own_rows ON %I TO jarvis_app
              USING (user_id = nullif(current_setting(''jarvis.user_id'', true), '''')::uuid)
              WITH CHECK (user_id = nullif(current_setting(''jarvis.user_id'', true), '''')::uuid)', owned);
        EXECUTE format('CREATE POLICY all_rows ON %I TO jarvis_system USING (true) WITH CHECK (true)', owned);
    END LOOP;
END $$;
