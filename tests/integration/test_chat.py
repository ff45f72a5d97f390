"""POST /api/chat on the real application: one turn, as JSON."""

from tests.clients import a_word, chat
from tests.running import Running, running
from tests.scripted_model import CHAT_MODEL, Model, Script, ScriptedModel

ANSWER_FIELDS = {
    *("turn_id", "status", "conversation_id", "message", "response", "content", "id", "role"),
    *("timestamp", "model", "user_id", "memory_saved", "usage", "tokens", "response_time_ms", "context"),
}


async def test_an_answer_carries_each_fact_under_every_name(server: Running, llm: ScriptedModel) -> None:
    llm.script(Script(text="Good morning."))
    answer = await chat(server, "Hello")
    assert answer.keys() == ANSWER_FIELDS
    assert answer["response"] == answer["content"] == answer["message"]["content"] == "Good morning."
    assert answer["id"] == answer["message"]["id"]
    assert answer["timestamp"] == answer["message"]["timestamp"] == answer["message"]["created_at"]
    assert answer["turn_id"] == answer["message"]["turn_id"]
    assert answer["conversation_id"] == answer["message"]["conversation_id"]
    assert (answer["role"], answer["message"]["role"]) == ("assistant", "assistant")
    assert (answer["status"], answer["message"]["status"]) == ("complete", "complete")
    assert answer["model"] == answer["message"]["metadata"]["model_name"] == CHAT_MODEL.name
    assert answer["response_time_ms"] == answer["message"]["metadata"]["response_time_ms"]
    assert answer["memory_saved"] is True


async def test_tokens_are_the_models_own_count(server: Running, llm: ScriptedModel) -> None:
    llm.script(Script(text="one two three", prompt_tokens=101))
    answer = await chat(server, "Hello")
    assert answer["usage"] == {"prompt_tokens": 101, "completion_tokens": 3, "total_tokens": 104}
    assert answer["tokens"] == answer["message"]["metadata"]["tokens_used"] == 3


async def test_the_new_field_says_the_same_as_the_old_one(server: Running, llm: ScriptedModel) -> None:
    response = await server.http.post("/chat", json={"content": "Hello", "unknown": [1]})
    assert response.json()["content"] == "You said: Hello"
    assert llm.log.generating[-1].last_user_message == "Hello"


async def test_the_prompt_is_persona_history_and_message(server: Running, llm: ScriptedModel) -> None:
    first = await chat(server, "My name is Ada.")
    await chat(server, "What is my name?", conversation_id=first["conversation_id"])
    said = [(message.role, message.content) for message in llm.log.generating[-1].messages]
    assert said == [
        ("system", server.settings.system_prompt),
        ("user", "My name is Ada."),
        ("assistant", first["content"]),
        ("user", "What is my name?"),
    ]


async def test_conversations_know_nothing_of_each_other(server: Running, llm: ScriptedModel) -> None:
    secret = a_word()
    await chat(server, secret)
    await chat(server, "Hello")
    assert secret not in str(llm.log.generating[-1].messages)


async def test_what_a_request_asks_for_reaches_the_model(server: Running, llm: ScriptedModel) -> None:
    answer = await chat(
        server,
        "Hello",
        temperature=0,
        max_tokens=2,
        system_prompt="Answer as a pirate.",
        context="It is Monday.",
    )
    asked = llm.log.generating[-1]
    assert asked.options["temperature"] == 0
    assert asked.options["num_predict"] == 2
    assert asked.options["num_ctx"] == 8192
    assert (asked.messages[0].role, asked.messages[0].content) == (
        "system",
        "Answer as a pirate.\n\nIt is Monday.",
    )
    assert answer["content"] == "You said:"
    assert answer["message"]["metadata"]["temperature"] == 0


async def test_the_settings_speak_where_a_request_does_not(server: Running, llm: ScriptedModel) -> None:
    await chat(server, "Hello", temperature=None, max_tokens=None, model=None, context=None)
    asked = llm.log.generating[-1]
    assert asked.options["temperature"] == server.settings.ollama_temperature
    assert asked.options["num_predict"] == server.settings.ollama_max_tokens
    assert asked.model == CHAT_MODEL.name


async def test_the_report_says_what_the_model_was_given(server: Running, llm: ScriptedModel) -> None:
    llm.script(Script(prompt_tokens=100_000))
    answer = await chat(server, "Hello")
    for _ in range(2):
        answer = await chat(server, "Hello", conversation_id=answer["conversation_id"])
    report = answer["context"]
    assert report["history"] == {"sent": 4, "summarised": 0, "dropped": 0}
    assert report["budget_tokens"] == 8192 - server.settings.ollama_max_tokens
    assert 0 < report["prompt_tokens"] < report["budget_tokens"]
    assert (report["memories"], report["notices"]) == ([], [])


async def test_a_prompt_that_the_model_cut_is_told(server: Running, llm: ScriptedModel) -> None:
    llm.script(Script(prompt_tokens=10))
    assert (await chat(server, "Hello"))["context"]["notices"] == ["truncated_by_model"]


async def test_old_history_gives_way(server: Running, llm: ScriptedModel) -> None:
    first = await chat(server, "old " * 5_000, max_tokens=1)
    conversation_id = first["conversation_id"]
    second = await chat(server, "new " * 4_000, conversation_id=conversation_id, max_tokens=1)
    assert second["context"]["history"] == {"sent": 1, "summarised": 0, "dropped": 1}
    given = [message.content for message in llm.log.generating[-1].messages[1:]]
    assert given == [first["content"], "new " * 4_000]


async def test_a_model_of_the_clients_choice_answers(database_url: str) -> None:
    async with (
        ScriptedModel(models=[CHAT_MODEL, Model(name="other:latest")]) as model,
        running(database_url, model.url) as server,
    ):
        answer = await chat(server, "Hello", model="other")
        assert answer["model"] == answer["message"]["metadata"]["model_name"] == "other"
        assert model.log.generating[-1].model == "other"
