"""Gives conversations a title made by the model, in the background, while nobody waits for an answer."""

import asyncio
from collections import OrderedDict
from contextlib import aclosing
from uuid import UUID

import anyio
import msgspec

from jarvis.core import prompt
from jarvis.core.errors import JarvisError
from jarvis.core.ports import LLM, Options
from jarvis.core.stores import TitleStore
from jarvis.core.titles import EXCERPT_CHARS, title_in, title_prompt
from jarvis.core.types import MessageStatus, Turn
from jarvis.services.feed import ConversationFeed
from jarvis.services.sweeper import Reporter
from jarvis.services.watching import TurnWatcher

QUIET_S = 1.0
"""How long no turn must have run before a title is asked for: programs go on sooner, people later."""
MAX_WAITING = 100
TITLE_SECS = 30.0
MAX_TITLE_TOKENS = 32
TEMPERATURE = 0.2


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a title is made from: the first complete turn."""

    turn: Turn
    answer: str


class Titles(TurnWatcher):
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
        self._store = store
        self._llm = llm
        self._system_prompt = system_prompt
        self._feed = feed
        self._reporter = reporter
        self._wishes: OrderedDict[UUID, Wish] = OrderedDict()
        self._wished = asyncio.Event()
        self._may_ask = asyncio.Event()
        self._may_ask.set()
        self._asking = anyio.CancelScope()

    def turn_ended(self, turn: Turn, status: MessageStatus, answer: str) -> None:
        """Want a title for the turn's conversation, unless it has one for good."""
        if turn.title_is_settled or status != "complete" or not answer:
            return
        kept = msgspec.structs.replace(turn, history=None)
        self._wishes.setdefault(turn.conversation_id, Wish(turn=kept, answer=answer[:EXCERPT_CHARS]))
        if len(self._wishes) > MAX_WAITING:
            self._wishes.popitem(last=False)
        self._wished.set()

    def turn_began(self, turn: Turn) -> None:
        """Stop asking, also in the middle: the model is wanted for a turn."""
        del turn
        self._may_ask.clear()
        self._asking.cancel()

    def all_ended(self) -> None:
        """Go on with what was wished for, after a while of quiet."""
        self._may_ask.set()

    async def run(self) -> None:
        """Make titles for ever; to be cancelled."""
        while True:
            await self._wished.wait()
            await self._may_ask.wait()
            with anyio.CancelScope() as self._asking:
                await asyncio.sleep(QUIET_S)
                await self._make_next()

    async def _make_next(self) -> None:
        conversation_id, wish = next(iter(self._wishes.items()))
        try:
            with anyio.move_on_after(TITLE_SECS):
                title = title_in(await self._ask(wish))
                if await self._store.settle(wish.turn.user, conversation_id, title):
                    self._feed.announce(wish.turn.user, conversation_id, "updated")
        except JarvisError:
            pass  # the model or the database is away: the next turn wishes again
        except Exception:  # noqa: BLE001 one defect must not end the making of titles
            self._reporter.exception("title_defect")
        self._wishes.pop(conversation_id, None)
        if not self._wishes:
            self._wished.clear()

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
