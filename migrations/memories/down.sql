SET LOCAL ROLE jarvis_system;
DROP FUNCTION jarvis_owner_of_memory, jarvis_users_to_remember, jarvis_users_to_index, jarvis_unindexed_memories,
    jarvis_unindex_memories;
RESET ROLE;
REVOKE UPDATE (indexed_at) ON memories FROM jarvis_system;

DROP TRIGGER memories_forgotten ON memories;
DROP FUNCTION note_forgotten;
DROP TABLE forgotten_memories, indexed_space;
ALTER TABLE turns DROP COLUMN forgotten;

DROP INDEX messages_unremembered_idx;
CREATE INDEX messages_unindexed_idx ON messages (id) WHERE indexed_at IS NULL;

DROP INDEX memories_live_idx, memories_attribute_idx, memories_told_idx, memories_superseded_idx,
    memories_unindexed_idx;
CREATE INDEX memories_unindexed_idx ON memories (id) WHERE indexed_at IS NULL;
ALTER TABLE memories
    ALTER COLUMN importance TYPE real,
    DROP COLUMN attribute, DROP COLUMN value, DROP COLUMN digest, DROP COLUMN told_in;
