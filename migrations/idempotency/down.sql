DROP FUNCTION jarvis_forget_keys;
DROP TABLE spent_keys;
DROP INDEX turns_keyed_idx;
