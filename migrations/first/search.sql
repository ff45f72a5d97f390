-- unaccent() is refused in a generated column; as a dictionary of a configuration it is not.
-- Its schema is looked up: an administrator may have put the extension anywhere.
DO $$
DECLARE
    home name;
    language record;
BEGIN
    CREATE EXTENSION IF NOT EXISTS unaccent;
    SELECT n.nspname INTO STRICT home
      FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'unaccent';
    FOR language IN VALUES ('jarvis_en', 'english'), ('jarvis_fr', 'french') LOOP
        EXECUTE format('CREATE TEXT SEARCH CONFIGURATION %I (COPY = pg_catalog.%I)', language.column1, language.column2);
        EXECUTE format(
            'ALTER TEXT SEARCH CONFIGURATION %I ALTER MAPPING FOR hword, hword_part, word WITH %I.unaccent, %I',
            language.column1, home, language.column2 || '_stem');
    END LOOP;
END $$;
