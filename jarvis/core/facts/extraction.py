"""Reads clauses by the rule tables and says which fact replaces which. Pure; keeps nothing."""
# ruff: noqa: E501 - lists of words inside patterns

import re
from functools import cache

import msgspec

from jarvis.core.facts.answers import wish_in
from jarvis.core.facts.clauses import Clause, clauses_of
from jarvis.core.facts.english import ENGLISH
from jarvis.core.facts.french import FRENCH
from jarvis.core.facts.rules import CompiledRule, FactKind, compiled
from jarvis.core.facts.vocabulary import DATE, EVENT, JOB, KIN, PET, THING, TOPIC
from jarvis.core.languages import word_set


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What one clause says: `content` in the user's words, `attribute` what it is about in either language, or None.

    `corrects`: said as a correction ("actually, ..."), so it replaces another value even where several may stand.
    """

    content: str
    kind: FactKind
    attribute: str | None
    value: str
    importance: float
    corrects: bool = False


# Of these a person may have several, so that a second one takes nothing away. A pet or a spouse is taken for the only
# one of its kind: who has two cats loses at most the validity of a name that `as_of` still finds.
_SEVERAL = re.compile(
    r"self\.(?:allergy|language|learning|hobby)|answer\.emoji_none"
    r"|person\.(?:sister|brother|son|daughter|child|friend|cousin|aunt|uncle|niece|nephew|colleague|neighbour|roommate"
    r"|grandmother|grandfather|teacher|doctor|sister-in-law|brother-in-law|godmother|godfather)\.(?!count)"
    r"|pet\.(?:goldfish|hen|bird)\.|event\.(?:exam|interview|flight|train|appointment|concert)\."
)
# One clause may list several of these: "I like tea and olives".
_LISTED = re.compile(r"preference\.\{phrase\}|self\.(?:allergy|language)$")
_MOST_FACTS = 64  # of one message; each is compared with those before it
_LONGEST_CLAUSE = 300  # of characters; what is longer is not how people state a fact
_EMPTY_TOPICS = word_set("""
    it that this them you him her me us one both everything nothing something anything so to how when
    what your ca cela toi te lui elle eux tout rien y en bien beaucoup trop ce cette tes ton ta vos
    votre quand comment quelqu being
""")
_ARTICLE = re.compile(
    r"(?:(?:a|an|the|my|our|some|any|all|eating|drinking|playing|to (?:play|eat|drink)|really|very|un|une|le|la|les|l|du|de la|de l|des|de|d|mon|ma|mes|"
    r"notre|faire|jouer|manger|boire|on|at|in|au|a la|pour|is|being) )+"
)
_VALUE_END = re.compile(
    r" (?:because|since|so|but|which|who|that|now|any ?more|these days|at the moment|lately|nowadays|lol|haha|btw|by the way|thanks|"
    r"though|when|even|too much|so much|very much|a lot|too|as well|you know|i think|again|all the time|instead|with my|for (?:me|breakfast|lunch|dinner)|"
    r"car|parce|depuis|mais|qui|que|qu|maintenant|desormais|merci|mdr|ptdr|en ce moment|quand|surtout|aussi|tu sais|finalement|je crois|"
    r"a la place|ces temps|du tout|plus que tout|at all|more than anything|every|tous les|chaque|until|from|jusqu)\b.*"
)
_NAME = re.compile(r"[^\s,]+(?:(?: (?:de|la|le|du|des|sur|van|von|the|upon|en))* [A-Z][^\s,]*)*")
_TWO_WORD_STARTS = word_set("""
    new san santa los las la le les saint st sainte rio cape hong tel buenos el porto mr mrs dr
""")  # fmt: skip
_NOT_NAMES = word_set("""
    a an the my i and is so not very doing going getting having being ill sick fine ok great dead old
    cute sleeping really un une le mon je et est tres pas malade mort mignon en de du des la les
""")
_ORDINAL = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th|er|eme|e)\b")
_IN_DATES = word_set("""
    on the of at in le la du au a ce this next prochain prochaine
