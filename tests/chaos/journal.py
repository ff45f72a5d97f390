"""What clients were promised, noted by themselves, and whether the store has kept it. Pure.

Nothing here knows how a message was sent; doors.py does that.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from itertools import count, pairwise
from typing import Any

import msgspec

Event = dict[str, Any]

ENDED = frozenset({"complete", "cancelled", "interrupted", "failed"})


def script_of(text: str) -> str:
    """Return what the scripted model says to a message, all of it."""
    return f"You said: {text}"


class Wish(msgspec.Struct, kw_only=True):
    """One message, and all that its client ever heard of it.

    Times are the journal's own: every note is later than the one before, whichever client made it.
    `turn_ids` has more than one only where the server broke its word.
    """

    text: str
    conversation_id: str | None
    key: str | None
    sent_at: int
    acked_at: int | None = None
    acked_in: str | None = None
    turn_ids: set[str] = set()
    answers: list[Event] = []
    """Terminal events and JSON bodies, in the order they came; `content` is the answer's text."""


class Journal:
    def __init__(self) -> None:
        self.wishes: list[Wish] = []
        self._clock = count()

    def send(self, text: str, *, conversation_id: str | None, key: str | None) -> Wish:
        wish = Wish(text=text, conversation_id=conversation_id, key=key, sent_at=next(self._clock))
        self.wishes.append(wish)
        return wish

    def note(self, wish: Wish, event: Event) -> None:
        """Note one event of the message's turn; each of them is a promise that it is stored."""
        if wish.acked_at is None:
            wish.acked_at = next(self._clock)
        wish.acked_in = event.get("conversation_id", wish.acked_in)
        wish.turn_ids.add(event["turn_id"])
        if event["type"] == "chat_response" or event.get("status") == "failed":
            wish.answers.append(event)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A stored message, with the status of its turn."""

    id: str
    conversation_id: str
    turn_id: str
    position: int
    role: str
    content: str
    status: str
    is_alternative: bool
    turn_status: str


def broken(wishes: Sequence[Wish], rows: Collection[Row]) -> list[str]:
    """Return, in sentences, every promise that `rows` (of all conversations in question) do not keep."""
    told = [row for row in rows if row.role == "user"]
    by_text: defaultdict[str, list[Row]] = defaultdict(list)
    answers: defaultdict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in rows:
        if row.role == "user":
            by_text[row.content].append(row)
        else:
            answers[row.conversation_id, row.position].append(row)
    wrong: list[str] = []
    for wish in wishes:
        wrong += _of_wish(wish, by_text[wish.text])
    for row in told:
        wrong += _of_answer(row, answers[row.conversation_id, row.position + 1])
    by_id = {row.id: row for row in rows}
    for wish in wishes:
        wrong += _of_what_was_heard(wish, by_id)
    return wrong + _of_order(wishes, by_text)


def _of_wish(wish: Wish, stored: list[Row]) -> list[str]:
    named = f"{wish.text[:12]!r} (key {wish.key})"
    if wish.acked_at is not None and not stored:
        return [f"lost: {named} was acknowledged and is not stored"]
    if wish.key is not None and not stored:
        return [f"lost: {named} was sent until it was answered and is not stored"]
    if len(stored) > 1:
        return [f"doubled: {named} is stored {len(stored)} times"]
    wrong: list[str] = []
    if len(wish.turn_ids) > 1:
        wrong.append(f"doubled: {named} has {len(wish.turn_ids)} turns")
    if stored and wish.turn_ids - {stored[0].turn_id}:
        wrong.append(f"astray: {named} was acknowledged as another turn than the one stored")
    if stored and wish.acked_in is not None and wish.acked_in != stored[0].conversation_id:
        wrong.append(f"astray: {named} was acknowledged in another conversation than the one stored in")
    return wrong


def _of_answer(asked: Row, stored: list[Row]) -> list[str]:
    named = f"{asked.content[:12]!r}"
    if asked.turn_status not in ENDED:
        return [f"still {asked.turn_status}: the turn of {named}"]
    standing = [row for row in stored if not row.is_alternative]
    wrong: list[str] = []
    if len(standing) != 1:
        wrong.append(f"answered {len(standing)} times: {named}")
    script = script_of(asked.content)
    for row in stored:
        if not script.startswith(row.content) or row.turn_id != asked.turn_id:
            wrong.append(f"another's words: {row.content[-30:]!r} are no beginning of the answer to {named}")
        if row.status == "complete" and row.content != script:
            wrong.append(f"cut: the answer to {named} is complete and lacks words")
    if standing and asked.turn_status != standing[0].status and asked.turn_status != "failed":
        wrong.append(f"at odds: the turn of {named} is {asked.turn_status}, its answer {standing[0].status}")
    return wrong


def _of_what_was_heard(wish: Wish, by_id: dict[str, Row]) -> list[str]:
    """An answer that was told as the end stays as it was told; one key has one that did not fail."""
    wrong: list[str] = []
    whole = [event for event in wish.answers if event["type"] == "chat_response"]
    for event in whole:
        row = by_id.get(event["message"]["id"])
        if row is None or (row.content, row.status) != (event["content"], event["status"]):
            wrong.append(f"taken back: the answer to {wish.text[:12]!r} is not stored as it was told")
    if len({event["message"]["id"] for event in whole}) > 1:
        wrong.append(f"answered twice: {wish.text[:12]!r} (key {wish.key}) was told two answers")
    return wrong


def _of_order(wishes: Sequence[Wish], by_text: dict[str, list[Row]]) -> list[str]:
    """What was acknowledged before another was sent in the same conversation stands before it."""
    places: defaultdict[str, list[tuple[int, Wish]]] = defaultdict(list)
    for wish in wishes:
        if wish.acked_at is not None and len(by_text[wish.text]) == 1:
            (row,) = by_text[wish.text]
            places[row.conversation_id].append((row.position, wish))
    wrong: list[str] = []
    for stored in places.values():
        stored.sort(key=lambda place: place[0])
        if any(one == other for (one, _), (other, _) in pairwise(stored)):
            wrong.append("out of order: two messages have one place")
        sent_last = -1
        for _, wish in stored:
            if wish.acked_at is not None and wish.acked_at < sent_last:
                wrong.append(f"out of order: {wish.text[:12]!r} stands behind what was sent after its ack")
            sent_last = max(sent_last, wish.sent_at)
    return wrong
