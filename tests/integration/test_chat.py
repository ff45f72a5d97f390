"""POST /api/chat on the real application: one turn, as JSON and as SSE."""

from tests.running import Running
from tests.scripted_model import Script, ScriptedModel


async def test_an_answer_carries_each_fact_under_every_name(jarvis: Running, model: ScriptedModel) -> None:
    model.script(Script(text="Good morning."))
    answer = (await jarvis.http.post("/api/chat", json={"message": "Hello"})).json()
    assert answer["response"] == answer["content"] == answer["message"]["content"] == "Good morning."
    assert answer["id"] == answer["message"]["id"]
    assert answer["status"] == "complete"
