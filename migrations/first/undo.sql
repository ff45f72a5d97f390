-- Roles and the unaccent extension stay: other databases and other tables may use them.
DROP FUNCTION jarvis_profile, jarvis_owner_of_conversation, jarvis_owner_of_turn, jarvis_renew_leases,
    jarvis_take_abandoned, jarvis_search_messages;
DROP TABLE memories, turns, messages, conversations, users;
DROP TEXT SEARCH CONFIGURATION jarvis_en, jarvis_fr;
DROP TYPE user_role, user_status, conversation_status, message_role, message_status, turn_status, memory_kind;
DO $$
DECLARE
    old record;
BEGIN
    IF to_regnamespace('jarvis_adopted') IS NULL THEN
        RETURN;
    END IF;
    FOR old IN SELECT relname AS name FROM pg_class
                WHERE relnamespace = 'jarvis_adopted'::regnamespace AND relkind IN ('r', 'p') LOOP
        EXECUTE format('ALTER TABLE jarvis_adopted.%I SET SCHEMA public', old.name);
    END LOOP;
    FOR old IN SELECT typname AS name FROM pg_type
                WHERE typnamespace = 'jarvis_adopted'::regnamespace AND typtype IN ('e', 'd') LOOP
        EXECUTE format('ALTER TYPE jarvis_adopted.%I SET SCHEMA public', old.name);
    END LOOP;
    DROP SCHEMA jarvis_adopted;
END $$;
