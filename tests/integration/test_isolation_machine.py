"""Whatever people do on one server, nobody is given a word of another's, and no prompt has one."""

import asyncio
import re
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.isolation.stand import BUILDS, Stand, a_random_id, standing
from tests.isolation.visitor import Ids, Visitor
from tests.people import Person
from tests.postgres import PostgresServer
from tests.scripted_model import Record, Script

NAMES = ("canaryanna", "canaryben", "canaryolga")
CANARY = re.compile("|".join(NAMES))
OPERATIONS = {"jarvis": 1_000, "tests.mutated": 500}
STEPS = 50
BY_ID = {
    "conversation": (
        *(("GET", "/api/chat/conversation/{}"), ("GET", "/api/chat/history/{}")),
        *(("GET", "/api/chat/history?conversation_id={}"), ("PATCH", "/api/chat/conversation/{}")),
        *(("GET", "/api/chat/conversation/{}/export"), ("POST", "/api/chat/conversation/{}/regenerate")),
        ("DELETE", "/api/chat/conversation/{}"),
    ),
    "turn": (
        *(("GET", "/api/chat/turns/{}"), ("GET", "/api/chat/turns/{}/events")),
        ("POST", "/api/chat/turns/{}/cancel"),
    ),
    "memory": (("GET", "/api/memory/{}"), ("PATCH", "/api/memory/{}"), ("DELETE", "/api/memory/{}")),
    "key": (("DELETE", "/api/auth/keys/{}"),),
}

T = TypeVar("T")

who = st.sampled_from(NAMES)
things = st.sampled_from(("boiler", "ferret", "piano", "garden", "bicycle"))
places = st.integers(min_value=0, max_value=10_000)


class Neighbours(RuleBasedStateMachine):
    """Several people on one server, which goes on from one run of the machine to the next."""

    visitors: ClassVar[Mapping[str, Visitor]]
    known: ClassVar[Ids]
    done: ClassVar[int] = 0

    def _id(self, kind: str, place: int) -> str:
        """Return an id of anybody's, or nobody's: mostly one of the newest."""
        known = [a_random_id(), *self.known.get(kind, [])]
        return known[-1 - place % min(len(known), 12)]

    def _conversation(self, name: str, place: int) -> str | None:
        """Return one of his own, one of anybody's, or none."""
        own = self.visitors[name].conversations
        match place % 4:
            case 0:
                return None
            case 1:
                return self._id("conversation", place // 4)
            case _:
                return own[-1 - place // 4 % min(len(own), 8)] if own else None

    @rule(name=who, thing=things, place=places, if_busy=st.sampled_from(("queue", "reject", "interrupt")))
    def says(self, name: str, thing: str, place: int, if_busy: str) -> None:
        self.visitors[name].say(thing, self._conversation(name, place), if_busy=if_busy)

    @rule(name=who, thing=things, place=places)
    def asks_for_events(self, name: str, thing: str, place: int) -> None:
        self.visitors[name].say(thing, self._conversation(name, place), stream=True)

    @rule(name=who, thing=things, place=places, old=st.booleans())
    def says_on_the_socket(self, name: str, thing: str, place: int, old: bool) -> None:  # noqa: FBT001 drawn
        self.visitors[name].say_on_socket(thing, self._conversation(name, place), old=old)

    @rule(name=who, thing=things, place=places)
    def begins(self, name: str, thing: str, place: int) -> None:
        self.visitors[name].begin(thing, self._conversation(name, place))

    @rule(name=who, thing=things, do=st.sampled_from(("create", "remember", "make_key", "import_")))
    def makes(self, name: str, thing: str, do: str) -> None:
        make: Callable[[str], None] = getattr(self.visitors[name], do)
        make(thing)

    @rule(name=who, thing=things, other=who)
    def searches(self, name: str, thing: str, other: str) -> None:
        self.visitors[name].search(thing, other)

    @rule(name=who, other=who)
    def looks(self, name: str, other: str) -> None:
        self.visitors[name].look(other)

    @rule(
        name=who,
        at=st.sampled_from([(kind, *one) for kind, all_ in BY_ID.items() for one in all_]),
        place=places,
    )
    def names(self, name: str, at: tuple[str, str, str], place: int) -> None:
        kind, method, path = at
        self.visitors[name].ask_by_id(method, path, self._id(kind, place))

    @rule(name=who, kind=st.sampled_from(("cancel", "resume", "playback", "barge_in")), place=places)
    def names_on_the_socket(self, name: str, kind: str, place: int) -> None:
        self.visitors[name].name_on_socket(kind, self._id("turn", place))

    @invariant()
    def nobody_is_given_anothers_words(self) -> None:
        type(self).done += 1
        self._look(whole=False)

    def teardown(self) -> None:
        self._look(whole=True)

    def _look(self, *, whole: bool) -> None:
        for name, visitor in self.visitors.items():
            for given in visitor.catch_up(whole=whole):
                assert set(CANARY.findall(given)) <= {name}, f"{name} was given: {given}"


def is_for_two(record: Record) -> bool:
    return len(set(CANARY.findall(f"{record.messages} {record.inputs}".lower()))) > 1


def run(url: str, ws_url: str, people: Mapping[str, Person], operations: int) -> int:
    """Run the machine; return how many operations there were."""
    with ExitStack() as stack:
        known: Ids = {}
        Neighbours.known, Neighbours.done = known, 0
        Neighbours.visitors = {
            name: stack.enter_context(Visitor(url, ws_url, person, known)) for name, person in people.items()
        }
        _run(operations)
    return Neighbours.done


def _run(operations: int) -> None:
    run_state_machine_as_test(
        Neighbours,
        settings=settings(
            max_examples=operations // STEPS + 4,  # some have fewer steps
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            print_blob=True,
            phases=[Phase.generate],  # the steps of a failure are printed; to shorten them would take minutes
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )


@pytest.mark.parametrize("module", BUILDS.values(), ids=BUILDS.keys())
async def test_nobody_is_given_anothers_words_whatever_all_do(
    postgres: PostgresServer, migrated_template: str, module: str
) -> None:
    limits = {"LLM_MAX_CONCURRENCY": "50", "LLM_MAX_QUEUE": "1000", "METRICS_PUBLIC": "false"}
    async with standing(postgres, migrated_template, module=module, settings=limits) as stand:
        stand.model.script(Script(tokens_per_s=200), match="Slowly")
        for name in reversed(NAMES):  # olga, the first, is the owner
            await stand.join(name)
        server, least = stand.server, OPERATIONS[module]
        assert await asyncio.to_thread(run, server.url, server.ws_url, stand.people, least) >= least
        await _look_elsewhere(stand)


async def _look_elsewhere(stand: Stand) -> None:
    """See what is told to nobody: prompts, those of the background included, the metrics and the log."""
    await stand.model.wait_for(lambda log: [each for each in log.generating if "title" in str(each.messages)])
    prompts = stand.model.log.records
    assert {found for each in prompts for found in CANARY.findall(str(each.messages))} == set(NAMES)
    assert [each for each in prompts if is_for_two(each)] == []
    metrics = (await stand.ask("GET", "/metrics", who="canaryolga")).text
    assert "jarvis_turns_total" in metrics
    assert CANARY.search(metrics) is None
    assert "/api/chat/conversation/{conversation_id" in stand.server.log
    assert CANARY.findall(stand.server.log) == []