""")
_ANAPHORA = re.compile(
    r"(?:it|he|she|that|il|elle|c|ca) (?:(?:is|s|now|est|maintenant|desormais) )*(?:called|named|s appelle|se nomme|appelle|not \w+ but)?"
    r" ?(?:now |maintenant )?(?P<name>[^\W\d_][^\s,]*)(?: now| maintenant)?$"
)
_BARE_KIN = re.compile(
    r"(?:mum|mom|mummy|dad|daddy|grandma|grandpa|granny|maman|papa|mamie|papi|papy|tonton)\b"
)
_MEANINGS = {"kin": KIN, "pet": PET, "thing": THING, "event": EVENT, "job": JOB}


@cache
def _rules() -> dict[str, list[CompiledRule]]:
    """Compiled at the first message, not at import: it takes 0.1 s."""
    return compiled((*ENGLISH, *FRENCH))


def facts_in(text: str) -> list[Fact]:
    """Return what the user states about themselves and theirs, in order; of what they take back, only the correction."""
    facts: list[Fact] = []
    for clause in clauses_of(text):
        if clause.is_question or len(clause.words) > _LONGEST_CLAUSE:
            continue
        for fact in _facts_of(clause) or _correction_of(clause, facts):
            if len(facts) >= _MOST_FACTS:
                return facts
            facts = [earlier for earlier in facts if not contradicts(earlier, fact)]
            facts.append(fact)
    return facts


def contradicts(old: Fact, new: Fact) -> bool:
    """Whether both cannot be true at once, `new` said later: the same attribute of which there is one, another value."""
    if old.attribute is None or old.attribute != new.attribute or old.value == new.value:
        return False
    if new.value.startswith("not "):
        return old.value == new.value.removeprefix("not ")
    if old.value.startswith("not "):
        return new.value == old.value.removeprefix("not ")
    return new.corrects or not _SEVERAL.match(old.attribute)


def _facts_of(clause: Clause) -> list[Fact]:
    if wish := wish_in(clause.words):
        return [
            Fact(
                content=clause.said,
                kind="preference",
                attribute=wish.attribute,
                value=wish.value,
                importance=0.8,
            )
        ]
    if _BARE_KIN.match(clause.words):
        clause = clause._replace(words=f"my {clause.words}", cased=f"my {clause.cased}")
        clause = (
            clause
            if _facts_by_rule(clause)
            else clause._replace(words=f"ma {clause.words[3:]}", cased=f"ma {clause.cased[3:]}")
        )
    return _facts_by_rule(clause)


def _facts_by_rule(clause: Clause) -> list[Fact]:
    for compiled_rule in _rules().get(clause.words.partition(" ")[0], ()):
        found = compiled_rule.pattern.match(clause.words)
        if found and (facts := _read(clause, compiled_rule, found)):
            return facts
    return []


def _read(clause: Clause, compiled_rule: CompiledRule, found: re.Match[str]) -> list[Fact]:
    rule = compiled_rule.rule
    slots = _slots(clause, found)
    if slots is None or (rule.capital and not clause.cased[found.start("name")].isupper()):
        return []
    listed = bool(_LISTED.match(rule.attribute)) and "phrase" in slots
    phrases = re.split(r" (?:and|et|or|ou|nor|ni) ", slots["phrase"]) if listed else [slots.get("phrase", "")]
    facts: list[Fact] = []
    for phrase in phrases:
        values = slots | {"phrase": _meaning(phrase)}
        if "phrase" in slots and not values["phrase"]:
            continue
        if listed and " " not in values["phrase"] and values["phrase"] not in TOPIC.values():
            values["phrase"] = values["phrase"].removesuffix("s")
        values |= {"this": _meaning(slots.get("this", "")), "that": _meaning(slots.get("that", ""))}
        values["what"] = _meaning(slots.get("what", ""))
        attribute = rule.attribute.format_map(values)
        if "_or_" in attribute:
            attribute = "preference." + "_or_".join(sorted((values["this"], values["that"])))
        facts.append(
            Fact(
                content=clause.said,
                kind=rule.kind,
                attribute=attribute.replace(" ", "_"),
                value=rule.value.format_map(values),
                importance=rule.importance,
                corrects=clause.is_correction or rule.corrects,
            )
        )
    return facts


def _slots(clause: Clause, found: re.Match[str]) -> dict[str, str] | None:
    """Return what the slots hold, each in the one word for it; None where a name is none."""
    slots = {name: value for name, value in found.groupdict().items() if value}
    for name, meaning in _MEANINGS.items():
        if name in slots:
            slots[name] = meaning[slots[name]]
    for name in ("diet", "status"):
        if name in slots:
            slots[name] = TOPIC.get(slots[name], TOPIC.get(slots[name].rstrip("e"), slots[name]))
    if "name" in slots:
        if slots["name"] in _NOT_NAMES:
            return None
        slots["name"] = _name_at(clause.cased, found.start("name"))
    if "thing" in slots:
        slots["thing_phrase"] = found[0][found[0].rfind(" a") + 1 :].removeprefix("a ").removeprefix("an ")
    return slots


def _name_at(cased: str, start: int) -> str:
    """A name goes on while words have capitals; written without any, it is one word, or two after `new`, `saint`."""
    found = _NAME.match(cased, start)
    name = found[0] if found else ""
    if " " not in name and name.lower() in _TWO_WORD_STARTS:
        name = " ".join(cased[start:].replace(",", " ").split()[:2])
    return name.lower().strip(".")


def _meaning(phrase: str) -> str:
    """Return `phrase` without articles and asides, in English where the vocabulary has it; empty where it means nothing."""
    words = _VALUE_END.sub("", phrase).strip()
    words = _ARTICLE.sub("", words, count=1) if _ARTICLE.match(words) else words
    if words.partition(" ")[0] in _EMPTY_TOPICS:
        return ""
    if known := TOPIC.get(words) or JOB.get(words):
        return known
    dated = [DATE.get(word, word) for word in _ORDINAL.sub(r"\1", words).split()]
    if dated and any(word in _DATES for word in dated):
        return " ".join(sorted(word for word in dated if word not in _IN_DATES))
    return " ".join(words.split()[:5])


_DATES = frozenset(DATE.values())


def _correction_of(clause: Clause, facts: list[Fact]) -> list[Fact]:
    """Read "actually, it's called Pastis" by the last name given in the same message."""
    if not (clause.is_correction and facts and (found := _ANAPHORA.match(clause.words))):
        return []
    last = facts[-1]
    if not last.attribute or not last.attribute.endswith((".name", ".city")) or found["name"] in _NOT_NAMES:
        return []
    value = _name_at(clause.cased, found.start("name"))
    return [msgspec.structs.replace(last, content=clause.said, value=value, corrects=True)]
