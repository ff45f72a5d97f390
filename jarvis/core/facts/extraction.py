"""Reads clauses by the rule tables and says which fact replaces which. Pure; keeps nothing."""
# ruff: noqa: E501 - lists of words inside patterns

import re
from functools import cache

import msgspec

from jarvis.core.facts.answers import wish_in
from jarvis.core.facts.clauses import Clause, clauses_of
from jarvis.core.facts.english import ENGLISH
from jarvis.core.facts.french import FRENCH
from jarvis.core.facts.rules import FactKind, Rule, RuleBook, pattern_of
from jarvis.core.facts.topics import TOPIC
from jarvis.core.facts.traits import NATIONALITY, TRAIT
from jarvis.core.facts.values import NOT_NAMES, TWO_WORD_STARTS, meaning_of, name_at
from jarvis.core.facts.vocabulary import DATE, EVENT, JOB, KIN, PET, THING


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
    r"self\.(?:allergy|language|learning|hobby|condition|medication|tool|programming_language|training|business|nationality|habit\.\w+)|answer\.emoji_none"
    r"|person\.(?:sister|brother|son|daughter|child|twins|grandson|granddaughter|friend|cousin|aunt|uncle|niece|nephew|colleague|neighbour|roommate"
    r"|grandmother|grandfather|teacher|doctor|sister-in-law|brother-in-law|godmother|godfather)\.(?!count)"
    r"|pet\.(?:goldfish|hen|bird)\.|event\.(?:exam|interview|flight|train|appointment|concert)\."
)
# One clause may list several of these: "I like tea and olives".
_LISTED = re.compile(r"preference\.\{phrase\}|self\.(?:allergy|language)$")
_MOST_FACTS = 64  # of one message; each is compared with those before it
_LONGEST_CLAUSE = 300  # of characters; what is longer is not how people state a fact
# After "I got a dog": "his name is Bruno".
_THEIR_NAME = re.compile(
    r"(?:(?:his|her|its|their) names? (?:is|are)|(?:he|she|it|they) (?:is|are) (?:called|named)|(?:i|je) (?:called|named) (?:him|her|it|them)|"
    r"(?:il|elle|ils|elles) (?:s appellent|s appelle|se nomme|se prenomme)|son (?:petit )?(?:nom|prenom) (?:est|c est)|je l ai (?:appelee?|nommee?|baptisee?)) (?P<name>[^\W\d_][^\s,]*)"
)
# "A nurse at Guy's": where one works, said with what one is.
_WORKPLACE = re.compile(
    r"(?:i am|i work as|je suis|je travaille) .+ (?:at|chez) (?:la |le |l )?(?P<name>[^\W\d_][^\s,]*)"
)
_ANAPHORA = re.compile(
    r"(?:it|he|she|that|il|elle|c|ca) (?:(?:is|s|now|est|maintenant|desormais) )*(?:called|named|s appelle|se nomme|appelle|not \w+ but)?"
    r" ?(?:now |maintenant )?(?P<name>[^\W\d_][^\s,]*)(?: now| maintenant)?$"
)
_BARE_KIN = re.compile(
    r"(?:mum|mom|mummy|dad|daddy|grandma|grandpa|granny|maman|papa|mamie|papi|papy|tonton)\b"
)
_MEANINGS = {
    "kin": KIN, "pet": PET, "thing": THING, "event": EVENT, "job": JOB, "nationality": NATIONALITY, "trait": TRAIT,
}  # fmt: skip
# "Moved again, this time to Bremen", "no longer at Airbus, I am at Thales": the second says what the first left open.
_CONTINUED = re.compile(
    r"(?:(?:i|je) (?:am|suis|live|work|vis|travaille) |(?:it|he|she|its name) is |c est |(?:il|elle) (?:est|s appelle) |this time |cette fois |i (?:live|work|am living|am working) )?"
    r"(?:(?:to|in|at|with|for|near|a la|a l|au|aux|a|en|chez) )?(?:called |named )?(?P<name>[^\W\d_][^\s,]*)"
)
_OPEN_ENDED = re.compile(
    r"(?:self\.(?:home\.city|employer|phone|car|laptop|computer|bank)|(?:person|pet)\.[\w-]+\.name|preference\.favourite\.\w+)$"
)
# "A present for my boyfriend Luis": who somebody is, said in passing.
_IN_PASSING = re.compile(
    r"\b(?:my|our|mon|ma|notre) (?:(?:little|big|older|younger|eldest|youngest|twin|new|old|lovely|dear|petit|petite|grand|grande|nouveau|nouvelle) )*"
    r"(?P<who>[a-z][a-z-]*(?: [a-z]+)?),? (?P<name>[A-Z][\w'-]+)"
)


@cache
def _rules() -> RuleBook:
    return RuleBook((*ENGLISH, *FRENCH))


def facts_in(text: str) -> list[Fact]:
    """Return what the user states about themselves and theirs, in order; of what they take back, only the correction."""
    facts: list[Fact] = []
    for clause in clauses_of(text):
        if len(clause.words) > _LONGEST_CLAUSE:
            continue
        stated = [] if clause.is_question else _facts_of(clause) or _correction_of(clause, facts)
        for fact in stated or _in_passing(clause):
            if len(facts) >= _MOST_FACTS:
                return facts
            facts = [earlier for earlier in facts if not contradicts(earlier, fact)]
            facts.append(_told_apart(fact, facts))
    return facts


