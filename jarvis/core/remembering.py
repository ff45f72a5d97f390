"""What of a user's message is remembered: what it tells, and the facts and preferences in it. Pure."""

from jarvis.core.facts import facts_in
from jarvis.core.gate import is_echo, is_worth_keeping, refusal
from jarvis.core.memories import MemorySource, NewMemory
from jarvis.core.memory_store import Said


def memories_in(said: Said) -> list[NewMemory]:
    """Return the message as an episode, if it tells something, and its facts; of a refused one nothing."""
    text = said.content.strip()
    if refusal(text) is not None or is_echo(text, said.told):
        return []
    answer = [] if said.answer_id is None else [said.answer_id]
    source = MemorySource(conversation_id=said.conversation_id, message_ids=[said.id, *answer])
    facts = [
        NewMemory(
            kind=fact.kind,
            content=fact.content,
            importance=fact.importance,
            attribute=fact.attribute,
            value=fact.value,
            source=source,
            created_at=said.created_at,
        )
        for fact in facts_in(text)
    ]
    if [fact.content for fact in facts] == [text] or not is_worth_keeping(text):
        return facts
    return [NewMemory(kind="episode", content=text, source=source, created_at=said.created_at), *facts]
