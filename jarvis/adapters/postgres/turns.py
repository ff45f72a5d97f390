"""Turns and the two messages of each, in Postgres.

`begin` and `finish` are one transaction each, of three round trips and one for the history; all a turn needs
comes back.
"""

from datetime import timedelta
from uuid import UUID

import msgspec
from msgspec import UNSET

from jarvis.adapters.postgres import begin_statements, key_statements
from jarvis.adapters.postgres import turn_statements as statements
from jarvis.adapters.postgres.attempts import turn_of
from jarvis.adapters.postgres.database import Database, Transaction
from jarvis.adapters.postgres.list_statements import (
    HISTORY,
    HISTORY_COUNT,
    SUMMARY,
    Before,
    BeforeCount,
    OneConversation,
    SummaryRow,
)
from jarvis.adapters.postgres.message_rows import message_of
from jarvis.core.errors import Conflict, Mismatch, NotFound
from jarvis.core.titles import title_of
from jarvis.core.turn_store import Ending, KnownTurn, StoredTurn, TurnOutcome
from jarvis.core.types import AgainCommand, ChatCommand, History, Message, Once, Summary, Turn, User, new_id

FORGET_BATCH = 1000
"""Keys of one transaction, so that it stays far within its deadline."""

_encode = msgspec.json.Encoder().encode
_error_of = msgspec.json.Decoder(dict[str, str]).decode
_command_of = msgspec.json.Decoder(ChatCommand).decode
_ending_of = msgspec.json.Decoder(Ending).decode


