"""RecallStore on a real Postgres."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from jarvis.adapters.postgres.database import Database
from jarvis.adapters.postgres.memories import PostgresMemories
from jarvis.adapters.postgres.recall import PostgresRecall
from jarvis.adapters.postgres.users import PostgresUsers
from jarvis.core.memories import MemorySource, NewMemory
from jarvis.core.recall_store import Candidate, Surroundings
from jarvis.core.types import User, new_id
from tests.postgres import PostgresServer

START = datetime(2025, 6, 1, tzinfo=UTC)
FILL = """
INSERT INTO memories (id, user_id, content, created_at, source)
SELECT gen_random_uuid(), $1, 'shared word' || n, timestamptz '2025-01-01' + n * interval '1 minute',
       jsonb_build_object('conversation_id', md5((n % 200)::text)::uuid, 'message_ids', '{}'::uuid[])
  FROM generate_series(1, 4000) n
"""
EXPLAIN = """
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_nested_statements = on;
SET client_min_messages = log;
SET plan_cache_mode = force_generic_plan;
"""


@pytest.fixture
def recall(database: Database) -> PostgresRecall:
    return PostgresRecall(database)


@pytest.fixture
def memories(database: Database) -> PostgresMemories:
    return PostgresMemories(database)


@pytest.fixture
async def user(database: Database) -> User:
    return await PostgresUsers(database).profile("default")


async def tell(memories: PostgresMemories, user: User, *contents: str) -> list[UUID]:
    """Tell one a minute."""
    return await add(
        memories,
        user,
        *(
            NewMemory(content=content, created_at=START + timedelta(minutes=minute))
            for minute, content in enumerate(contents)
        ),
    )


async def add(memories: PostgresMemories, user: User, *new: NewMemory) -> list[UUID]:
    return [memory.id for memory in await memories.add(user, new)]


async def matching(recall: PostgresRecall, user: User, query: str) -> list[UUID]:
    """Those that have a word of the query, the best first."""
    seeds = await recall.seeds(user, query, limit=100)
    surroundings = await recall.around(user, seeds, seeds.ids)
    having = {one.memory.id for one in surroundings.candidates if one.hits}
    return [id_ for id_ in seeds.ids if id_ in having]


def by_content(surroundings: Surroundings) -> dict[str, Candidate]:
    return {one.memory.content: one for one in surroundings.candidates}


def contents_of(surroundings: Surroundings, windows: Sequence[Sequence[UUID]]) -> list[str]:
    content = {one.memory.id: one.memory.content for one in surroundings.candidates}
    return sorted("".join(content[id_] for id_ in window) for window in windows)


async def test_who_has_no_memories_finds_none(recall: PostgresRecall, user: User) -> None:
    seeds = await recall.seeds(user, "anything", limit=5)
    assert seeds.ids == []
    assert len(seeds.words) == len(seeds.weights) == 1
    assert await recall.around(user, seeds, []) == Surroundings(candidates=[], windows=[])


async def test_words_are_found_in_either_language_whatever_their_form_and_accents(
    recall: PostgresRecall, memories: PostgresMemories, user: User
) -> None:
    horses, eggs, beach = await tell(
        memories, user, "She keeps two horses", "Les œufs sont dans la boîte", "We walked along the beach"
    )
    assert await matching(recall, user, "Which HORSE does she keep?") == [horses]
    assert await matching(recall, user, "où sont les boites") == [eggs]
    assert await matching(recall, user, "walking") == [beach]


async def test_words_that_one_language_leaves_out_count_only_where_nothing_else_was_said(
    recall: PostgresRecall, memories: PostgresMemories, user: User
) -> None:
    french, _ = await tell(memories, user, "Je pense pour la main", "something else")
    assert await matching(recall, user, "pour some of the water on") == []
    assert await matching(recall, user, "pour") == [french]
    assert await matching(recall, user, "the") == []


async def test_the_rarer_the_words_and_the_more_of_them_the_better(
    recall: PostgresRecall, memories: PostgresMemories, user: User
) -> None:
    others = [f"{word} number {n}" for n in range(5) for word in ("garden", "horse")]
    ids = await tell(memories, user, *others, "a violin", "the garden violin")
    found = await matching(recall, user, "violin in the garden")
    assert found[:2] == [ids[11], ids[10]]
    assert set(found[2:]) == set(ids[0:10:2])
    seeds = await recall.seeds(user, "violin in the garden", limit=5)
    violin, garden = seeds.weights
    assert violin > garden > 0
    assert 1 < seeds.usual_size < 4


async def test_what_is_missing_to_the_limit_are_the_newest(
    recall: PostgresRecall, memories: PostgresMemories, user: User
) -> None:
    ids = await tell(memories, user, "the violin", "one", "two", "three", "four")
    assert (await recall.seeds(user, "violin", limit=3)).ids == [ids[0], ids[4], ids[3]]
    assert (await recall.seeds(user, "", limit=2)).ids == [ids[4], ids[3]]
    assert len((await recall.seeds(user, "violin", limit=100)).ids) == 5


@pytest.mark.parametrize(
    "query",
    [
        *("'", "''\\'", "a & b | !c", "(:*)", "\\", "violin:A <-> x", "👋", "% _ $1", "<b>violin</b>"),
        *("http://violin.example/violin?a='b'", "l'été d\u2019avant", "x" * 100_000, "word " * 20_000),
        " ".join(f"word{n}" for n in range(500)),
    ],
    ids=lambda query: query[:12],
)
async def test_any_text_may_be_asked_for(
    recall: PostgresRecall, memories: PostgresMemories, user: User, query: str
) -> None:
    (told,) = await tell(memories, user, f"he said: {query[:1000]}")
    seeds = await recall.seeds(user, query, limit=5)
    assert seeds.ids == [told]
    assert len(seeds.words) == len(seeds.weights) <= 24
    surroundings = await recall.around(user, seeds, seeds.ids)
    (one,) = surroundings.candidates
    assert 0 <= one.hits < 1 << 24


async def test_common_words_are_looked_up_together_and_rare_ones_by_themselves(
    recall: PostgresRecall, memories: PostgresMemories, user: User
) -> None:
    (lighthouse, both) = await add(
        memories,
        user,
        NewMemory(content="a lighthouse", created_at=START - timedelta(days=1)),
        NewMemory(content="the dogs were walking", created_at=START - timedelta(days=1)),
    )
    usual = [f"{word} again {n}" for n in range(450) for word in ("walking", "dogs")]
    await memories.add(user, [NewMemory(content=one, created_at=START) for one in usual])
    assert (await matching(recall, user, "walking dogs"))[0] == both
    assert (await matching(recall, user, "walking dogs, lighthouse"))[:2] == [lighthouse, both]
    assert len((await recall.seeds(user, "walking", limit=50)).ids) == 50


async def test_hits_tell_which_words_a_memory_has(
    recall: PostgresRecall, memories: PostgresMemories, user: User
) -> None:
    ids = await tell(memories, user, "a red boat", "a boat", "a horse")
    seeds = await recall.seeds(user, "red boats", limit=5)
    around = by_content(await recall.around(user, seeds, ids))
    assert {content: one.hits for content, one in around.items()} == {
        "a red boat": 0b11,
        "a boat": 0b10,
        "a horse": 0,
    }
    assert around["a red boat"].size > around["a boat"].size


async def test_memories_come_with_the_two_before_and_after_in_the_order_of_telling(
    recall: PostgresRecall, memories: PostgresMemories, user: User
) -> None:
    ids = await tell(memories, user, *"abcdefgh")
    seeds = await recall.seeds(user, "x", limit=1)
    surroundings = await recall.around(user, seeds, [ids[0], ids[3]])
    assert contents_of(surroundings, surroundings.windows) == ["abc", "bcdef"]
    assert set(by_content(surroundings)) == set("abcdef")


async def test_neighbours_are_of_the_same_conversation_and_an_episodes_are_episodes(
    recall: PostgresRecall, memories: PostgresMemories, user: User
) -> None:
    sources = [MemorySource(conversation_id=new_id(), message_ids=[]) for _ in range(2)]

    def said(content: str, source: int, *, is_fact: bool = False) -> NewMemory:
        return NewMemory(
            content=content,
            created_at=START,
            source=sources[source],
            kind="fact" if is_fact else "episode",
        )

    ids = await add(
        memories, user, said("a", 0), said("b", 1), said("c", 0, is_fact=True), said("d", 0), said("e", 1)
    )
    seeds = await recall.seeds(user, "x", limit=1)
    surroundings = await recall.around(user, seeds, ids)
    assert contents_of(surroundings, surroundings.windows) == ["ad", "ad", "be", "be", "c"]
    assert by_content(surroundings)["a"].told_in == sources[0].conversation_id


async def test_a_memory_comes_as_it_was_told(
    recall: PostgresRecall, memories: PostgresMemories, user: User
) -> None:
    source = MemorySource(conversation_id=new_id(), message_ids=[new_id()])
    new = NewMemory(content="I live in Lyon", importance=0.7, source=source, attribute="home", value="lyon")
    (told,) = await memories.add(user, [new])
    await memories.used(user, [told.id])
    seeds = await recall.seeds(user, "lyon", limit=1)
    (one,) = (await recall.around(user, seeds, seeds.ids)).candidates
    assert one.memory == await memories.get(user, told.id)
    assert one.use_count == 1


async def test_superseded_facts_are_found_as_of_a_time_when_they_were_true_only(
    recall: PostgresRecall, memories: PostgresMemories, user: User
) -> None:
    homes = ["I live in Lyon", "I live in Lille"]
    years = [datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)]
    lyon, lille = await add(
        memories,
        user,
        *(
            NewMemory(content=home, created_at=at, attribute="home", value=home)
            for home, at in zip(homes, years, strict=True)
        ),
    )
    for as_of, live in ((None, {lille}), (years[0], {lyon}), (years[1], {lille})):
        seeds = await recall.seeds(user, "where do I live", limit=5, as_of=as_of)
        assert set(seeds.ids) == live
        around = await recall.around(user, seeds, [lyon, lille], as_of=as_of)
        assert {one.memory.id for one in around.candidates} == live
    before = await recall.seeds(user, "where do I live", limit=5, as_of=years[0] - timedelta(days=1))
    assert before.ids == []


async def test_nobody_finds_anothers_memories(
    recall: PostgresRecall, memories: PostgresMemories, database: Database, user: User
) -> None:
    stranger = await PostgresUsers(database).profile("stranger")
    mine = await tell(memories, user, "the violin", "x")
    theirs = await tell(memories, stranger, "the violin", "y")
    for who, ids, others in ((user, mine, theirs), (stranger, theirs, mine)):
        seeds = await recall.seeds(who, "violin", limit=100)
        assert seeds.ids == [ids[0], ids[1]]
        around = await recall.around(who, seeds, others + ids)
        assert {one.memory.id for one in around.candidates} == set(ids)
        assert {id_ for window in around.windows for id_ in window} == set(ids)
        assert (await recall.around(who, seeds, others)).candidates == []
    nobody = User(id=new_id(), name="nobody")
    seeds = await recall.seeds(nobody, "violin", limit=100)
    assert seeds.ids == []
    assert (await recall.around(nobody, seeds, mine + theirs)).candidates == []


async def test_words_and_neighbours_are_looked_up_in_indexes(
    database: Database, postgres: PostgresServer, migrated_database: str
) -> None:
    users = [await PostgresUsers(database).profile(name) for name in ("anna", "ben", "chloe", "dan", "eve")]
    plans: list[str] = []

    def keep(_: object, message: Any) -> None:
        plans.append(message.message)

    connection = await postgres.connect(migrated_database)
    try:
        for user in users:
            await connection.execute(FILL, user.id)
        await connection.execute("VACUUM ANALYZE memories")
        await connection.execute(EXPLAIN)
        connection.add_log_listener(keep)
        async with connection.transaction():
            await connection.execute(f"SET LOCAL ROLE jarvis_app; SET LOCAL jarvis.user_id = '{users[0].id}'")
            (row,) = await connection.fetch("SELECT * FROM jarvis_recall_seeds('shared word7', 9, NULL)")
            around = "SELECT * FROM jarvis_recall_around($1, $2, NULL)"
            assert len(await connection.fetch(around, row["memory_ids"], row["words"])) > 9
    finally:
        await connection.close()
    nested = [plan for plan in plans if "memories" in plan]
    assert any("memories_search_idx" in plan for plan in nested)
    assert any("memories_told_idx" in plan for plan in nested)
    assert any("Index Only Scan" in plan for plan in nested)
    assert not any("Seq Scan" in plan for plan in nested)
