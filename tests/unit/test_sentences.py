"""What of a streamed Markdown answer is said, and where it is cut."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.core.speaking.sentences import FIRST_CLAUSE_CHARS, LONGEST_CHARS, Piece, Sentences


def pieces_of(answer: str, chars: int = 4) -> list[Piece]:
    sentences = Sentences()
    deltas = [answer[at : at + chars] for at in range(0, len(answer), chars)]
    return [*(piece for delta in deltas for piece in sentences.feed(delta)), *sentences.finish()]


def said(answer: str) -> list[str]:
    return [piece.text for piece in pieces_of(answer)]


@pytest.mark.parametrize(
    "whole",
    [
        "Dr. Smith and Mme. Durand met M. Dupont.",
        "Bring fruit, e.g. apples, i.e. Golden ones, etc. and bread.",
        "Prenez un fruit, p. ex. Une pomme, cf. Annexe.",
        "See no. 5 on p. 12, vol. 3.",
        "It is J. R. R. Tolkien and J.R.R. Tolkien of the U.S. Army.",
        "At 5 p.m. we leave.",
        "Pi is 3.14, not 1.000 or 1 000,50 €.",
        "Use version 3.11.2 of node.js today.",
        "Mail jane.doe@example.com today.",
        "Wait... what?",
        "« Bonjour ! » dit-il.",
        "He said (loudly!) that it works.",
        "Voilà : une chose ; une autre.",
        "The end... of it.",
    ],
)
def test_a_stop_inside_a_sentence_does_not_end_it(whole: str) -> None:
    # behind a short first one, which is not cut at its commas either
    assert said(f"So. {whole}") == ["So.", whole]


@pytest.mark.parametrize(
    ("answer", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Really?! Yes… Perhaps... No.", ["Really?!", "Yes…", "Perhaps...", "No."]),
        ("« Oui. » Puis « Non ! » Fin.", ["« Oui. »", "Puis « Non ! »", "Fin."]),
        ('He said "Go." She went.', ['He said "Go."', "She went."]),
        ("(It rains.) We stay.", ["(It rains.)", "We stay."]),
        ("Ça va ? Oui !", ["Ça va ?", "Oui !"]),
        ("Ça va\u00a0? Oui\u202f!", ["Ça va ?", "Oui !"]),
        ("He said no. Then he left.", ["He said no.", "Then he left."]),
        ("So do I. The end.", ["So do I.", "The end."]),
        ("It was in 2026. 5 years later.", ["It was in 2026.", "5 years later."]),
        ("We met at 5 p.m. The end.", ["We met at 5 p.m.", "The end."]),
        ("Roses are red\nViolets are blue", ["Roses are red", "Violets are blue"]),
        ("A line that is\nwrapped here.", ["A line that is wrapped here."]),
        ("A. \n\nB", ["A.", "B"]),
    ],
)
def test_sentences_end_where_a_reader_would_stop(answer: str, sentences: list[str]) -> None:
    assert said(answer) == sentences


@pytest.mark.parametrize(
    ("answer", "sentences"),
    [
        ("This is **very *important* now** ~~or~~ __not__.", ["This is very important now or not."]),
        ("Two * three and 2*3 in snake_case at ~5 km.", ["Two * three and 2*3 in snake_case at ~5 km."]),
        ("# Title #\nText\n## 1. Next\nMore", ["Title", "Text", "1. Next", "More"]),
        ("- one\n- [x] two\n  * three\n", ["one", "two", "three"]),
        ("1. Open it.\n2) Close it", ["1. Open it.", "2) Close it"]),
        ("> quoted *text*\n> goes on", ["quoted text goes on"]),
        ("See [the docs](https://x.org/a_(b) 'T') now.", ["See the docs now."]),
        ("See [docs][1] and ![a cat](c.png).", ["See docs and a cat."]),
        ("Go to https://www.example.com/a.b?c=d. Then stop.", ["Go to example.com.", "Then stop."]),
        ("Go to <https://example.com/x> now", ["Go to example.com now"]),
        ("Run `ls -l **` now", ["Run ls -l ** now"]),
        ("Before:\n```py\nx = 1. Y\n```\nAfter.", ["Before:", "After."]),
        ("Before\n~~~\n```\n~~~\nAfter.", ["Before", "After."]),
        ("Before\n````\n```\ncode. Not said\n````\nAfter", ["Before", "After"]),
        ("Before\n```py\nnever closed. Not said", ["Before"]),
        ("| Name | Age |\n|---|:-:|\n| Bob | 3 |\n\nEnd.", ["Name, Age", "Bob, 3", "End."]),
        ("A <b>bold</b> word<br>and &amp; more<!-- not. This -->.", ["A bold word", "and & more."]),
        ("1 < 2 and a<b", ["1 < 2 and a<b"]),
        ("Good 🎉 day 👩‍👩‍👧! 🎉 Bye 1️⃣", ["Good day !", "Bye 1"]),  # an emoji joined of three
        ("It is $E = mc^2$ or $5 and $10.", ["It is E = mc 2 or $5 and $10."]),
        (r"So \(x_1\) and \(\frac{a}{b}\) \[ a. B \] end.", ["So x 1 and end."]),
        ("One$$ a. B $$two", ["Onetwo"]),
        (
            "A fact[^1], known[2].\n\n[^1]: A source. Not said.\n[a]: https://x.org\nEnd",
            ["A fact, known.", "End"],
        ),
        ("A\n\n---\n\nB\n===\n", ["A", "B"]),
        (r"\*no list\* \# C", ["*no list* # C"]),
        ("A → B", ["A, B"]),
        ("!!! ... 🎉\n\n---\n", []),
        ("", []),
    ],
)
def test_of_markdown_only_what_it_shows_is_said(answer: str, sentences: list[str]) -> None:
    assert said(answer) == sentences


def test_the_first_piece_ends_at_a_clause_and_no_other_one_does() -> None:
    clause = "Of course, as you asked for it,"
    answer = f"{clause} here is one of them, and here is another one. After that, as ever, the rest."
    first, *_, last = said(answer)
    assert first == clause
    assert len(first) >= FIRST_CLAUSE_CHARS
    assert last == "After that, as ever, the rest."
    assert said("I think that it would be best if you stayed at home and waited for the rain to stop.")[
        0
    ] == ("I think that it would be best if you stayed at home")


def test_the_first_piece_comes_as_soon_as_the_next_word_begins() -> None:
    sentences = Sentences()
    assert sentences.feed("Hello there. ") == []
    assert [piece.text for piece in sentences.feed("I")] == ["Hello there."]
    assert [piece.text for piece in sentences.feed(" am.\n")] == ["I am."]


def test_a_long_sentence_is_cut_at_a_clause_or_else_between_words() -> None:
    clauses = said("So. " + "the rain in Spain stays mainly in the plain, " * 9)[1:]
    assert all(clause.endswith("plain,") for clause in clauses)
    words = said("So. " + "word " * 90)[1:]
    assert {word for piece in words for word in piece.split()} == {"word"}
    assert said("x" * 450) == ["x" * 200, "x" * 200, "x" * 50]
    assert all(len(piece) <= LONGEST_CHARS for piece in [*clauses, *words])


def test_a_long_sentence_without_commas_is_cut_before_a_conjunction() -> None:
    half = "We walked along the river for a long time under the tall old trees of the park"
    answer = f"So. {half} {half[:60]} because {half}"
    assert said(answer)[2] == f"because {half}"


@given(
    st.lists(st.sampled_from(["a", "word", "and", "longer,", "because", "w" * 40]), min_size=1, max_size=150)
)
def test_no_word_is_cut_that_fits_a_piece(words: list[str]) -> None:
    assert " ".join(said(" ".join(words))).split() == words


_PARTS = """
    Hello word . , ! ? ** * _ ` `` ``` ~~~ 3. 14 Dr. # - 1. > | --- === [ ]( ] ) ( ![ $ $$ \\( \\) \\[ \\] \\
    https:// www. a.org/b <b> <!-- --> < > &amp; & 🎉 👩‍👧 é « » … e.g. and [^1] ]: h ttp
