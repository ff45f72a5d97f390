"""What the slots of a rule hold, in the one word for it: names, phrases, dates. Pure."""
# ruff: noqa: E501 - lists of words inside patterns

import re

from jarvis.core.facts.topics import TOPIC
from jarvis.core.facts.vocabulary import DATE, JOB
from jarvis.core.languages import word_set

_EMPTY_TOPICS = word_set("""
    it that this them you him her me us one both everything nothing something anything so to how when
    what your these those other another same second first latter last every each more most less fewer itself themselves myself where why who whether if being ca cela ceci celui celle toi te lui elle eux tout rien y en bien beaucoup trop ce cette tes ton ta vos
    votre quand comment quelqu being
""")
_ARTICLE = re.compile(
    r"(?:(?:a|an|the|my|our|some|any|all|eating|drinking|playing|to (?:play|eat|drink)|really|very|un|une|le|la|les|l|du|de la|de l|des|de|d|mon|ma|mes|"
    r"notre|faire|jouer|manger|boire|on|at|in|au|a la|pour|is|being) )+"
)
_VALUE_END = re.compile(
    r" (?:because|since|so|but|which|who|that|now|any ?more|these days|at the moment|lately|nowadays|lol|haha|btw|by the way|thanks|"
    r"though|when|even|too much|so much|very much|a lot|too|as well|you know|i think|again|all the time|instead|for (?:\w+ ){1,3}?(?:years?|months?|weeks?|now)|with my|for (?:me|breakfast|lunch|dinner)|"
    r"car|parce|depuis|mais|qui|que|qu|maintenant|desormais|merci|mdr|ptdr|en ce moment|quand|surtout|aussi|tu sais|finalement|je crois|"
    r"a la place|ces temps|du tout|plus que tout|at all|more than anything|every|tous les|chaque|until|from|jusqu|i|je|j|we|you|they|he|she|il|elle|ils|vous|as|while|if|si|comme|lors|pendant|during|these|pls|please|stp|svp|ok|haha|yet|anymore|in case|afin|whenever|or so|and so|tbh|imo|par contre|ces derniers|a la folie|a fond|de ouf|with a passion|de tout mon coeur|depuis toujours)\b.*"
)
_NAME = re.compile(r"[^\s,]+(?:(?: (?:de|la|le|du|des|sur|van|von|the|upon|en))* [A-Z][^\s,]*)*")
TWO_WORD_STARTS = word_set("""
    new san santa los las la le les saint st sainte rio cape hong tel buenos el porto mr mrs ms miss dr m mme mlle monsieur madame docteur doctor professor the
""")  # fmt: skip
NOT_NAMES = word_set("""
    monday tuesday wednesday thursday friday saturday sunday lundi mardi mercredi jeudi vendredi samedi dimanche today tomorrow demain
    a an the my i and is so not very doing going getting having being ill sick fine ok great dead old
    cute sleeping really here there back sorry sure able about only almost always never from just no yes still also well now in on at to for with your you he she we they what who both all same this that these those home work bed school church town holiday vacation business hospital it its his her their my our one two three me him them us because and or but if then than too again un une le mon je et est tres pas plus malade mort moi toi lui elle nous vous eux ca ce cette ici la-bas mes ma tes ses leur notre votre son ta sa nos si au aux dans chez pour par mais ou donc plutot bien tout rien fond cause moment travail maison ecole mignon en de du des la les
""")
_ORDINAL = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th|er|eme|e)\b")
_IN_DATES = word_set("""
    on the of at in le la du au a ce this next prochain prochaine
""")


# Of these one says that one likes them to be kind, or to choose.
_SMALL_TOPICS = word_set("""
    way idea ideas fact style joke jokes answer answers look sound part bit ones concept plan suggestion suggestions question questions
    vibe energy response thought moment option choice version result advice tone attitude feeling word words
    idee idees facon maniere reponse reponses blague blagues suite debut fin deuxieme premiere premier seconde troisieme principe
    humour ton proposition propositions nom phrase conseil conseils attitude mot mots resultat choix
""")


def name_at(cased: str, start: int) -> str:
    """A name goes on while words have capitals; written without any, it is one word, or two after `new`, `saint`."""
    found = _NAME.match(cased, start)
    name = found[0] if found else ""
    if " " not in name and name.lower() in TWO_WORD_STARTS:
        name = " ".join(cased[start:].replace(",", " ").split()[:2])
    return name.lower().strip(".")


def meaning_of(phrase: str) -> str:
    """Return `phrase` without articles and asides, in English where the vocabulary has it; empty where it means nothing."""
    words = _VALUE_END.sub("", phrase).strip()
    words = _ARTICLE.sub("", words, count=1) if _ARTICLE.match(words) else words
    opening = words.partition(" ")[0]
    if opening in _EMPTY_TOPICS or opening in _SMALL_TOPICS:
        return ""
    if known := TOPIC.get(words) or JOB.get(words):
        return known
    dated = [DATE.get(word, word) for word in _ORDINAL.sub(r"\1", words).split()]
    if dated and any(word in _DATES for word in dated):
        return " ".join(sorted(word for word in dated if word not in _IN_DATES))
    return " ".join(words.split()[:5])


_DATES = frozenset(DATE.values())
