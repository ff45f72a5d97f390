"""Conversations and their messages in Postgres."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from uuid import UUID

import msgspec
from msgspec import UNSET

from jarvis.adapters.postgres import conversation_statements as whole
from jarvis.adapters.postgres import list_statements as statements
from jarvis.adapters.postgres.cursors import (
    AFTER_ALL_CONVERSATIONS,
    AFTER_ALL_HITS,
    AFTER_ALL_MESSAGES,
    ConversationPlace,
    MessagePlace,
    SearchPlace,
)
from jarvis.adapters.postgres.database import Database, Transaction
from jarvis.adapters.postgres.memories import forget_traces, lock_memories
from jarvis.adapters.postgres.message_rows import message_of
from jarvis.adapters.postgres.search_statements import MARK, SEARCH, Hit, Search
from jarvis.core.errors import NotFound
from jarvis.core.snippets import snippet_around
from jarvis.core.stores import (
    ConversationEdit,
    ConversationPage,
    DeletedConversation,
    EditedConversation,
    MessagePage,
    SearchHit,
    SearchPage,
    TranscriptStart,
)
from jarvis.core.transcripts import ImportedConversation, ImportedMessage, Place, in_utc
from jarvis.core.types import Conversation, ConversationStatus, Message, User, new_id

ADD_DEADLINE_S = 300.0
"""For a whole transcript: 64 MiB of prose took 35 to 58 s on two busy cores, nearly all of it indexing."""
SLICE_MESSAGES = 500
SLICE_CHARS = 500_000
"""Of a transcript that is being added, about; a statement of that size stays far within its own deadline."""

_encode = msgspec.json.Encoder().encode


class PostgresConversations:
    """Fills the ConversationStore port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, user: User, conversation_id: UUID) -> Conversation:
        wanted = statements.OneConversation(user_id=user.id, conversation_id=conversation_id)
        async with self._database.transaction(user) as transaction:
            return await _existing(transaction, user, wanted)

    async def last_active(self, user: User) -> Conversation | None:
        async with self._database.transaction(user) as transaction:
            row = await transaction.first(statements.LAST_ACTIVE, statements.OfUser(user_id=user.id))
        return None if row is None else _conversation_of(row, user)

    async def messages(
        self,
        user: User,
        conversation_id: UUID,
        *,
        limit: int,
        cursor: str | None = None,
        offset: int = 0,
        since: datetime | None = None,
        alternatives: bool = False,
    ) -> MessagePage:
        place = AFTER_ALL_MESSAGES if cursor is None else MessagePlace.decoded(cursor)
        shown = statements.MessagesCount(
            user_id=user.id,
            conversation_id=conversation_id,
            since=None if since is None else in_utc("since", since),
            alternatives=alternatives,
        )
        page = statements.Messages(
            **msgspec.structs.asdict(shown),
            position=place.position,
            alternative=place.alternative,
            limit=limit + 1,
            offset=offset,
        )
        async with self._database.transaction(user) as transaction:
            counted = await transaction.first(statements.MESSAGES_COUNT, shown)
            if counted is None:
                raise NotFound("conversation")
            rows = await transaction.all(statements.MESSAGES, page)
        has_more = len(rows) > limit
        rows = rows[:limit]
        oldest = rows[-1] if has_more else None
        return MessagePage(
            messages=[message_of(row) for row in reversed(rows)],
            total=counted.total,
            has_more=has_more,
            next_cursor=oldest
            and MessagePlace(position=oldest.position, alternative=oldest.alternative).encoded(),
        )

    async def conversations(
        self,
        user: User,
        *,
        limit: int,
        cursor: str | None = None,
        offset: int = 0,
        title_contains: str | None = None,
        status: ConversationStatus = "active",
    ) -> ConversationPage:
        place = AFTER_ALL_CONVERSATIONS if cursor is None else ConversationPlace.decoded(cursor)
        page = statements.Conversations(
            user_id=user.id,
            title_contains=title_contains,
            activity=place.activity,
            id=place.id,
            limit=limit + 1,
            offset=offset,
        )
        async with self._database.transaction(user) as transaction:
            rows = await transaction.all(statements.CONVERSATIONS[status], page)
            if title_contains is None:
                of_user = statements.OfUser(user_id=user.id)
                (counted,) = await transaction.all(statements.CONVERSATIONS_COUNT[status], of_user)
            else:
                titled = statements.TitledCount(user_id=user.id, title_contains=title_contains)
                (counted,) = await transaction.all(statements.TITLED_COUNT[status], titled)
        has_more = len(rows) > limit
        rows = rows[:limit]
        last = rows[-1] if has_more else None
        return ConversationPage(
            conversations=[_conversation_of(row, user) for row in rows],
            total=counted.total,
            has_more=has_more,
            next_cursor=last and ConversationPlace.at(last.activity, last.id).encoded(),
        )

    async def create(
        self, user: User, *, title: str | None, model: str | None, system_prompt: str | None
    ) -> Conversation:
        create = whole.Create(
            user_id=user.id, conversation_id=new_id(), title=title, model=model, system_prompt=system_prompt
        )
        async with self._database.transaction(user) as transaction:
            (row,) = await transaction.all(whole.CREATE, create)
        return _conversation_of(row, user)

    async def edit(self, user: User, conversation_id: UUID, edit: ConversationEdit) -> EditedConversation:
        wanted = statements.OneConversation(user_id=user.id, conversation_id=conversation_id)
        async with self._database.transaction(user) as transaction:
            locked = await transaction.first(whole.LOCK, wanted)
            if locked is None:
                raise NotFound("conversation")
            edited = _edited(locked, edit)
            if edited == locked:
                return EditedConversation(
                    conversation=await _existing(transaction, user, wanted), changed=False
                )
            change = whole.Edit(**msgspec.structs.asdict(wanted), **edited._asdict())
            (row,) = await transaction.all(whole.EDIT, change)
        return EditedConversation(conversation=_conversation_of(row, user), changed=True)

    async def delete(self, user: User, conversation_id: UUID) -> DeletedConversation:
        wanted = statements.OneConversation(user_id=user.id, conversation_id=conversation_id)
        async with self._database.transaction(user) as transaction:
            # Both locks, so that what follows sees all that was committed.
            await lock_memories(transaction, user)
            await transaction.first(whole.LOCK, wanted)
            conversation = await _existing(transaction, user, wanted)
            (deleted,) = await transaction.all(whole.DELETE, wanted)
            forgotten = await forget_traces(transaction, user, deleted.memory_ids)
        return DeletedConversation(
            conversation=conversation,
            messages=deleted.messages,
            turn_ids=deleted.turn_ids + forgotten.turn_ids,
            memory_ids=deleted.memory_ids,
        )

    async def search(self, user: User, query: str, *, limit: int, cursor: str | None = None) -> SearchPage:
        place = AFTER_ALL_HITS if cursor is None else SearchPlace.decoded(cursor)
        search = Search(query=query, limit=limit + 1, score=place.score, id=place.id, newest=place.newest)
        async with self._database.transaction(user) as transaction:
            rows = await transaction.all(SEARCH, search)
        found = [row for row in rows if row.found]
        return SearchPage(
            hits=[_hit_of(row) for row in found[:limit]],
            total=rows[0].total,
            next_cursor=_place_of(found[limit - 1]).encoded() if len(found) > limit else None,
        )

    async def transcript_start(self, user: User, conversation_id: UUID) -> TranscriptStart:
        wanted = statements.OneConversation(user_id=user.id, conversation_id=conversation_id)
        async with self._database.transaction(user) as transaction:
            conversation = await _existing(transaction, user, wanted)
            end = await transaction.first(whole.END, wanted)
        return TranscriptStart(conversation=conversation, end_position=end.next_position if end else 0)

    async def transcript_page(
        self, user: User, conversation_id: UUID, *, first_position: int, end_position: int
    ) -> list[Message]:
        wanted = statements.OneConversation(user_id=user.id, conversation_id=conversation_id)
        stretch = whole.Stretch(
            **msgspec.structs.asdict(wanted), first_position=first_position, end_position=end_position
        )
        async with self._database.transaction(user) as transaction:
            rows = await transaction.all(whole.STRETCH, stretch)
            if not rows:
                await _existing(transaction, user, wanted)
        return [message_of(row) for row in rows]

    async def add_transcript(
        self,
        user: User,
        conversation: ImportedConversation,
        messages: Iterable[tuple[Place, ImportedMessage]],
        *,
        next_position: int,
        message_count: int,
    ) -> UUID:
        wanted = statements.OneConversation(user_id=user.id, conversation_id=new_id())
        add = whole.Add(
            **msgspec.structs.asdict(wanted),
            title=conversation.title,
            status=conversation.status,
            model=conversation.model,
            system_prompt=conversation.system_prompt,
            next_position=next_position,
            message_count=message_count,
            created_at=conversation.created_at,
            updated_at=conversation.updated_at or conversation.created_at,
            last_message_at=conversation.last_message_at,
        )
        remaining = iter(messages)
        async with self._database.transaction(user, deadline_s=ADD_DEADLINE_S) as transaction:
            await transaction.all(whole.ADD, add)
            while batch := _slice(remaining):
                await transaction.all(whole.ADD_MESSAGES, _columns(wanted, batch))
        return wanted.conversation_id


