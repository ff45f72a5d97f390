"""Gives conversations a title made by the model, in the background, while nobody waits for an answer."""

from contextlib import aclosing
from functools import partial
from typing import Literal
from uuid import UUID

import anyio
import msgspec

from jarvis.core import prompt
from jarvis.core.ports import LLM, Options
from jarvis.core.stores import TitleStore
from jarvis.core.titles import EXCERPT_CHARS, title_in, title_prompt
from jarvis.core.types import MessageStatus, Turn
from jarvis.services.feed import ConversationFeed
from jarvis.services.quiet import Wishes
from jarvis.services.sweeper import Reporter

QUIET_S = 1.0
"""How long no turn must have run before a title is asked for: programs go on sooner, people later."""
TITLE_SECS = 30.0
MAX_TITLE_TOKENS = 32
TEMPERATURE = 0.2


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a title is made from: the first complete turn."""

    turn: Turn
    answer: str


class Titles(Wishes[Wish]):
    """Asks for one title at a time, and only while no turn runs: a turn that begins ends the asking at once.

    A title that could not be made is wished for again by the conversation's next turn.
    """

    def __init__(
        self,
        *,
        store: TitleStore,
        llm: LLM,
        system_prompt: str,
        feed: ConversationFeed,
        reporter: Reporter,
    ) -> None:
        super().__init__(quiet_s=QUIET_S, defect="title_defect", reporter=reporter)
        self._store = store
        self._llm = llm
        self._system_prompt = system_prompt
        self._feed = feed

    def turn_ended(self, turn: Turn, status: MessageStatus, answer: str) -> None:
        """Want a title for the turn's conversation, unless it has one for good or is already wished one."""
        if turn.title_is_settled or status != "complete" or not answer or self.wish_of(turn.conversation_id):
            return
        kept = msgspec.structs.replace(turn, history=None)
        self.want(turn.conversation_id, Wish(turn=kept, answer=answer[:EXCERPT_CHARS]))

    async def go_on(self, conversation_id: UUID, wish: Wish) -> bool:
        await self.no_turn_runs()
        return await self.in_quiet(partial(self._make, conversation_id, wish)) is not None

    async def _make(self, conversation_id: UUID, wish: Wish) -> Literal[True]:
        with anyio.move_on_after(TITLE_SECS):
            title = title_in(await self._ask(wish))
            if await self._store.settle(wish.turn.user, conversation_id, title):
                self._feed.announce(wish.turn.user, conversation_id, "updated")
        return True

    async def _ask(self, wish: Wish) -> str:
        """Return the first line of the model's answer, which is not read on after it."""
        command = wish.turn.command
        persona = command.system_prompt or wish.turn.conversation_system_prompt or self._system_prompt
        asked = title_prompt(prompt.system_text(persona, command.context), command.text, wish.answer)
        options = Options(
            model=command.model or wish.turn.conversation_model,
            temperature=TEMPERATURE,
            max_tokens=MAX_TITLE_TOKENS,
        )
        said = ""
        async with aclosing(self._llm.stream(asked, options)) as chunks:
            async for chunk in chunks:
                said += chunk.text
                if "\n" in said.lstrip():
                    break
        return said
