"""What engines say was said, within bounds and in one form."""

import re

from jarvis.adapters.speech import failures
from jarvis.adapters.speech.languages import iso_639_1
from jarvis.core.speech import Transcript, Word

MAX_TEXT_BYTES = 64 * 1024
_CODE = re.compile(r"[a-z]{2,3}")


def transcript(
    text: str,
    *,
    language: str | None,
    confidence: float | None = None,
    words: list[Word] | None = None,
    final: bool = True,
) -> Transcript:
    """Raises Unavailable for a text beyond all speech."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_TEXT_BYTES:
        raise failures.garbled("stt")
    code = iso_639_1(language or "")
    return Transcript(
        text=text.strip(),
        language=code if _CODE.fullmatch(code) else None,
        confidence=None if confidence is None else min(1.0, max(0.0, confidence)),
        words=words,
        final=final,
    )