"""
_SPACES = [" ", "\n", "\n\n", "\r\n", "\t", "\u00a0"]
_MARKDOWN = st.lists(
    st.sampled_from([*_PARTS.split(), *_SPACES, *_SPACES, ". ", ", ", "w" * 90, "x" * 210]), max_size=60
).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(_MARKDOWN, st.text()), st.lists(st.integers(1, 9), min_size=1))
def test_pieces_do_not_depend_on_the_deltas_and_cover_the_answer_in_order(
    answer: str, sizes: list[int]
) -> None:
    sentences, pieces, at = Sentences(), list[Piece](), 0
    while at < len(answer):
        size = sizes[at % len(sizes)]
        pieces += sentences.feed(answer[at : at + size])
        at += size
    pieces += sentences.finish()
    assert pieces == pieces_of(answer, len(answer) + 1)
    assert [piece.start for piece in pieces] == [0, *(piece.end for piece in pieces)][: len(pieces)]
    for piece in pieces:
        assert re.search(r"[^\W_]", piece.text)
        assert piece.text == piece.text.strip()
        assert len(piece.text) <= LONGEST_CHARS
        chars, sources = zip(*piece.marks, strict=True)
        assert list(chars) == sorted(set(chars))
        assert chars[-1] == len(piece.text)
        assert list(sources) == sorted(sources)
        assert piece.start <= sources[0]  # equal where the name of one address is cut in two
        assert sources[-1] <= piece.end <= len(answer)


def test_a_mark_is_where_its_word_ends_in_the_answer() -> None:
    answer = "Some **bold** [link text](http://x.org), `code` ! End"
    piece = pieces_of(answer)[0]
    assert [(piece.text[:chars], answer[:source]) for chars, source in piece.marks] == [
        ("Some", "Some"),
        ("Some bold", "Some **bold**"),
        ("Some bold link", "Some **bold** [link"),
        ("Some bold link text,", "Some **bold** [link text](http://x.org),"),
        ("Some bold link text, code !", "Some **bold** [link text](http://x.org), `code` !"),
    ]


@pytest.mark.parametrize(
    "part",
    [
        "`",
        "(",
        "[",
        "*",
        " ",
        "\n",
        "- ",
        "](a",
        "<a ",
        "$a",
        "\\(a",
        "www.a",
        ". ",
        "&a",
        "```\n",
        "<!--",
        "a.,",
    ],
)
def test_what_is_waited_for_is_bounded(part: str) -> None:
    # each delta costs at most what is unread, so the work is linear in the answer
    sentences = Sentences()
    for _ in range(6_000 // len(part)):
        sentences.feed(part)
        assert len(sentences._markdown._raw) < 1_500  # pyright: ignore[reportPrivateUsage]  # its cost
        assert len(sentences._draft._chars) <= LONGEST_CHARS + 1  # pyright: ignore[reportPrivateUsage]  # too
