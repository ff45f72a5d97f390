-- What recall fetches; jarvis/core/recall.py ranks it. Under a policy @@ could not use its index, since it is not
-- leakproof: these functions filter by user themselves. Without as_of the moment is 'infinity': only what nothing
-- has superseded is true then.

-- Per word of a query the lexemes that both configurations make of it, and what the word weighs; then the memories
-- whose own words match best, and, where fewer than `most` match, the newest. A word that either language leaves out
-- is none ("on", "main" and "pour" are words of one and say nothing in the other), unless nothing else was said.
-- How common a word is, is judged on the newest 500 memories. The rarest ones are looked up as long as at most 400
-- matches are expected, then the next two where they are together: fetching rows from all over the table is what
-- takes time. 200 and 800 find the same.
CREATE FUNCTION jarvis_recall_seeds(wanted text, most integer, as_of timestamptz)
RETURNS TABLE (words text[], weights double precision[], usual_size double precision, memory_ids uuid[])
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = public, pg_temp SET plan_cache_mode = force_custom_plan SET random_page_cost = 0.6 AS $$
DECLARE
    reader uuid := nullif(current_setting('jarvis.user_id', true), '')::uuid;
    moment timestamptz := coalesce(as_of, 'infinity');
    asked tsquery[];
    newest uuid[];
    seen double precision;
    held double precision;
    shares double precision[];
    query tsquery;
    room double precision := 400;
    common tsquery[] := '{}';
    lookup record;