def _told_apart(fact: Fact, earlier: list[Fact]) -> Fact:
    """Return `fact` with a content of its own: of memories of one kind that read alike, only one is kept."""
    if all((other.kind, other.content) != (fact.kind, fact.content) for other in earlier):
        return fact
    about = fact.attribute.rpartition(".")[2] if fact.kind == "preference" and fact.attribute else fact.value
    return msgspec.structs.replace(fact, content=f"{fact.content} ({about.replace('_', ' ')})")


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
                attribute="self.name"
                if wish.attribute == "answer.name" and clause.is_correction
                else wish.attribute,
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
    for rule in _rules().opening(clause.words.partition(" ")[0]):
        found = pattern_of(rule).match(clause.words)
        if found and (facts := _read(clause, rule, found)):
            return [*facts, *_workplace_of(clause, rule)]
    return []


def _workplace_of(clause: Clause, rule: Rule) -> list[Fact]:
    found = _WORKPLACE.match(clause.words) if rule.attribute == "self.job" else None
    if not found or found["name"] in NOT_NAMES or not clause.cased[found.start("name")].isupper():
        return []
    name = name_at(clause.cased, found.start("name"))
    return [Fact(content=clause.said, kind="fact", attribute="self.employer", value=name, importance=0.7)]


def _read(clause: Clause, rule: Rule, found: re.Match[str]) -> list[Fact]:
    slots = _slots(clause, found)
    if slots is None or (rule.capital and not clause.cased[found.start("name")].isupper()):
        return []
    listed = bool(_LISTED.match(rule.attribute)) and "phrase" in slots
    phrases = re.split(r" (?:and|et|or|ou|nor|ni) ", slots["phrase"]) if listed else [slots.get("phrase", "")]
    facts: list[Fact] = []
    for phrase in phrases:
        values = slots | {"phrase": meaning_of(phrase)}
        if "phrase" in slots and not values["phrase"]:
            continue
        if listed and " " not in values["phrase"] and values["phrase"] not in TOPIC.values():
            values["phrase"] = values["phrase"].removesuffix("s")
        values |= {"this": meaning_of(slots.get("this", "")), "that": meaning_of(slots.get("that", ""))}
        values["what"] = meaning_of(slots.get("what", ""))
        attribute = rule.attribute.format_map(values)
        if attribute == "answer.name" and clause.is_correction:
            attribute = "self.name"  # "sorry, call me Kat": what was taken for the name is not to be used
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
            slots[name] = meaning.get(slots[name], slots[name])
    for name in ("diet", "status"):
        if name in slots:
            slots[name] = TOPIC.get(slots[name], TOPIC.get(slots[name].rstrip("e"), slots[name]))
    if "name" in slots:
        written = clause.cased[found.start("name")]
        if slots["name"] in NOT_NAMES and not (written.isupper() and slots["name"] in TWO_WORD_STARTS):
            return None
        slots["name"] = name_at(clause.cased, found.start("name"))
    if "thing" in slots:
        slots["thing_phrase"] = found[0][found[0].rfind(" a") + 1 :].removeprefix("a ").removeprefix("an ")
    return slots


def _correction_of(clause: Clause, facts: list[Fact]) -> list[Fact]:
    """Read "actually, it's called Pastis" by the last name given in the same message."""
    if not facts:
        return []
    last = facts[-1]
    about, _, what = (last.attribute or "").rpartition(".")
    if what == "count" and (named := _THEIR_NAME.match(clause.words)) and named["name"] not in NOT_NAMES:
        value = name_at(clause.cased, named.start("name"))
        return [msgspec.structs.replace(last, content=clause.said, attribute=f"{about}.name", value=value)]
    if _is_open(last):
        return _continuation_of(clause, last)
    if not (clause.is_correction and (found := _ANAPHORA.match(clause.words))):
        return []
    if not last.attribute or not last.attribute.endswith((".name", ".city")) or found["name"] in NOT_NAMES:
        return []
    value = name_at(clause.cased, found.start("name"))
    return [msgspec.structs.replace(last, content=clause.said, value=value, corrects=True)]


def _in_passing(clause: Clause) -> list[Fact]:
    """Read who is named with a possessive, in whatever the clause says or asks."""
    facts: list[Fact] = []
    for found in _IN_PASSING.finditer(clause.cased):
        who, name = found["who"].removesuffix(" s"), found["name"].lower()
        kind, word = next(
            ((kind, table[who]) for kind, table in (("person", KIN), ("pet", PET)) if who in table), ("", "")
        )
        if word and name not in NOT_NAMES and name not in DATE:
            facts.append(
                Fact(
                    content=found[0],
                    kind="fact",
                    attribute=f"{kind}.{word.replace(' ', '_')}.name",
                    value=name,
                    importance=0.6,
                )
            )
    return facts[:3]


def _is_open(fact: Fact) -> bool:
    """Whether a fact says only what is no longer so."""
    return bool(fact.attribute and _OPEN_ENDED.match(fact.attribute)) and (
        fact.value == "changed" or fact.value.startswith("not ")
    )


def _continuation_of(clause: Clause, last: Fact) -> list[Fact]:
    found = _CONTINUED.match(clause.words)
    if not found:
        return []
    if last.attribute and last.attribute.startswith(("self.phone", "self.car", "preference.", "self.laptop")):
        value = meaning_of(clause.words[found.start("name") :])
        same = [msgspec.structs.replace(last, content=clause.said, value=value, corrects=True)]
        return same if value else []
    if found["name"] in NOT_NAMES:
        return []
    if not (clause.cased[found.start("name")].isupper() or found.end("name") == len(clause.words)):
        return []
    value = name_at(clause.cased, found.start("name"))
    return [msgspec.structs.replace(last, content=clause.said, value=value, corrects=True)]
