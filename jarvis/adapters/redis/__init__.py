"""Redis, or Valkey: what the replicas of one Jarvis tell one another. Never the only copy of anything."""
