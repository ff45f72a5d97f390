"""Who answers for which turn, in Postgres."""

from datetime import timedelta
from uuid import UUID

import msgspec

from jarvis.adapters.postgres import lease_statements as statements
from jarvis.adapters.postgres.attempts import turn_of
from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.takeover_statements import TAKE_OVER, TakeOver
from jarvis.adapters.postgres.turn_statements import OfTurn
from jarvis.core.errors import NotFound
from jarvis.core.turn_store import Renewal, TurnRef
from jarvis.core.types import Once, Turn, User

TAKEOVER_LEASE_S = 30.0
"""How long a sweeper has for what it took; then the next one may take it."""


class PostgresLeases:
    """Fills the TurnLeases port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def request_cancel(self, user: User, turn_id: UUID) -> None:
        wanted = OfTurn(user_id=user.id, turn_id=turn_id)
        async with self._database.transaction(user) as transaction:
            if await transaction.first(statements.REQUEST_CANCEL, wanted) is None:
                raise NotFound("turn")

    async def cancel_in(self, user: User, conversation_id: UUID, *, but: Once | None = None) -> list[UUID]:
        wanted = statements.CancelConversation(
            user_id=user.id, conversation_id=conversation_id, but_key=but.key if but else None
        )
        async with self._database.transaction(user) as transaction:
            return [row.id for row in await transaction.all(statements.CANCEL_IN, wanted)]

    async def is_busy_elsewhere(
        self, user: User, conversation_id: UUID, *, owner: str, lease_s: float, before: UUID | None = None
    ) -> bool:
        wanted = statements.BusyElsewhere(
            user_id=user.id,
            conversation_id=conversation_id,
            owner=owner,
            lease=timedelta(seconds=lease_s),
            before=before,
        )
        async with self._database.transaction(user) as transaction:
            return bool(await transaction.all(statements.BUSY_ELSEWHERE, wanted))

    async def renew(self, owner: str, live: list[UUID], lease_s: float) -> Renewal:
        renew = statements.Renew(owner=owner, live=live, lease=timedelta(seconds=lease_s))
        async with self._database.transaction(None) as transaction:
            rows = await transaction.all(statements.RENEW, renew)
        return Renewal(
            cancelled=[row.turn_id for row in rows if row.is_held],
            lost=[row.turn_id for row in rows if not row.is_held],
        )

    async def abandoned(
        self, owner: str, live: list[UUID], *, predecessors: str, limit: int
    ) -> list[TurnRef]:
        take = statements.TakeAbandoned(
            owner=owner,
            live=live,
            predecessors=predecessors,
            lease=timedelta(seconds=TAKEOVER_LEASE_S),
            limit=limit,
        )
        async with self._database.transaction(None) as transaction:
            rows = await transaction.all(statements.TAKE_ABANDONED, take)
        return [TurnRef(turn_id=row.turn_id, user=User(id=row.user_id, name=row.username)) for row in rows]

    async def take_over(
        self,
        user: User,
        turn_id: UUID,
        *,
        said: str,
        seq: int,
        owner: str,
        lease_s: float,
        waiting: bool,
    ) -> Turn | None:
        wanted = TakeOver(
            user_id=user.id,
            turn_id=turn_id,
            owner=owner,
            status="queued" if waiting else "running",
            lease=timedelta(seconds=lease_s),
            said=said,
            seq=seq,
        )
        async with self._database.transaction(user) as transaction:
            taken = await transaction.first(TAKE_OVER, wanted)
        if taken is None:
            return None
        # Its `resync` has the seq that the row has by now.
        turn = turn_of(taken, user, turn_id, owner=owner, said=said)
        return msgspec.structs.replace(turn, last_seq=seq - 1)
