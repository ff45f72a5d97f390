"""Who waits for whom: one turn at a time in a conversation, a few in all, and bounded queues behind both."""

import asyncio
from contextlib import AsyncExitStack

import httpx

from tests.clients import (
    Events,
    Json,
    a_word,
    asked_of,
    chat,
    messages_of,
    query,
    socket,
    streamed,
    types,
)
from tests.running import Running, running
from tests.scripted_model import Hang, Script, ScriptedModel

WAITING_IN_CONVERSATION = 8


def said(messages: list[Json]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in messages]


async def stored_messages(server: Running) -> int:
    return (await query(server, "SELECT count(*) FROM messages"))[0][0]


async def fill(stack: AsyncExitStack, server: Running, conversation_id: str, turns: int) -> list[Events]:
    """Have so many turns wait in the conversation, each seen to be queued before the next is sent."""
    streams: list[Events] = []
    for number in range(turns):
        stream = await stack.enter_async_context(
            streamed(server, f"waiting {number}", conversation_id=conversation_id)
        )
        await stream.until("notice")
        streams.append(stream)
    return streams


def assert_refused(response: httpx.Response, status: int, code: str) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert "turn_id" not in response.json()


async def test_five_sent_at_once_are_answered_in_turn(server: Running, llm: ScriptedModel) -> None:
    conversation_id = (await chat(server, "u0"))["conversation_id"]
    llm.log.clear()
    async with asyncio.TaskGroup() as tasks:
        for number in range(1, 6):
            tasks.create_task(chat(server, f"u{number}", conversation_id=conversation_id))
    messages = await messages_of(server, conversation_id)
    assert [message["role"] for message in messages] == ["user", "assistant"] * 6
    assert sorted(message["content"] for message in messages[::2]) == [f"u{n}" for n in range(6)]
    for asked, answered in zip(messages[::2], messages[1::2], strict=True):
        assert answered["content"] == f"You said: {asked['content']}"
        assert answered["turn_id"] == asked["turn_id"]
    assert llm.log.peak == 1
    # Each was answered in the light of all before it.
    for number, record in enumerate(llm.log.generating, start=1):
        heard = [(message.role, message.content) for message in record.messages[1:]]
        assert heard == said(messages[: 2 * number + 1])


async def test_five_frames_of_one_socket_keep_their_order(server: Running, llm: ScriptedModel) -> None:
    conversation_id = (await chat(server, "u0"))["conversation_id"]
    gate = a_word()
    llm.script(Script(gate=gate))
    async with socket(server) as ws:
        for number in range(1, 6):
            await ws.say(f"u{number}", conversation_id=conversation_id)
        acks = [await ws.until("ack") for _ in range(5)]
        # u2 to u5 are stored, before a1 has begun.
        stored = await messages_of(server, conversation_id)
        assert said(stored)[2:] == [("user", f"u{n}") for n in range(1, 6)]
        llm.release(gate)
        ends = [(await ws.to_end())[-1] for _ in range(5)]
    assert [end["turn_id"] for end in ends] == [frames[-1]["turn_id"] for frames in acks]
    expected: list[tuple[str, str]] = []
    for number in range(6):
        expected += [("user", f"u{number}"), ("assistant", f"You said: u{number}")]
    assert said(await messages_of(server, conversation_id)) == expected


async def test_a_turn_that_waits_says_so_between_ack_and_context(server: Running, llm: ScriptedModel) -> None:
    gate = a_word()
    llm.script(Script(gate=gate))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(streamed(server, "first"))
        conversation_id = (await first.next())["conversation_id"]
        await asked_of(llm, "first", waiting=True)
        waiting = await fill(stack, server, conversation_id, 3)
        llm.release(gate)
        assert types(await first.rest()) == ["ack", "context", "delta", "chat_response"]
        for position, stream in enumerate(waiting, start=1):
            told = await stream.rest()
            assert types(told) == ["ack", "notice", "context", "delta", "chat_response"]
            assert [event["seq"] for event in told] == list(range(len(told)))
            notice = told[1]
            assert (notice["code"], notice["position"]) == ("queued", position)
            assert notice["detail"]
            assert notice["wait_s"] > 0


