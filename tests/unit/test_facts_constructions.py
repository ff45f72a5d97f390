"""The ways a fact is said: each construction in both languages, and what only looks like it."""

import pytest

from jarvis.core.facts import contradicts, facts_in


def read(text: str) -> list[tuple[str | None, str]]:
    return [(fact.attribute, fact.value) for fact in facts_in(text)]


ENGLISH = {
    "an adverb changes nothing": ("I actually just moved to Oslo", "self.home.city", "oslo"),
    "a tense changes nothing": ("We have been living in Ghent for six years", "self.home.city", "ghent"),
    "a reason before a question": ("Since I'm allergic to nuts, what can I bake?", "self.allergy", "nuts"),
    "a reason after a question": (
        "What can I bake, given that I'm allergic to nuts?",
        "self.allergy",
        "nuts",
    ),
    "a statement in a question": ("I'm diabetic, is this menu ok?", "self.trait.diabetic", "yes"),
    "what one is": ("As a vegan, what should I order?", "self.diet", "vegan"),
    "someone who": ("As someone who lives in Bergen, what should I wear?", "self.home.city", "bergen"),
    "no subject": ("Started at Ubisoft last week", "self.employer", "ubisoft"),
    "a carried subject": ("We packed up and moved to Denver", "self.home.city", "denver"),
    "in passing": ("Any present for my boyfriend Luis?", "person.boyfriend.name", "luis"),
    "an apposition": ("We adopted a greyhound, Turbo", "pet.dog.name", "turbo"),
    "what one does not eat": ("I can't eat gluten", "self.diet.gluten", "no"),
    "a condition": ("I suffer from migraines", "self.condition", "migraines"),
    "a habit": ("I swim every tuesday", "self.habit.swim", "every tuesday"),
    "a thing turned round": ("Tea is my favourite drink", "preference.favourite.drink", "tea"),
    "where one is now": ("I'm in York these days", "self.home.city", "york"),
    "no apostrophe": ("my dogs name is biscuit", "pet.dog.name", "biscuit"),
}
FRENCH = {
    "an adverb changes nothing": ("j'ai finalement déménagé à Oslo", "self.home.city", "oslo"),
    "a person changes nothing": ("nous habitons à Gand depuis six ans", "self.home.city", "gand"),
    "a reason before a question": (
        "comme je suis allergique aux noix, je cuisine quoi ?",
        "self.allergy",
        "nuts",
    ),
    "a statement in a question": ("je suis diabétique, ce menu convient ?", "self.trait.diabetic", "yes"),
    "what one is": ("En tant que végétalien, je trouve où ma B12 ?", "self.diet", "vegan"),
    "no subject": ("allergique au latex, au fait", "self.allergy", "latex"),
    "in passing": ("une idée pour mon mari Hervé ?", "person.husband.name", "herve"),
    "an apposition": ("on a adopté un chien, Pixel", "pet.dog.name", "pixel"),
    "what one does not eat": ("je mange pas de porc", "self.diet.porc", "no"),
    "a condition": ("je souffre d'asthme", "self.condition", "asthme"),
    "a thing turned round": ("le thé est ma boisson préférée", "preference.favourite.drink", "tea"),
    "where one is now": ("je suis à Amiens maintenant", "self.home.city", "amiens"),
    "just done": ("je viens d'emménager à Pau", "self.home.city", "pau"),
    "no apostrophe": ("jhabite a grenoble", "self.home.city", "grenoble"),
}


@pytest.mark.parametrize(("text", "attribute", "value"), ENGLISH.values(), ids=ENGLISH)
def test_english(text: str, attribute: str, value: str) -> None:
    assert (attribute, value) in read(text)


@pytest.mark.parametrize(("text", "attribute", "value"), FRENCH.values(), ids=FRENCH)
def test_french(text: str, attribute: str, value: str) -> None:
    assert (attribute, value) in read(text)


