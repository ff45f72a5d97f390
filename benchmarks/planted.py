"""Facts told among small talk in French and English, and what may be asked about them in either language."""

import random
from typing import NamedTuple


class Fact(NamedTuple):
    english: str
    french: str
    asked_in_english: str
    asked_in_french: str


_FACTS = """
My sister is allergic to shellfish.
Ma sœur est allergique aux fruits de mer.
What can my sister not eat?
Qu'est-ce que ma sœur ne peut pas manger ?

I left the car on the second floor of the car park.
J'ai laissé la voiture au deuxième étage du parking.
Where did I leave the car?
Où ai-je laissé la voiture ?

The vet can see the dog on Thursday.
Le vétérinaire peut voir le chien jeudi.
When is the dog's appointment with the vet?
Quand le chien a-t-il rendez-vous chez le vétérinaire ?

My grandfather was a baker in Toulouse.
Mon grand-père était boulanger à Toulouse.
What was my grandfather's job?
Quel était le métier de mon grand-père ?

I play the trumpet in a brass band.
Je joue de la trompette dans une fanfare.
Which instrument do I play?
De quel instrument est-ce que je joue ?

Our landlord raises the rent every January.
Notre propriétaire augmente le loyer chaque janvier.
When does our rent go up?
Quand notre loyer augmente-t-il ?

The spare keys are in the shoe box.
Les clés de secours sont dans la boîte à chaussures.
Where are the spare keys?
Où sont les clés de secours ?

My daughter studies law in Strasbourg.
Ma fille étudie le droit à Strasbourg.
What does my daughter study?
Qu'étudie ma fille ?

I am afraid of flying.
J'ai peur de prendre l'avion.
What am I afraid of?
De quoi ai-je peur ?

We got married on a boat.
Nous nous sommes mariés sur un bateau.
Where did we get married?
Où nous sommes-nous mariés ?

The doctor told me to drink less coffee.
Le médecin m'a dit de boire moins de café.
What did the doctor advise me?
Que m'a conseillé le médecin ?

My neighbour grows tomatoes on his balcony.
Mon voisin fait pousser des tomates sur son balcon.
What does my neighbour grow?
Que fait pousser mon voisin ?

The boiler was repaired by a man called Ferrand.
La chaudière a été réparée par un certain Ferrand.
Who repaired the boiler?
Qui a réparé la chaudière ?

I wear size forty-two shoes.
Je porte des chaussures en quarante-deux.
What is my shoe size?
Quelle est ma pointure de chaussures ?

My favourite film is about a lighthouse keeper.
Mon film préféré parle d'un gardien de phare.
What is my favourite film about?
De quoi parle mon film préféré ?

My brother lost his job at the factory.
Mon frère a perdu son travail à l'usine.
What happened to my brother's job?
Qu'est-il arrivé au travail de mon frère ?

The insurance covers the roof until next autumn.
L'assurance couvre le toit jusqu'à l'automne prochain.
Until when is the roof insured?
Jusqu'à quand le toit est-il assuré ?

I swim two kilometres every Monday.
Je nage deux kilomètres tous les lundis.
How far do I swim on Mondays?
Quelle distance est-ce que je nage le lundi ?

My wife speaks Portuguese with her mother.
Ma femme parle portugais avec sa mère.
Which language does my wife speak with her mother?
Quelle langue ma femme parle-t-elle avec sa mère ?

The wifi password is written behind the clock.
Le mot de passe du wifi est écrit derrière l'horloge.
Where is the wifi password written?
Où est écrit le mot de passe du wifi ?

I sold my piano to a music school.
J'ai vendu mon piano à une école de musique.
To whom did I sell my piano?
À qui ai-je vendu mon piano ?

My son broke his wrist at judo.
Mon fils s'est cassé le poignet au judo.
How did my son break his wrist?
Comment mon fils s'est-il cassé le poignet ?

We are going to Norway this winter.
Nous partons en Norvège cet hiver.
Where are we travelling this winter?
Où voyageons-nous cet hiver ?

My boss wants the budget before Friday.
Ma patronne veut le budget avant vendredi.
When does my boss want the budget?
Pour quand ma patronne veut-elle le budget ?

The cat sleeps on top of the fridge.
Le chat dort sur le réfrigérateur.
Where does the cat sleep?
Où dort le chat ?

I stopped smoking nine years ago.
J'ai arrêté de fumer il y a neuf ans.
When did I stop smoking?
Quand ai-je arrêté de fumer ?

My aunt owns a farm with sixty goats.
Ma tante possède une ferme avec soixante chèvres.
What does my aunt own?
Que possède ma tante ?

The school trip goes to a castle.
La sortie scolaire va dans un château.
Where does the school trip go?
Où va la sortie scolaire ?

I keep my passport in the kitchen drawer.
Je garde mon passeport dans le tiroir de la cuisine.
Where do I keep my passport?
Où est-ce que je garde mon passeport ?

My colleague Karim is moving to Montreal.
Mon collègue Karim déménage à Montréal.
Where is Karim moving to?
Où déménage Karim ?

I take the train at seven in the morning.
Je prends le train à sept heures du matin.
At what time is my train?
À quelle heure est mon train ?

My mother paints small watercolours of birds.
Ma mère peint de petites aquarelles d'oiseaux.
What does my mother paint?
Que peint ma mère ?
"""
FACTS = [Fact(*block.splitlines()) for block in _FACTS.strip().split("\n\n")]

# Of the same things as the facts, so that a word in common is not enough.
_WHEN = (
    "This morning, Yesterday, After lunch, On the way home, All weekend, Last night, Again today",
    "Ce matin, Hier, Après le déjeuner, En rentrant, Tout le week-end, Hier soir, Encore aujourd'hui",
)
_WHAT_I_DID = (
    "I watched, I cleaned, I talked about, I thought about, I looked for, I took a photo of, I read about",
    "j'ai regardé, j'ai nettoyé, j'ai évoqué, j'ai aperçu, j'ai cherché, j'ai photographié, j'ai dessiné",
)
_TO_WHAT = (
    "the car, a dog, my shoes, the train, my sister's piano, the roof, the new passport",
    "la voiture, un chien, mes bottes, le train, le piano de ma sœur, le toit, ce passeport",
)
_HOW = (
    "and it was quiet., but it rained., with my brother., for an hour., and I got tired., as usual.",
    "et c'était calme., mais il pleuvait., avec mon frère., une heure., et j'étais las., comme toujours.",
)


def small_talk(chance: random.Random, count: int) -> list[str]:
    """Return that many different sentences, half of them in French."""
    said: dict[str, None] = {}
    while len(said) < count:
        language = len(said) % 2
        words = (part[language].split(", ") for part in (_WHEN, _WHAT_I_DID, _TO_WHAT, _HOW))
        said[" ".join(chance.choice(some) for some in words)] = None
    return list(said)


def dialogue(chance: random.Random, *, sentences: int, is_swapped: bool) -> list[str]:
    """Return small talk with all facts in it, told by turns in English and French, or the other way round."""
    said = small_talk(chance, sentences)
    for number, fact in enumerate(FACTS):
        said.insert(chance.randrange(len(said)), fact[(number + is_swapped) % 2])
    return said
