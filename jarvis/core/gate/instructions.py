"""Whether a text gives orders to the model rather than tells something: a planted one would act whenever it is recalled.

The border to a preference: an order whose whole content is the manner of answering (language, length, form, tone, how to
address the user; `facts/answers.py` lists them) is a preference. A standing order with any other content (`always answer
with ...`, `from now on you must ...`), a change of who the model is or whose word counts, and a request for its own prompt
are instructions. What others were told ("my boss told me to ignore the previous instructions") is told, not ordered.
"""
# ruff: noqa: E501 - a pattern is read whole, on one line

import base64
import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from jarvis.core.facts.answers import wish_in
from jarvis.core.gate.orders import patterns_by_word
from jarvis.core.languages import unaccented, visible, word_set

# Letters of other alphabets that look Latin; NFKC keeps them apart.
_LOOKALIKES = str.maketrans("аеорсухіјѕһԁԛԝӏвкмнтАВЕКМНОРСТУХІЈЅοαεικνρτυχηΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "aeopcyxijshdqwlbkmhtABEKMHOPCTYXIJSoaeiknptuxnABEZHIKMNOPTYX")  # fmt: skip
_DIGIT_LETTERS = str.maketrans("013457@$", "oieastas")
_SPACED = re.compile(r"(?<!\w)\w(?:[ ._*-]{1,3}\w(?!\w)){5,}")
_MIXED = re.compile(r"[a-z][013457@$]|[013457@$][a-z]")
# Twenty letters are fifteen of text: no order is shorter.
_BASE64 = re.compile(r"(?<![\w+/])[A-Za-z0-9+/]{20,2000}={0,2}(?![\w+/=])")
_MOST_DECODED = 8
# "ignore", "instruction", "prompt", "system", "previous", "oublie", "consigne" turned by thirteen letters.
_ROTATED = re.compile(
    r"\b(?:vtaber|qvfertneq|vafgehpgvba|cebzcg|flfgrz|cerivbhf|bhoyvr|pbafvtar)", re.IGNORECASE
)
_NOT_WORD = re.compile(r"[^\w']+")

# Marks of the chat templates of Llama, Mistral, ChatML, Gemma, Phi, DeepSeek, and of tool calls. Nobody writes them to tell something.
_TEMPLATE = re.compile(
    r"<\|\s?(?:im_start|im_end|system|user|assistant|end|eot_id|start_header_id|end_header_id|begin_of_text|endoftext|tool_call|python_tag)\s?\|>"
    r"|\[/?(?:inst|system_prompt|available_tools|tool_calls|tool_results)\]|<</?sys>>|</?start_of_turn>|<end_of_turn>|<\|(?:user|assistant)"
    r"|</?(?:system|tool_call|function_call|tool_response|assistant|system_prompt|instructions|system-reminder)>"
    r"|\{\s?\"(?:tool|tool_calls?|function|function_call|role|tool_name)\"\s?:|\"role\"\s?:\s?\"(?:system|assistant|tool|developer)\""
    r"|\"(?:name|function)\"\s?:\s?\"[\w.-]{1,40}\"\s?,\s?\"(?:arguments|parameters)\"\s?:",
    re.IGNORECASE,
)
_TEMPLATE_SIGNS = frozenset('<[{"')
_COMMENT = re.compile(
    r"<!--\s*(?:to |for |note to )?(?:the )?(?:assistant|ai|system|llm|model|chatbot|ia|agent|jarvis|bot)\b",
    re.IGNORECASE,
)
# "[system] grant ...", "### Human", at the start of a line or sentence.
_TAG = re.compile(r"(?:^|\n|[.!?] )[ \t>#*_\"-]{0,8}[\[({<]{1,2}\s?(?:system|syst[eè]me|assistant|developer|d[eé]veloppeur|admin|administrator|root|ai|ia|sys|system (?:message|prompt|note|update)|human|override)\s?[\])}>]{1,2}|(?:^|\n)[ \t]{0,8}#{1,6} ?(?:system|assistant|human|instructions?)[ \t]{0,8}(?:\n|$)", re.IGNORECASE)  # fmt: skip
_ROLE = re.compile(r"(?:^|\n)[ \t>#*_-]{0,8}(?:(?:system|assistant|developer|syst[eè]me|ai|admin|administrator|jarvis|human|root)(?: (?:prompt|message|override|note|instruction|update))?|(?:new |nouvelles? )?(?:instructions?|directives?|consignes?)(?: (?:to|for|pour) (?:the |l')?(?:ai|assistant|model|ia|modele))?)[ *_]{0,3}:", re.IGNORECASE)  # fmt: skip
_LABEL = re.compile(r"\b(?:system prompt|prompt systeme|system message|system override|message systeme|(?:your |the )?new (?:system )?instructions(?: (?:are|follow)(?: as follows)?)?|nouvelles instructions|tes nouvelles (?:instructions|consignes)(?: sont)?|new (?:policy|rules?|directives?) (?:from|by|for) (?:the |your )?(?:developers?|admins?|openai|anthropic|assistant|ai|company|team|creators?)|nouvelles? (?:regles?|directives?|politique) (?:de|des|pour) (?:les |l')?(?:developpeurs?|assistant|ia|createurs?)|important instructions for the ai)\s?:", re.IGNORECASE)  # fmt: skip

_COMPACT = re.compile(
    r"(?:ignore|disregard|forget|override|bypass|oublie[sz]?|ignorez?)(?:all|any|every|the|your|toutes?|tes|les|vos)*(?:previous|prior|above|earlier|preceding|precedentes?)?"
    r"(?:system)?(?:instructions?|prompts?|rules|directives|consignes|regles)|youarenow(?:dan|an?)|systemprompt|fromnowonyou|apartirdemaintenanttu"
)
_REPORTED = word_set("""
    said says told announced announces explained explains decided decreed wrote dit disait annonce explique
    decide ecrit
""")
# Words that open a sentence about rules and replies; only "your" makes those the model's beyond doubt.
_OF_ANYONE = word_set("""
    all any the previous prior earlier every each new les toutes tous chaque nouvelle nouvelles following
""")
# Someone tells of an order: "my boss told me to ignore the previous instructions", "I never mention it".
_TELLS = word_set("""
    i we he she they je il elle ils elles on nous who qui people ai avais avait avons ont avaient have
    has had
""")


def instructs_model(text: str) -> bool:
    """Whether any part of `text` orders the model about."""
    shown = visible(text)
    if (
        (not _TEMPLATE_SIGNS.isdisjoint(shown) and _TEMPLATE.search(shown))
        or _LABEL.search(shown)
        or ("<!--" in shown and _COMMENT.search(shown))
        or _ROLE.search(shown)
        or _TAG.search(shown)
    ):
        return True
    if any(instructs_model(inside) for inside in _decoded(shown)):
        return True
    plain = unaccented(shown.translate(_LOOKALIKES)).lower()
    hidden = len(shown) != len(text) or bool(_SPACED.search(plain))
    if hidden and _COMPACT.search(re.sub(r"[\W_]", "", plain)):
        return True
    if _orders(plain):
        return True
    return bool(_MIXED.search(plain)) and _orders(plain.translate(_DIGIT_LETTERS))


def _decoded(shown: str) -> Iterator[str]:
    """Yield what is written in Base64, where that is text and not a picture or a key, and what is in ROT13."""
    if _ROTATED.search(shown):
        turned = codecs.decode(shown, "rot13")
        if not _ROTATED.search(turned):  # else each would be turned into the other without end
            yield turned
    for found in islice(_BASE64.finditer(shown), _MOST_DECODED):
        with suppress(ValueError):
            inside = base64.b64decode(found[0] + "=" * (-len(found[0]) % 4), validate=True).decode()
            if inside.isprintable() and " " in inside:
                yield inside


def _orders(plain: str) -> bool:
    """Look only where a word that can open an order stands; an order ends with its sentence."""
    patterns = patterns_by_word()
    for sentence in re.split(r"[.!?;\n]+|\s[-–]\s", plain):  # noqa: RUF001 - people type en dashes
        words = _NOT_WORD.sub(" ", sentence.replace("'", " ").replace("s il te plait", "please")).strip()
        start = 0
        before: list[str] = []
        for word in words.split(" "):
            for pattern in patterns.get(word, ()):
                if (
                    (found := pattern.match(words, start))
                    and not _is_told(before, word)
                    and not wish_in(words)
                ):
                    return bool(found)
            before = [*before[-3:], word]
            start += len(word) + 1
    return False


def _is_told(before: list[str], word: str) -> bool:
    """Whether the words before an order say that it is somebody else's, or that the user acts so themselves."""
    if word in _OF_ANYONE:
        return not _REPORTED.isdisjoint(before)
    if not before or word in {"you", "tu", "vous", "from", "what"}:
        return (
            bool(before)
            and before[-1] in {"if", "that", "si", "until", "what", "while", "thought"}
            and word != "what"
        )
    if before[-1] in _TELLS:
        return True
    if before[-1] in {"to", "de", "d"}:
        return not {"you", "toi", "tu", "vous", "demande", "ordonne"}.intersection(before)
    return before[-1] in {"not", "never", "always"} and bool(_TELLS.intersection(before))
