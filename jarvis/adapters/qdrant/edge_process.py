"""The process that holds Qdrant Edge: `python -m` this with a folder. It ends when its standard input does.

Every search compares with all vectors of the user: measured at 100,000 of 512 dimensions that takes 10 ms,
while a graph took minutes to build, and each purge would build it again.
"""

import fcntl
import shutil
import sys
from array import array
from pathlib import Path
from typing import assert_never, cast
from uuid import UUID

import msgspec
from qdrant_edge import (
    Distance,
    EdgeConfig,
    EdgeOptimizersConfig,
    EdgeShard,
    EdgeVectorParams,
    FieldCondition,
    Filter,
    HasIdCondition,
    KeywordIndexParams,
    MatchValue,
    Point,
    Query,
    QueryRequest,
    UpdateOperation,
    VectorStorageDatatype,
)

from jarvis.adapters.qdrant import edge_wire as wire
from jarvis.adapters.qdrant.spaces import NAME

_USER = "user_id"
_FAILED = "The embedded vector store failed."


class Shard:
    """The vectors of the space that was opened last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = ""
        self._open: EdgeShard | None = None

    def obey(self, request: wire.Request) -> wire.Reply:
        if isinstance(request, wire.Open):
            return self._reopen(request)
        if self._open is None:
            return wire.Reply(failed="The vector store is not open.")
        if isinstance(request, wire.Search):
            return _search(self._open, request)
        self._change(self._open, request)
        return wire.Reply()

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _reopen(self, request: wire.Open) -> wire.Reply:
        self.close()
        folder = self._folder / request.name
        if request.anew and folder.exists():
            shutil.rmtree(folder)
        self._open = _load_or_create(folder, request.dimensions)
        self._name = request.name
        return wire.Reply(empty=self._open.info().points_count == 0)

    def _change(self, shard: EdgeShard, request: wire.Change) -> None:
        match request:
            case wire.Put():
                points = [Point(i, _numbers(v), {_USER: str(request.user_id)}) for i, v in request.points]
                shard.update(UpdateOperation.upsert_points(points, condition=_of(request.user_id)))
            case wire.Delete():
                which = _of(request.user_id, request.ids)
                shard.update(UpdateOperation.delete_points_by_filter(which))
            case wire.Purge():
                shard.optimize()
            case wire.DropOthers():
                for entry in self._folder.iterdir():
                    if entry.name != self._name and NAME.fullmatch(entry.name):
                        shutil.rmtree(entry)
            case wire.Ping():
                return
            case _:
                assert_never(request)
        shard.flush()


def _search(shard: EdgeShard, request: wire.Search) -> wire.Reply:
    query = Query.Nearest(_numbers(request.vector))
    among = _of(request.user_id, request.ids)
    scored = shard.query(QueryRequest(limit=request.limit, query=query, filter=among))
    # Rounding takes the score of equal vectors a little above 1. Ids were put as UUIDs, and come as such.
    return wire.Reply(found=[(cast(UUID, each.id), max(-1.0, min(1.0, each.score))) for each in scored])


def _load_or_create(folder: Path, dimensions: int) -> EdgeShard:
    config = EdgeConfig(
        # Half the bytes and half the time of float32; a similarity differs from the fifth decimal on.
        vectors=EdgeVectorParams(dimensions, Distance.Cosine, datatype=VectorStorageDatatype.Float16),
        # Optimising is done for a purge only: it rewrites the segment when anything in it was deleted.
        optimizers=EdgeOptimizersConfig(
            deleted_threshold=0, vacuum_min_vector_number=0, default_segment_number=1, indexing_threshold=0
        ),
        # A log would keep the bytes of what was deleted; every write is flushed instead.
        wal_enabled=False,
    )
    shard = _load(folder, config) if folder.exists() else None
    if shard is None:
        folder.mkdir(parents=True)
        shard = EdgeShard.create(str(folder), config)
    if _USER not in shard.info().payload_schema:
        shard.update(UpdateOperation.create_field_index(_USER, KeywordIndexParams(is_tenant=True)))
        shard.flush()
    return shard


def _load(folder: Path, config: EdgeConfig) -> EdgeShard | None:
    try:
        return EdgeShard.load(str(folder), config)
    except BaseException:  # noqa: BLE001 # see main; what cannot be read is made again from Postgres
        shutil.rmtree(folder)
        return None


def _of(user_id: UUID, ids: list[UUID] | None = None) -> Filter:
    mine = FieldCondition(_USER, match=MatchValue(str(user_id)))
    return Filter(must=[mine] if ids is None else [mine, HasIdCondition(set(ids))])


def _numbers(vector: bytes) -> list[float]:
    return array("f", vector).tolist()


def main(folder: Path) -> None:
    asked, told = sys.stdin.buffer, sys.stdout.buffer
    decoder = msgspec.msgpack.Decoder(wire.Request)
    shard = Shard(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        # Another process may still be on its way out.
        fcntl.flock(lock, fcntl.LOCK_EX)
        while head := asked.read(wire.HEAD_BYTES):
            try:
                reply = shard.obey(decoder.decode(asked.read(int.from_bytes(head, "big"))))
            except BaseException:  # noqa: BLE001 # plain Exceptions, and panics of Rust on damaged files
                reply = wire.Reply(failed=_FAILED)
            told.write(wire.frame(reply))
            told.flush()
        shard.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