async def test_eight_wait_in_a_conversation_and_the_ninth_is_refused(
    server: Running, llm: ScriptedModel
) -> None:
    gate = a_word()
    llm.script(Script(gate=gate))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(streamed(server, "first"))
        conversation_id = (await first.next())["conversation_id"]
        waiting = await fill(stack, server, conversation_id, WAITING_IN_CONVERSATION)
        stored = await stored_messages(server)
        one_more = {"message": "one more", "conversation_id": conversation_id}
        response = await server.http.post("/api/chat", json=one_more)
        assert_refused(response, 503, "overloaded")
        assert 1 <= int(response.headers["retry-after"]) <= 30
        response = await server.http.post("/api/chat", json=one_more | {"stream": True})
        assert_refused(response, 503, "overloaded")
        assert response.headers["content-type"] == "application/problem+json"
        async with socket(server) as ws:
            await ws.say("one more", conversation_id=conversation_id, request_id="r1")
            refusal = await ws.next()
            assert (refusal["type"], refusal["code"], refusal["request_id"]) == ("error", "overloaded", "r1")
        assert await stored_messages(server) == stored
        llm.release(gate)
        for stream in (first, *waiting):
            assert (await stream.rest())[-1]["status"] == "complete"
    await chat(server, "room again", conversation_id=conversation_id)


async def test_if_busy_reject_refuses_at_once(server: Running, llm: ScriptedModel) -> None:
    gate = a_word()
    llm.script(Script(gate=gate))
    async with streamed(server, "first") as first:
        conversation_id = (await first.next())["conversation_id"]
        stored = await stored_messages(server)
        body = {"message": "second", "conversation_id": conversation_id, "if_busy": "reject"}
        assert_refused(await server.http.post("/api/chat", json=body), 409, "conversation_busy")
        assert await stored_messages(server) == stored
        llm.release(gate)
        await first.rest()
    assert (await server.http.post("/api/chat", json=body)).status_code == 200


async def test_if_busy_interrupt_ends_what_runs_and_what_waits(server: Running, llm: ScriptedModel) -> None:
    llm.script_next(Script(text="one two three", fault=Hang(at_token=2)))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(streamed(server, "first"))
        conversation_id = (await first.next())["conversation_id"]
        await first.until("delta")
        (second,) = await fill(stack, server, conversation_id, 1)
        answer = await chat(server, "third", conversation_id=conversation_id, if_busy="interrupt")
        assert answer["content"] == "You said: third"
        end = (await first.rest())[-1]
        assert (end["type"], end["status"], end["content"]) == ("chat_response", "cancelled", "one two")
        end = (await second.rest())[-1]
        assert (end["type"], end["status"], end["content"]) == ("chat_response", "cancelled", "")
    heard = [(message.role, message.content) for message in llm.log.generating[-1].messages[1:]]
    assert heard == [("user", "first"), ("assistant", "one two"), ("user", "waiting 0"), ("user", "third")]


async def test_an_interruption_finds_room_in_a_full_conversation(server: Running, llm: ScriptedModel) -> None:
    llm.script_next(Script(fault=Hang()))
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(streamed(server, "first"))
        conversation_id = (await first.next())["conversation_id"]
        waiting = await fill(stack, server, conversation_id, WAITING_IN_CONVERSATION)
        answer = await chat(server, "stop", conversation_id=conversation_id, if_busy="interrupt")
        assert answer["status"] == "complete"
        for stream in (first, *waiting):
            assert (await stream.rest())[-1]["status"] == "cancelled"


async def test_two_conversations_run_side_by_side_and_no_more(server: Running, llm: ScriptedModel) -> None:
    gate = a_word()
    llm.script(Script(tokens=5, gate=gate))
    async with asyncio.TaskGroup() as tasks:
        for number in range(10):
            tasks.create_task(chat(server, f"conversation {number}"))
        await llm.wait_for(lambda log: log.running == 2)
        llm.release(gate)
    assert len(llm.log.generating) == 10
    assert llm.log.peak == server.settings.llm_max_concurrency == 2