BEGIN
    WITH tokens AS (
        SELECT lower(token) AS token, min(place) AS place
          FROM ts_parse('default', left(wanted, 4096)) WITH ORDINALITY AS parsed (tokid, token, place)
         WHERE tokid NOT IN (12, 13, 14) -- blanks, tags, protocol heads
         GROUP BY lower(token)
    ), lexemes AS (
        SELECT place, tsvector_to_array(to_tsvector('jarvis_en', token)) AS english,
               tsvector_to_array(to_tsvector('jarvis_fr', token)) AS french
          FROM tokens
    ), parts AS (
        SELECT min(place) AS place, english = '{}' OR french = '{}' AS is_left_out,
               (SELECT string_agg(DISTINCT '''' || replace(replace(one, '\', '\\'), '''', '''''') || '''', ' | ')
                  FROM unnest(english || french) AS one) AS lexeme
          FROM lexemes GROUP BY english, french
    ), kept AS (
        SELECT lexeme, place FROM parts
         WHERE lexeme IS NOT NULL AND (NOT is_left_out OR NOT EXISTS (SELECT FROM parts WHERE NOT is_left_out))
         ORDER BY place LIMIT 24 -- `hits` below has a bit for each
    )
    SELECT coalesce(array_agg(lexeme ORDER BY place), '{}'), coalesce(array_agg(lexeme::tsquery ORDER BY place), '{}')
      INTO words, asked FROM kept;

    WITH sample AS MATERIALIZED (
        SELECT m.id, m.created_at, m.search FROM memories m
         WHERE m.user_id = reader AND coalesce(m.valid_from, m.created_at) <= moment
           AND (m.valid_to IS NULL OR m.valid_to > moment)
         ORDER BY m.created_at DESC, m.id DESC LIMIT 500
    )
    SELECT ARRAY(SELECT s.id FROM sample s ORDER BY s.created_at DESC, s.id DESC LIMIT most),
           (SELECT count(*) FROM sample), (SELECT avg(length(s.search)) FROM sample s),
           (SELECT array_agg((SELECT count(*) FROM sample s WHERE s.search @@ a.word) ORDER BY a.place)
              FROM unnest(asked) WITH ORDINALITY AS a (word, place))
      INTO newest, seen, usual_size, shares;
    held := seen;
    seen := greatest(seen, 1);
    IF seen = 500 THEN
        -- Of an index only; beyond that many a word is as rare or common as it will ever be.
        SELECT greatest(seen, count(*)) INTO held
          FROM (SELECT FROM memories m WHERE m.user_id = reader LIMIT 100000) AS counted;
    END IF;

    FOR lookup IN
        SELECT a.word, a.share / seen * held AS expected
          FROM unnest(asked, shares) AS a (word, share) ORDER BY a.share, numnode(a.word)
    LOOP
        IF lookup.expected <= room THEN
            query := CASE WHEN query IS NULL THEN lookup.word ELSE query || lookup.word END;
            room := room - greatest(lookup.expected, 20);
        ELSIF cardinality(common) < 2 THEN
            common := common || lookup.word;
        END IF;
    END LOOP;
    IF query IS NULL AND cardinality(common) = 1 THEN
        query := common[1];
    END IF;
    IF cardinality(common) = 2 THEN
        query := CASE WHEN query IS NULL THEN common[1] && common[2] ELSE query || (common[1] && common[2]) END;
    END IF;

    WITH matches AS MATERIALIZED (
        SELECT m.id, m.search FROM memories m
         WHERE m.user_id = reader AND m.search @@ query AND coalesce(m.valid_from, m.created_at) <= moment
           AND (m.valid_to IS NULL OR m.valid_to > moment)
         LIMIT 800
    ), weighed AS MATERIALIZED (
        SELECT a.place, a.word, ln(1 + (held - f.found + 0.5) / (f.found + 0.5)) AS weight
          FROM unnest(asked, shares) WITH ORDINALITY AS a (word, share, place),
               LATERAL (SELECT least(held, CASE WHEN a.share >= 5 THEN a.share / seen * held
                        ELSE (SELECT count(*) FROM matches WHERE search @@ a.word)::double precision END) AS found) AS f
    ), scored AS (
        SELECT matches.id, sum(weighed.weight)
               / (1 + 0.6 * (0.7 + 0.3 * least(5, min(length(matches.search)) / greatest(1, usual_size)))) AS score
          FROM matches, weighed WHERE matches.search @@ weighed.word GROUP BY matches.id
         ORDER BY score DESC, matches.id DESC LIMIT most
    ), found AS (
        SELECT id, score, 0 AS place FROM scored
        UNION ALL
        SELECT n.id, 0, n.place FROM unnest(newest) WITH ORDINALITY AS n (id, place)
         WHERE n.id NOT IN (SELECT id FROM scored)
         ORDER BY score DESC, place, id DESC LIMIT most
    )
    SELECT coalesce((SELECT array_agg(weight ORDER BY place) FROM weighed), '{}'),
           coalesce((SELECT array_agg(id ORDER BY score DESC, place, id DESC) FROM found), '{}')
      INTO weights, memory_ids;
    usual_size := coalesce(usual_size, 1);
    RETURN NEXT;
END $$;

-- The given memories and, of the same conversation, the two told before and the two told after each: `window` has the
-- five in their order. The facts in an episode are told at its own time, and would be all its neighbours: an episode
-- has episodes. Bit i of `hits`: it has word i. It is planned once for a connection: whatever the ids, they are looked
-- up in indexes, and planning took as long as a third of the rest.
CREATE FUNCTION jarvis_recall_around(wanted uuid[], words text[], as_of timestamptz)
RETURNS TABLE (memory_id uuid, told_around uuid[], told_in uuid, content text, importance double precision, kind text,
               source text, created_at timestamptz, last_used_at timestamptz, valid_from timestamptz,
               valid_to timestamptz, use_count integer, size integer, hits integer)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 500
SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan SET random_page_cost = 0.6 AS $$
DECLARE
    reader uuid := nullif(current_setting('jarvis.user_id', true), '')::uuid;
    moment timestamptz := coalesce(as_of, 'infinity');
    asked tsquery[] := words::tsquery[];
BEGIN
    RETURN QUERY
    WITH seeds AS MATERIALIZED (
        SELECT m.id, m.created_at, m.told_in, m.kind = 'episode' AS is_episode FROM memories m
         WHERE m.user_id = reader AND m.id = ANY (wanted) AND coalesce(m.valid_from, m.created_at) <= moment
           AND (m.valid_to IS NULL OR m.valid_to > moment)
    ), windows AS MATERIALIZED (
        SELECT s.id,
               ARRAY(SELECT b.id FROM (
                   SELECT m.created_at, m.id FROM memories m
                    WHERE m.user_id = reader AND m.told_in = s.told_in AND (m.created_at, m.id) < (s.created_at, s.id)
                      AND (m.kind = 'episode') = s.is_episode AND coalesce(m.valid_from, m.created_at) <= moment
                      AND (m.valid_to IS NULL OR m.valid_to > moment)
                    ORDER BY m.created_at DESC, m.id DESC LIMIT 2) AS b ORDER BY b.created_at, b.id)
               || ARRAY(
                   SELECT m.id FROM memories m
                    WHERE m.user_id = reader AND m.told_in = s.told_in AND (m.created_at, m.id) >= (s.created_at, s.id)
                      AND (m.kind = 'episode') = s.is_episode AND coalesce(m.valid_from, m.created_at) <= moment
                      AND (m.valid_to IS NULL OR m.valid_to > moment)
                    ORDER BY m.created_at, m.id LIMIT 3) AS told_around
          FROM seeds s
    )
    SELECT m.id, w.told_around, m.told_in, m.content, m.importance, m.kind::text, m.source::text, m.created_at,
           m.last_used_at, m.valid_from, m.valid_to, m.use_count, length(m.search),
           (SELECT coalesce(sum(1 << (a.place::integer - 1)), 0)::integer
              FROM unnest(asked) WITH ORDINALITY AS a (word, place) WHERE m.search @@ a.word)
      FROM memories m LEFT JOIN windows w ON w.id = m.id
     WHERE m.user_id = reader AND m.id = ANY (ARRAY(SELECT unnest(windows.told_around) FROM windows));
END $$;

GRANT CREATE ON SCHEMA public TO jarvis_system;
REVOKE ALL ON FUNCTION jarvis_recall_seeds, jarvis_recall_around FROM PUBLIC;
GRANT EXECUTE ON FUNCTION jarvis_recall_seeds, jarvis_recall_around TO jarvis_app;
ALTER FUNCTION jarvis_recall_seeds OWNER TO jarvis_system;
ALTER FUNCTION jarvis_recall_around OWNER TO jarvis_system;
REVOKE CREATE ON SCHEMA public FROM jarvis_system;