@pytest.mark.parametrize(
    "text",
    [
        "I live in Rome, right?",
        "j'habite à Rome, non ?",
        "I wish I lived in Rome",
        "As a joke, call a taxi",
        "as someone who asks a lot, I'm sorry",
        "Write an email saying that I live in Rome",
        "Écris un mail disant que j'habite à Rome",
        "Dear Sir, my name is John Smith",
        "Madame, je m'appelle Jean Dupont",
        "print('I live in Rome')",
        "name = 'Anna'",
        "Let's play: you are a king and my name is Percival",
        "On joue : tu es un roi et je m'appelle Perceval",
        "In my novel my name is Max. I live on Mars",
        "I'm in Rome for the weekend",
        "je suis à Rome pour le week-end",
        "I like the idea",
        "j'adore cette idée",
        "I am a bit tired",
        "je suis en retard",
        "my friend Monday",
        "I moved on to something else",
        "I left the house",
        "je suis à table",
    ],
)
def test_what_only_looks_like_a_fact_is_none(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("I live in Paris", "Actually we left Paris, living in Nantes now"),
        ("I live in Leeds", "I don't live in Leeds anymore, I'm in York"),
        ("we live in Hamburg", "we've moved again, this time to Bremen"),
        ("I work at Nokia", "I switched jobs, I work for Ericsson"),
        ("I'm working at Tesco", "got a new job! starting at Waitrose on monday"),
        ("I'm vegetarian", "I eat meat again"),
        ("I'm a teacher", "I'm not a teacher anymore, I'm a florist now"),
        ("My favourite band is Blur", "my favourite band isn't Blur anymore, it's Pulp"),
        ("My phone is a Pixel 6", "I replaced my phone, it's an iPhone 15"),
        ("My name is Katherine", "sorry, call me Kat instead"),
        ("je travaille chez Airbus", "je ne travaille plus chez Airbus, je suis chez Thales"),
        ("je travaille à la SNCF", "j'ai changé de boulot, je suis à la RATP"),
        ("j'habite à Lille", "j'habite plus à Lille, je suis à Amiens"),
        ("je suis végane", "je remange de la viande"),
        ("ma couleur préférée est le rouge", "ma couleur préférée a changé, c'est le vert"),
        ("j'aime le jazz", "le jazz ça me plaît plus"),
        ("je fume", "j'ai arrêté de fumer"),
    ],
)
def test_a_change_supersedes_however_it_is_said(old: str, new: str) -> None:
    [first] = facts_in(old)
    assert any(contradicts(first, changed) for changed in facts_in(new))


@pytest.mark.parametrize(
    "text",
    [
        "my boss lives in Rome",
        "I used to live in Rome",
        "I'm thinking of moving to Berlin",
        "ma soeur travaille chez Google",
        "j'ai failli m'installer à Oslo",
        "je pense déménager à Berlin",
    ],
)
def test_others_and_plans_change_nothing_of_the_users_own(text: str) -> None:
    own = [*facts_in("I live in Paris"), *facts_in("I work at Renault")]
    assert not any(contradicts(mine, fact) for mine in own for fact in facts_in(text))


def test_several_facts_of_one_clause_read_apart_so_that_each_is_kept() -> None:
    facts = facts_in("I like tea and olives")
    assert [fact.content for fact in facts] == ["I like tea and olives", "I like tea and olives (olive)"]
    facts = facts_in("I'm a nurse at Michelin")
    assert [(fact.attribute, fact.content) for fact in facts] == [
        ("self.job", "I'm a nurse at Michelin"),
        ("self.employer", "I'm a nurse at Michelin (michelin)"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't live in Leeds anymore, I'm in York", ("self.home.city", "york")),
        ("we've moved again, this time to Bremen", ("self.home.city", "bremen")),
        ("I replaced my phone, it's an iPhone 15", ("self.phone", "iphone 15")),
        ("j'ai changé de boulot, je suis à la RATP", ("self.employer", "ratp")),
        ("j'habite plus à Lille, je suis à Amiens", ("self.home.city", "amiens")),
        ("I got a dog! His name is Bruno", ("pet.dog.name", "bruno")),
    ],
)
def test_what_one_clause_leaves_open_the_next_one_says(text: str, expected: tuple[str, str]) -> None:
    assert expected in read(text)