async def _existing(transaction: Transaction, user: User, wanted: statements.OneConversation) -> Conversation:
    row = await transaction.first(statements.CONVERSATION, wanted)
    if row is None:
        raise NotFound("conversation")
    return _conversation_of(row, user)


def _edited(locked: whole.Locked, edit: ConversationEdit) -> whole.Locked:
    named = {name: value for name in edit.__struct_fields__ if (value := getattr(edit, name)) is not UNSET}
    if "title" in named:
        named["title_is_settled"] = named["title"] is not None
    return locked._replace(**named)


def _hit_of(row: Hit) -> SearchHit:
    word = row.quote.split(MARK)[1] if MARK in row.quote else ""
    return SearchHit(
        message=message_of(row.message_row()),
        conversation_title=row.title,
        snippet=snippet_around(row.content, word),
        score=row.score,
    )


def _place_of(row: Hit) -> SearchPlace:
    return SearchPlace.at(row.score, row.id, row.newest)


def _slice(remaining: Iterator[tuple[Place, ImportedMessage]]) -> list[tuple[Place, ImportedMessage]]:
    """Take what one statement stores."""
    taken: list[tuple[Place, ImportedMessage]] = []
    chars = 0
    for one in islice(remaining, SLICE_MESSAGES):
        taken.append(one)
        chars += len(one[1].content)
        if chars > SLICE_CHARS:
            break
    return taken


def _columns(
    wanted: statements.OneConversation, batch: list[tuple[Place, ImportedMessage]]
) -> whole.AddMessages:
    return whole.AddMessages(
        **msgspec.structs.asdict(wanted),
        ids=[place.id for place, _ in batch],
        positions=[place.position for place, _ in batch],
        alternatives=[place.alternative for place, _ in batch],
        roles=[message.role for _, message in batch],
        contents=[message.content for _, message in batch],
        statuses=[message.status for _, message in batch],
        alternatives_of=[place.alternative_of for place, _ in batch],
        metadata=[
            None if message.metadata is None else _encode(message.metadata).decode() for _, message in batch
        ],
        created_at=[message.created_at for _, message in batch],
        updated_at=[message.updated_at or message.created_at for _, message in batch],
    )


def _conversation_of(row: statements.ConversationRow, user: User) -> Conversation:
    return Conversation(
        id=row.id,
        title=row.title,
        user_id=user.name,
        status=row.status,
        model=row.model,
        system_prompt=row.system_prompt,
        message_count=row.message_count,
        created_at=row.created_at,
        updated_at=row.updated_at,
        last_message_at=row.last_message_at,
    )
