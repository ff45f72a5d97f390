"""What a conversation is called: after its first message, until the model has found a better title. Pure."""

from collections.abc import Sequence

from jarvis.core.languages import Language, language_of
from jarvis.core.ports import PromptMessage

LONGEST_TITLE_CHARS = 60
EXCERPT_CHARS = 2_000
"""Of either side of the exchange: enough to tell what it is about."""

# A small model answers in the language it was last spoken to in, whatever it is told of languages.
REQUESTS: dict[Language, str] = {
    "en": (
        "Write a title for this conversation: three to six words, on one line, in the language of my message "
        "above. Only the title: no quotation marks, no explanation."
    ),
    "fr": (
        "Écris un titre pour cette conversation : trois à six mots, sur une seule ligne, en français. "
        "Seulement le titre, sans guillemets ni explication."
    ),
}
_QUOTES = "\"'`*_#\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019"
"""What models put around a title: quotation marks of several languages, and Markdown's."""


def title_of(text: str) -> str:
    """Return the first line that says something, cut after a word to at most 60 characters."""
    line = next((line for line in text.splitlines() if line.strip()), "")
    words = " ".join(line.split())
    if len(words) <= LONGEST_TITLE_CHARS:
        return words
    start, space, _ = words[:LONGEST_TITLE_CHARS].rpartition(" ")
    if not space:
        start = words[: LONGEST_TITLE_CHARS - 1]
    return f"{start}…"


def title_prompt(system: str, text: str, answer: str) -> Sequence[PromptMessage]:
    """Ask for a title at the end of the exchange: a model that has just had that need not read it again."""
    head = [PromptMessage(role="system", content=system)] if system else []
    return [
        *head,
        PromptMessage(role="user", content=text[:EXCERPT_CHARS]),
        PromptMessage(role="assistant", content=answer[:EXCERPT_CHARS]),
        PromptMessage(role="user", content=REQUESTS[language_of(text)]),
    ]


def title_in(answer: str) -> str | None:
    """Return the title in a model's answer, without what models put around one; None where there is none."""
    line = next((line for line in answer.splitlines() if line.strip()), "")
    label, colon, rest = line.partition(":")
    if colon and label.strip(_QUOTES + " ").lower() in {"title", "titre"}:
        line = rest
    line = " ".join(line.split()).strip(_QUOTES + " .")
    return line if line and len(line) <= LONGEST_TITLE_CHARS else None
