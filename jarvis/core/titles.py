"""What a conversation is called before anybody names it."""

LONGEST_TITLE_CHARS = 60


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