async def test_what_waits_for_the_model_in_all_is_bounded(database_url: str, model: ScriptedModel) -> None:
    gate = a_word()
    model.script(Script(gate=gate))
    async with running(database_url, model.url, llm_max_concurrency="2", llm_max_queue="3") as server:
        async with AsyncExitStack() as stack:
            streams = [await stack.enter_async_context(streamed(server, f"turn {n}")) for n in range(5)]
            for stream in streams:
                await stream.next()
            assert [(await stream.next())["type"] for stream in streams[2:]] == ["notice"] * 3
            assert [stream.seen[1]["position"] for stream in streams[2:]] == [1, 2, 3]
            response = await server.http.post("/api/chat", json={"message": "one more"})
            assert_refused(response, 503, "overloaded")
            assert int(response.headers["retry-after"]) >= 1
            metrics = (await server.http.get("/metrics")).text
            assert "jarvis_turns_inflight 5.0" in metrics
            assert "jarvis_turns_queued 3.0" in metrics
            await model.wait_for(lambda log: log.running == 2)
            model.release(gate)
            for stream in streams:
                assert (await stream.rest())[-1]["status"] == "complete"
        assert model.log.peak == 2


async def test_without_a_queue_a_turn_runs_or_is_refused(database_url: str, model: ScriptedModel) -> None:
    gate = a_word()
    model.script(Script(gate=gate))
    async with running(database_url, model.url, llm_max_concurrency="1", llm_max_queue="0") as server:
        async with streamed(server, "first") as first:
            await first.next()
            assert_refused(await server.http.post("/api/chat", json={"message": "second"}), 503, "overloaded")
            model.release(gate)
            await first.rest()
        await chat(server, "second")


async def test_places_go_round_the_users(database_url: str, model: ScriptedModel) -> None:
    gate = a_word()
    model.script(Script(gate=gate))
    sent = [
        *(("greedy", position) for position in range(1, 4)),
        *(("light", 1), ("other", 2), ("light", 4)),
    ]
    async with (
        running(database_url, model.url, llm_max_concurrency="1") as server,
        AsyncExitStack() as stack,
    ):
        streams = [await stack.enter_async_context(streamed(server, "greedy 0", user_id="greedy"))]
        await asked_of(model, "greedy 0", waiting=True)
        for number, (user, position) in enumerate(sent, start=1):
            stream = await stack.enter_async_context(streamed(server, f"{user} {number}", user_id=user))
            told = await stream.until("notice")
            assert (told["code"], told["position"]) == ("queued", position)
            assert told["wait_s"] == position * 5  # until one has ended, a turn is taken to need 5 s
            streams.append(stream)
        model.release(gate)
        for stream in streams:
            assert (await stream.rest())[-1]["status"] == "complete"
    order = ["greedy 0", "light 4", "other 5", "greedy 1", "light 6", "greedy 2", "greedy 3"]
    assert [record.last_user_message for record in model.log.generating] == order


async def test_the_greedy_one_is_refused_and_another_finds_room(
    database_url: str, model: ScriptedModel
) -> None:
    gate = a_word()
    async with running(database_url, model.url, llm_max_concurrency="1", llm_max_queue="4") as server:
        for _ in range(3):
            await chat(server, "a word", user_id="light")
        model.script(Script(gate=gate))
        async with AsyncExitStack() as stack:
            for number in range(3):
                stream = await stack.enter_async_context(
                    streamed(server, f"greedy {number}", user_id="greedy")
                )
                await stream.until("notice" if number else "ack")
            refused = await server.http.post("/api/chat", json={"message": "more", "user_id": "greedy"})
            assert_refused(refused, 503, "overloaded")
            # A turn is taken to need 5 s, and less with each that ended in a moment.
            assert int(refused.headers["retry-after"]) in {3, 4}
            light = await stack.enter_async_context(streamed(server, "light", user_id="light"))
            assert (await light.until("notice"))["position"] == 1
            model.release(gate)
            assert (await light.rest())[-1]["status"] == "complete"
