"""Sentences to be said and written down again, and how many words of that are wrong."""

import re

SENTENCES = (
    "Hello there, how are you today?",
    "Please remind me to call my mother tomorrow morning.",
    "The quick brown fox jumps over the lazy dog.",
    "What is the weather going to be like this weekend?",
    "I would like a cup of coffee with a little milk.",
    "Turn off the lights in the kitchen, please.",
    "She bought three apples and two bottles of water.",
    "We are meeting at the station at half past nine.",
    "Can you tell me the name of the longest river in Africa?",
    "My brother lives in a small house near the sea.",
    "Could you play some quiet music in the living room?",
    "The children were playing in the garden all afternoon.",
    "I have lost my keys again, and I cannot find them anywhere.",
    "How long does it take to drive from here to the airport?",
    "Our neighbours have a big black dog that barks at night.",
    "Write a letter to the bank and ask them for a new card.",
    "It was raining so hard that we had to stop the car.",
    "What did you have for dinner last night?",
    "The museum is closed on Mondays and on public holidays.",
    "Please set a timer for the pasta on the stove.",
    "My sister is learning to play the piano this year.",
    "There is a letter for you on the table in the hall.",
    "Do you know where I can buy fresh bread around here?",
    "The old man told us a long story about the war.",
    "We should leave early because of the traffic in the city.",
    "He opened the window and looked out at the mountains.",
    "Which of these two colours do you like better?",
    "The train to London leaves from the other platform.",
    "Add butter, cheese and a dozen eggs to my shopping list.",
    "She was reading a book about the history of science.",
    "I am afraid that I cannot come to your party on Friday.",
    "The doctor says that I should drink more water.",
    "Is there anything in my calendar for next Wednesday?",
    "They walked along the beach until the sun went down.",
    "This computer is much faster than the one I had before.",
    "Read me the first message from my father, please.",
    "The soup needs a little more salt and pepper.",
    "How many people live in the capital of Norway?",
    "Wake me up an hour before my flight tomorrow.",
    "Thank you very much, that is all I wanted to know.",
)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def mistakes(said: list[str], heard: list[str]) -> int:
    """Words put in, left out or changed (Levenshtein)."""
    row = list(range(len(heard) + 1))
    for i, word in enumerate(said, start=1):
        before, row = row, [i]
        for j, other in enumerate(heard, start=1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (word != other)))
    return row[-1]
