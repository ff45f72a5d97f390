"""Keeps the running summaries of conversations, in the background, while nobody waits for an answer."""

from contextlib import aclosing
from functools import partial
from uuid import UUID

import anyio
import msgspec

from jarvis.core.errors import JarvisError
from jarvis.core.ports import LLM, Options
from jarvis.core.stores import SummaryStore
from jarvis.core.summaries import Unsummarised, chunk_of, extract, summary_in, summary_prompt
from jarvis.core.types import User
from jarvis.services.quiet import Wishes
from jarvis.services.sweeper import Reporter

QUIET_S = 1.5
"""How long no turn must have run before the model is asked: longer than for a title, which comes first."""
PATIENCE_S = 60.0
SUMMARY_SECS = 60.0
PAGE = 100
"""Messages read at once. Of more, as after an import, all but the newest are done without the model."""
CHUNK_TOKENS = 1_500
"""Of messages that are given to the model at once: what a turn interrupts is begun again."""
CHUNK_SHARE = 3
"""And never more than this part of the model's window."""
TEMPERATURE = 0.2


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be covered: the conversation up to the message `upto`, in a summary of `tokens` at most."""

    user: User
    upto: UUID
    model: str | None
    tokens: int
    patient_until: float


class Summaries(Wishes[Wish]):
    """Makes one summary at a time, and asks the model only while no turn runs: a turn ends the asking.

    After `patience_s` without a quiet it is made without the model. What could not be made at all is wished
    for again by the conversation's next turn.
    """

    def __init__(
        self, *, store: SummaryStore, llm: LLM, reporter: Reporter, patience_s: float = PATIENCE_S
    ) -> None:
        super().__init__(quiet_s=QUIET_S, defect="summary_defect", reporter=reporter)
        self._store = store
        self._llm = llm
        self._patience_s = patience_s

    def wish(self, user: User, conversation_id: UUID, *, upto: UUID, model: str | None, tokens: int) -> None:
        """Want the conversation summarised up to that message; never waits. The newest wish counts."""
        earlier = self.wish_of(conversation_id)
        until = earlier.patient_until if earlier else anyio.current_time() + self._patience_s
        self.want(
            conversation_id, Wish(user=user, upto=upto, model=model, tokens=tokens, patient_until=until)
        )

    async def go_on(self, conversation_id: UUID, wish: Wish) -> bool:
        """Cover some more messages, with the model if it is quiet; tell whether all are covered."""
        may_ask = False
        with anyio.CancelScope(deadline=wish.patient_until):
            await self.no_turn_runs()
            may_ask = True
        found = await self._store.unsummarised(wish.user, conversation_id, upto=wish.upto, limit=PAGE + 1)
        if found is None:
            return True
        if not may_ask or len(found.messages) > PAGE:
            await self._keep(conversation_id, wish, found, None)
        elif made := await self.in_quiet(partial(self._made_by_model, wish, found)):
            await self._keep(conversation_id, wish, *made)
        return False

    async def _keep(
        self, conversation_id: UUID, wish: Wish, found: Unsummarised, summary: str | None
    ) -> None:
        """Store `summary` of what was found, or else one made without the model."""
        text = summary or extract(found.summary, found.messages, tokens=wish.tokens)
        upto = found.messages[-1].position
        await self._store.keep(wish.user, conversation_id, text, base=found.base, upto=upto)

    async def _made_by_model(self, wish: Wish, found: Unsummarised) -> tuple[Unsummarised, str | None]:
        """Return what the model made, and of which messages; None where it made nothing of use."""
        try:
            with anyio.fail_after(SUMMARY_SECS):
                window = await self._llm.window_tokens(wish.model)
                chunk = chunk_of(found.messages, tokens=min(CHUNK_TOKENS, window // CHUNK_SHARE))
                found = msgspec.structs.replace(found, messages=list(chunk))
                return found, summary_in(await self._ask(wish, found), tokens=wish.tokens)
        except (JarvisError, TimeoutError):
            return found, None

    async def _ask(self, wish: Wish, found: Unsummarised) -> str:
        asked = summary_prompt(found.summary, found.messages, tokens=wish.tokens)
        options = Options(model=wish.model, temperature=TEMPERATURE, max_tokens=wish.tokens)
        said = ""
        async with aclosing(self._llm.stream(asked, options)) as chunks:
            async for chunk in chunks:
                said += chunk.text
        return said
