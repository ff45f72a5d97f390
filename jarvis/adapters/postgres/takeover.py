"""Going on with turns that a process left when it died, in Postgres."""

from datetime import timedelta
from uuid import UUID

import msgspec

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.takeover_statements import TAKE_OVER, TakeOver
from jarvis.core.types import ChatCommand, Once, Turn, User

_command_of = msgspec.json.Decoder(ChatCommand).decode


class PostgresTakeovers:
    """Fills the TakeoverStore port."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
        once = Once(key=taken.key, fingerprint=taken.fingerprint) if taken.key and taken.fingerprint else None
        return Turn(
            id=turn_id,
            user=user,
            conversation_id=taken.conversation_id,
            user_message_id=taken.message_id,
            user_position=taken.position,
            command=_command_of(taken.request),
            conversation_model=taken.model,
            conversation_system_prompt=taken.system_prompt,
            title_is_settled=taken.title_is_settled,
            created_at=taken.created_at,
            owner=owner,
            once=once,
            last_seq=seq - 1,
            said=said,
        )