class PostgresTurns:
    """Fills the TurnStore port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self,
        user: User,
        command: ChatCommand,
        *,
        turn_id: UUID,
        owner: str,
        lease_s: float,
        waiting: bool,
        history_limit: int = 0,
        once: Once | None = None,
    ) -> Turn | KnownTurn:
        message_id = new_id()
        conversation_id = command.conversation_id or new_id()
        begin = begin_statements.Begin(
            user_id=user.id,
            conversation_id=conversation_id,
            turn_id=turn_id,
            message_id=message_id,
            text=command.text,
            title=title_of(command.text),
            request=_encode(command).decode(),
            status="queued" if waiting else "running",
            owner=owner,
            lease=timedelta(seconds=lease_s),
            key=once.key if once else None,
            fingerprint=once.fingerprint if once else None,
        )
        async with self._database.transaction(user) as transaction:
            if known := await _known_alone(transaction, user, once):
                return known
            statement = (
                begin_statements.BEGIN
                if command.conversation_id
                else begin_statements.BEGIN_IN_NEW_CONVERSATION
            )
            begun = await transaction.first(statement, begin)
            if begun is None:
                raise NotFound("conversation")
            turn = Turn(
                id=turn_id,
                user=user,
                conversation_id=conversation_id,
                user_message_id=message_id,
                user_position=begun.position,
                command=command,
                conversation_model=begun.model,
                conversation_system_prompt=begun.system_prompt,
                title_is_settled=begun.title_is_settled,
                created_at=begun.created_at,
                owner=owner,
                once=once,
            )
            standing = SummaryRow(begun.summary, begun.summary_upto)
            return await _begun(transaction, turn, standing, waiting=waiting, history_limit=history_limit)

    async def begin_again(
        self,
        user: User,
        command: AgainCommand,
        *,
        turn_id: UUID,
        owner: str,
        lease_s: float,
        waiting: bool,
        history_limit: int = 0,
        once: Once | None = None,
    ) -> Turn | KnownTurn:
        conversation = begin_statements.OfConversation(
            user_id=user.id, conversation_id=command.conversation_id
        )
        async with self._database.transaction(user) as transaction:
            if known := await _known_alone(transaction, user, once):
                return known
            last = await transaction.first(begin_statements.LAST_WORDS, conversation)
            if last is None:
                raise NotFound("conversation")
            if last.message_id is None or last.position is None or last.text is None:
                raise Conflict("Nobody has said anything in this conversation that could be answered again.")
            asked = _asked_again(command, last.text, last.request)
            begin = begin_statements.BeginAgain(
                user_id=user.id,
                conversation_id=command.conversation_id,
                turn_id=turn_id,
                message_id=last.message_id,
                request=_encode(asked).decode(),
                status="queued" if waiting else "running",
                owner=owner,
                lease=timedelta(seconds=lease_s),
                key=once.key if once else None,
                fingerprint=once.fingerprint if once else None,
            )
            await transaction.first(begin_statements.BEGIN_AGAIN, begin)
            turn = Turn(
                id=turn_id,
                user=user,
                conversation_id=command.conversation_id,
                user_message_id=last.message_id,
                user_position=last.position,
                command=asked,
                conversation_model=last.model,
                conversation_system_prompt=last.system_prompt,
                title_is_settled=last.title_is_settled,
                created_at=last.created_at,
                owner=owner,
                once=once,
            )
            standing = SummaryRow(last.summary, last.summary_upto)
            return await _begun(transaction, turn, standing, waiting=waiting, history_limit=history_limit)

    async def known(self, user: User, once: Once) -> KnownTurn | None:
        async with self._database.transaction(user) as transaction:
            return await _known(transaction, user, once)

    async def try_again(
        self,
        user: User,
        turn_id: UUID,
        *,
        owner: str,
        lease_s: float,
        waiting: bool,
        history_limit: int = 0,
    ) -> Turn | None:
        wanted = key_statements.TryAgain(
            user_id=user.id,
            turn_id=turn_id,
            status="queued" if waiting else "running",
            owner=owner,
            lease=timedelta(seconds=lease_s),
        )
        async with self._database.transaction(user) as transaction:
            again = await transaction.first(key_statements.TRY_AGAIN, wanted)
            if again is None:
                return None
            turn = turn_of(again, user, turn_id, owner=owner)
            standing = SummaryRow(again.summary, again.summary_upto)
            return await _begun(transaction, turn, standing, waiting=waiting, history_limit=history_limit)

    async def forget_keys(self, *, kept_s: float) -> None:
        forget = key_statements.Forget(kept=timedelta(seconds=kept_s), most=FORGET_BATCH)
        is_more = True
        while is_more:
            async with self._database.transaction(None) as transaction:
                ((is_more,),) = await transaction.all(key_statements.FORGET, forget)

    async def keep_answer(self, user: User, turn_id: UUID, answer: bytes) -> None:
        keep = key_statements.KeepAnswer(user_id=user.id, turn_id=turn_id, answer=answer)
        async with self._database.transaction(user) as transaction:
            await transaction.first(key_statements.KEEP_ANSWER, keep)

    async def start(self, user: User, turn_id: UUID, *, owner: str) -> None:
        start = statements.Owned(user_id=user.id, turn_id=turn_id, owner=owner)
        async with self._database.transaction(user) as transaction:
            await transaction.first(statements.START, start)

    async def history(self, turn: Turn, *, limit: int) -> History:
        async with self._database.transaction(turn.user) as transaction:
            wanted = OneConversation(user_id=turn.user.id, conversation_id=turn.conversation_id)
            return await _history(transaction, turn, await transaction.first(SUMMARY, wanted), limit)

    async def checkpoint(self, user: User, turn_id: UUID, *, text: str, seq: int, owner: str) -> None:
        checkpoint = statements.Checkpoint(user_id=user.id, turn_id=turn_id, owner=owner, text=text, seq=seq)
        async with self._database.transaction(user) as transaction:
            await transaction.first(statements.CHECKPOINT, checkpoint)

    async def finish(self, user: User, turn_id: UUID, outcome: TurnOutcome, *, owner: str) -> StoredTurn:
        finished = statements.Finished(
            user_id=user.id,
            turn_id=turn_id,
            owner=owner,
            message_id=new_id(),
            status=outcome.status,
            text=outcome.text,
            metadata=None if outcome.metadata is None else _encode(outcome.metadata).decode(),
            error=None if outcome.error is None else _encode(outcome.error).decode(),
            ending=None if outcome.ending is None else _encode(outcome.ending).decode(),
            last_seq=outcome.last_seq,
        )
        async with self._database.transaction(user) as transaction:
            ended = await transaction.first(statements.FINISH, finished)
            if ended is None:
                return await _stored(transaction, user, turn_id)
        return _just_stored(user, finished, ended, outcome)

    async def shorten(self, user: User, turn_id: UUID, text: str) -> StoredTurn:
        heard = statements.Shorten(user_id=user.id, turn_id=turn_id, text=text)
        async with self._database.transaction(user) as transaction:
            await transaction.first(statements.SHORTEN, heard)
            return await _stored(transaction, user, turn_id)

    async def get(self, user: User, turn_id: UUID) -> StoredTurn:
        async with self._database.transaction(user) as transaction:
            return await _stored(transaction, user, turn_id)


async def _known_alone(transaction: Transaction, user: User, once: Once | None) -> KnownTurn | None:
    """Look, and let nobody else with this key look until this transaction has ended."""
    if once is None:
        return None
    await transaction.first(key_statements.LOCK, key_statements.Key(user_id=user.id, key=once.key))
    return await _known(transaction, user, once)


async def _known(transaction: Transaction, user: User, once: Once) -> KnownTurn | None:
    (row,) = await transaction.all(key_statements.KNOWN, key_statements.Key(user_id=user.id, key=once.key))
    if row.turn_id is None or row.conversation_id is None or row.user_message_id is None:
        if row.is_spent:
            raise NotFound("conversation")
        return None
    if row.fingerprint != once.fingerprint:
        raise Mismatch
    return KnownTurn(
        turn_id=row.turn_id,
        conversation_id=row.conversation_id,
        user_message_id=row.user_message_id,
        status=row.status,
        answer=row.answer,
    )


def _asked_again(command: AgainCommand, text: str, request: str | None) -> ChatCommand:
    """Return what was asked for when the message was sent, with what is wanted now in its place."""
    # A message that was imported or adopted has no request.
    asked = ChatCommand(text=text) if request is None else _command_of(request)
    return msgspec.structs.replace(
        asked,
        conversation_id=command.conversation_id,
        model=command.model or asked.model,
        temperature=asked.temperature if command.temperature is None else command.temperature,
        source=command.source,
        request_id=UNSET,
    )


async def _begun(
    transaction: Transaction, turn: Turn, standing: SummaryRow, *, waiting: bool, history_limit: int
) -> Turn:
    if waiting or not history_limit:
        return turn
    history = await _history(transaction, turn, standing, history_limit)
    return msgspec.structs.replace(turn, history=history)


async def _history(transaction: Transaction, turn: Turn, standing: SummaryRow | None, limit: int) -> History:
    if turn.user_position == 0:
        return History(messages=[], total=0)
    before = Before(
        user_id=turn.user.id,
        conversation_id=turn.conversation_id,
        position=turn.user_position,
        limit=limit,
    )
    rows = await transaction.all(HISTORY, before)
    summary, upto = _usable(standing, turn)
    total, covered = len(rows), sum(row.position <= upto for row in rows)
    if total == limit:
        count = BeforeCount(
            user_id=before.user_id,
            conversation_id=before.conversation_id,
            position=before.position,
            summary_upto=upto,
        )
        counted = await transaction.first(HISTORY_COUNT, count)
        total, covered = counted or (total, covered)
    return History(
        messages=[message_of(row) for row in reversed(rows)],
        total=total,
        summary=Summary(text=summary, covered=covered) if summary and covered else None,
    )


def _usable(standing: SummaryRow | None, turn: Turn) -> tuple[str, int]:
    """Return the summary and the last place it covers, unless that lies beyond where the turn stands."""
    if standing is None or not standing.summary or standing.summary_upto is None:
        return "", -1
    return (
        (standing.summary, standing.summary_upto) if standing.summary_upto < turn.user_position else ("", -1)
    )


async def _stored(transaction: Transaction, user: User, turn_id: UUID) -> StoredTurn:
    row = await transaction.first(statements.GET, statements.OfTurn(user_id=user.id, turn_id=turn_id))
    if row is None:
        raise NotFound("turn")
    return StoredTurn(
        id=turn_id,
        user=user,
        conversation_id=row.turn_conversation_id,
        user_message_id=row.user_message_id,
        status=row.turn_status,
        partial_text=row.partial_text,
        checkpoint_seq=row.checkpoint_seq,
        message=None if row.answer is None else message_of(row.answer),
        error=None if row.error is None else _error_of(row.error),
        ending=None if row.ending is None else _ending_of(row.ending),
    )


def _just_stored(
    user: User, finished: statements.Finished, ended: statements.Ended, outcome: TurnOutcome
) -> StoredTurn:
    message = Message(
        id=finished.message_id,
        conversation_id=ended.conversation_id,
        turn_id=finished.turn_id,
        role="assistant",
        content=outcome.text,
        status=outcome.status,
        alternative_of=ended.alternative_of,
        created_at=ended.finished_at,
        updated_at=ended.finished_at,
        timestamp=ended.finished_at,
        metadata=outcome.metadata,
    )
    return StoredTurn(
        id=finished.turn_id,
        user=user,
        conversation_id=ended.conversation_id,
        user_message_id=ended.user_message_id,
        status=outcome.status,
        partial_text="",
        checkpoint_seq=outcome.last_seq,
        message=message,
        error=outcome.error,
        ending=outcome.ending if ended.changed_ending is None else _ending_of(ended.changed_ending),
    )
