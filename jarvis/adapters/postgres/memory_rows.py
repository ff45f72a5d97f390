"""A row becomes a memory, whichever statement read it."""

import msgspec
from msgspec import UNSET

from jarvis.adapters.postgres.memory_statements import MemoryRow
from jarvis.adapters.postgres.recall_statements import AroundRow
from jarvis.core.memories import Memory, MemorySource

_source_of = msgspec.json.Decoder(MemorySource).decode


def memory_of(row: MemoryRow | AroundRow) -> Memory:
    return Memory(
        id=row.id,
        content=row.content,
        importance=row.importance,
        kind=row.kind,
        source=None if row.source is None else _source_of(row.source),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        valid_from=UNSET if row.valid_from is None else row.valid_from,
        valid_to=UNSET if row.valid_to is None else row.valid_to,
    )
