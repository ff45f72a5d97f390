GRANT USAGE ON SCHEMA public TO jarvis_app, jarvis_system;
GRANT SELECT ON users TO jarvis_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON conversations, messages, turns, memories TO jarvis_app;
GRANT SELECT, INSERT ON users TO jarvis_system;
GRANT SELECT ON conversations, messages, memories TO jarvis_system;
GRANT SELECT, UPDATE ON turns TO jarvis_system;

-- FORCE binds the owner of the tables too. After one SET LOCAL the setting stays '' on that connection, and a plain
-- cast would fail there for ever: hence nullif.
DO $$
DECLARE
    owned record;
BEGIN
    FOR owned IN VALUES
        ('users', 'id'), ('conversations', 'user_id'), ('messages', 'user_id'), ('turns', 'user_id'), ('memories', 'user_id')
    LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', owned.column1);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', owned.column1);
        EXECUTE format(
            'CREATE POLICY own_rows ON %1$I TO jarvis_app
              USING (%2$I = nullif(current_setting(''jarvis.user_id'', true), '''')::uuid)
              WITH CHECK (%2$I = nullif(current_setting(''jarvis.user_id'', true), '''')::uuid)',
            owned.column1, owned.column2);
        EXECUTE format(
            'CREATE POLICY all_rows ON %I TO jarvis_system USING (true) WITH CHECK (true)', owned.column1);
    END LOOP;
END $$;
