"""Facts and preferences read from what the user says."""

import pytest

from jarvis.core.facts import Fact, contradicts, facts_in

SAME_IN_BOTH = [
    ("My cat is called Mistral", "mon chat s'appelle Mistral", "pet.cat.name", "mistral"),
    ("I moved to New York", "j'ai déménagé à New York", "self.home.city", "new york"),
    ("I don't live in Paris any more", "j'habite plus à Paris", "self.home.city", "not paris"),
    ("I'm a nurse", "je suis infirmière à l'hôpital", "self.job", "nurse"),
    ("My new job is baker", "mon nouveau métier est boulanger", "self.job", "baker"),
    ("I now work at Airbus", "je travaille maintenant chez Airbus", "self.employer", "airbus"),
    ("I love coffee", "j'adore le café", "preference.coffee", "like"),
    ("I don't like coffee any more", "jaime plus le cafe", "preference.coffee", "dislike"),
    ("I can't stand mushrooms", "je ne supporte pas les champignons", "preference.mushroom", "dislike"),
    ("I prefer tea to coffee", "je préfère le thé au café", "preference.coffee_or_tea", "tea"),
    ("my favorite color is blue", "ma couleur préférée c'est le bleu", "preference.favourite.color", "blue"),
    (
        "my birthday is on the 3rd of March",
        "mon anniversaire est le 3 mars",
        "event.birthday.date",
        "3 march",
    ),
    ("I'm allergic to peanuts", "je suis allergique aux cacahuètes", "self.allergy", "peanut"),
    ("Mum lives in Brest", "maman habite à Brest", "person.mother.home.city", "brest"),
    ("my daughter Emma is 7", "ma fille Emma a 7 ans", "person.daughter.age", "7"),
    ("I've changed my phone", "j'ai changé de téléphone", "self.phone", "changed"),
    ("please answer briefly", "sois bref stp", "answer.length", "short"),
    ("answer in French", "réponds toujours en français", "answer.language", "french"),
]


@pytest.mark.parametrize(("english", "french", "attribute", "value"), SAME_IN_BOTH)
def test_a_fact_has_one_name_in_both_languages(english: str, french: str, attribute: str, value: str) -> None:
    assert [(fact.attribute, fact.value) for fact in facts_in(english)] == [(attribute, value)]
    assert [(fact.attribute, fact.value) for fact in facts_in(french)] == [(attribute, value)]


@pytest.mark.parametrize(
    "text",
    [
        "do I live in Rome?",
        "I live in Rome, don't I?",
        "if I lived in Rome I'd be happy",
        "imagine I am rich and I live in Rome",
        "imagine que je suis riche et que j'habite à Rome",
        "I used to live in Rome",
        "she said I live in Rome",
        "My sister said that I live in Rome and my cat is called Tom",
        '"I live in Rome" she said',
        "I live in Rome, she said",
        "Translate: I live in Rome",
        "j'habitais à Rome",
        "si j'habitais à Rome",
        "est-ce que j'habite à Rome ?",
        "elle a dit que j'habite à Rome",
        "« J'habite à Rome »",
        "je viens de manger",
        "I'm not a doctor",
        "my dog is sick",
        "I work for my dad",
        "my boss gave me new instructions",
        "I like it",
    ],
)
def test_questions_suppositions_the_past_and_others_words_are_no_facts(text: str) -> None:
    assert facts_in(text) == []


def test_the_content_is_the_clause_as_said() -> None:
    facts = facts_in("Hi! I'm Paul, I live in New York and work as a nurse. Can you help?")
    assert [fact.content for fact in facts] == ["I'm Paul", "I live in New York", "work as a nurse"]
    assert [fact.attribute for fact in facts] == ["self.name", "self.home.city", "self.job"]


def test_a_preference_for_two_things_is_two() -> None:
    assert [(fact.attribute, fact.kind) for fact in facts_in("I like tea and olives")] == [
        ("preference.tea", "preference"),
        ("preference.olive", "preference"),
    ]


def test_a_slip_of_the_finger_costs_no_fact() -> None:
    assert [fact.attribute for fact in facts_in("I'm allerigc to pollen")] == ["self.allergy"]


def test_of_what_is_taken_back_in_one_message_only_the_correction_stays() -> None:
    [fact] = facts_in("My cat is called Mistral. Actually, it's called Pastis")
    assert (fact.attribute, fact.value, fact.corrects) == ("pet.cat.name", "pastis", True)


def only(text: str) -> Fact:
    [fact] = facts_in(text)
    return fact


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("my cat is called Mistral", "mon chat s'appelle Pastis", True),
        ("my cat is called Mistral", "mon chat s'appelle mistral", False),
        ("my cat is called Mistral", "my dog is called Pastis", False),
        ("I live in Paris", "j'ai déménagé à Lyon", True),
        ("I live in Paris", "I no longer live in Paris", True),
        ("I live in Lyon", "I no longer live in Paris", False),
        ("I like coffee", "je n'aime plus le café", True),
        ("I'm allergic to pollen", "I'm allergic to gluten", False),
        ("I'm allergic to pollen", "I'm no longer allergic to pollen", True),
        ("my sister is called Anna", "my sister is called Emma", False),
        ("my sister is called Anna", "actually, my sister is called Emma", True),
    ],
)
def test_contradiction(old: str, new: str, expected: bool) -> None:  # noqa: FBT001 - a table's column
    assert contradicts(only(old), only(new)) is expected


@pytest.mark.timeout(20)  # quadratic time would take minutes
@pytest.mark.parametrize(
    "piece", ["a", "i ", "i like ", "my name is ", "I live in Rome. ", "j'aime ", '"', ", and my ", "no, "]
)
def test_long_messages_take_linear_time(piece: str) -> None:
    assert len(facts_in((piece * 50_000)[:50_000])) <= 64


def test_an_appointment_without_a_kind_is_no_fact() -> None:
    assert facts_in("J'ai rendez-vous chez le dentiste le 12 mars.") == []
