-- Accounts keep their passwords, for the way up again; sessions, keys and the audit log are dropped.
SET LOCAL ROLE jarvis_system;
DROP FUNCTION jarvis_account, jarvis_sign_up, jarvis_rehash, jarvis_renew_session, jarvis_standings, jarvis_key_of,
    jarvis_sweep_identity, jarvis_note, jarvis_lock_identity;
RESET ROLE;
REVOKE UPDATE (password_hash, role, status) ON users FROM jarvis_system;
DROP TABLE refresh_tokens, api_keys, audit_log;
DROP INDEX users_account_name_idx;
