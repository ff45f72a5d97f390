-- The tables of the earlier Rust server, if they are here: kept whole in a schema of their own, for the way back.
DO $$
DECLARE
    old record;
BEGIN
    IF to_regclass('public.conversations') IS NULL THEN
        RETURN;
    END IF;
    CREATE SCHEMA jarvis_adopted;
    FOR old IN
        SELECT c.relname AS name FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
           AND c.relname IN ('users', 'conversations', 'messages', 'turns', 'memories', '_sqlx_migrations')
    LOOP
        EXECUTE format('ALTER TABLE public.%I SET SCHEMA jarvis_adopted', old.name);
    END LOOP;
    FOR old IN
        SELECT t.typname AS name FROM pg_type t
         WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd')
           AND t.typname IN ('user_role', 'user_status', 'conversation_status', 'message_role', 'message_status',
                             'turn_status', 'memory_kind')
    LOOP
        EXECUTE format('ALTER TYPE public.%I SET SCHEMA jarvis_adopted', old.name);
    END LOOP;
END $$;
