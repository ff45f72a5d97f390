"""What people like, learn, eat or are, in French and English, one name for each. Data only."""

from jarvis.core.facts.vocabulary import meanings

_TOPIC = """
coffee: cafe
tea: the
milk: lait
beer: biere
wine: vin
red wine: vin_rouge
white wine: vin_blanc
water: eau
juice: jus
chocolate: chocolat
dark chocolate: chocolat_noir
milk chocolate: chocolat_au_lait
cheese: fromage
blue cheese: bleu_d_auvergne
bread: pain
butter: beurre
meat: viande
fish: poisson
seafood: fruits_de_mer
shellfish: crustaces
mushroom: mushrooms champignon champignons
olive: olives
tomato: tomatoes tomate tomates
onion: onions oignon oignons
garlic: ail
aubergine: eggplant aubergines
coriander: cilantro coriandre
ginger: gingembre
cinnamon: cannelle
peanut: peanuts cacahuete cacahuetes arachide arachides
nuts: nut noix
egg: eggs oeuf oeufs
strawberry: strawberries fraise fraises
raspberry: raspberries framboise framboises
apple: apples pomme pommes
lemon: citron
rice: riz
pasta: pates
potato: potatoes pomme_de_terre pommes_de_terre
spinach: epinards
broccoli: brocoli brocolis
carrot: carrots carotte carottes
salad: salade
soup: soupe
spicy food: nourriture_epicee plats_epices
ice cream: glace glaces
pollen:
gluten:
lactose:
penicillin: penicilline
aspirin: aspirine
cats: chats cat_hair poils_de_chat
dogs: chiens
dust: poussiere dust_mites acariens
bee: bees bee_stings abeille abeilles piqures_d_abeille
wasp: wasps guepe guepes
football: soccer foot
tennis:
swimming: natation nager
running: jogging course_a_pied courir footing
hiking: randonnee randonnees rando
climbing: rock_climbing escalade
skiing: ski
cycling: cyclisme velo
dancing: dance danse danser
painting: peinture peindre
drawing: dessin dessiner
reading: lecture lire
cooking: cuisine cuisiner
gardening: jardinage jardiner
fishing: peche
chess: echecs
horse riding: horseback_riding equitation
sailing: voile
knitting: tricot tricoter
pottery: poterie
photography: photographie photo
singing: chant chanter
guitar: guitare
violin: violon
cello: violoncelle
drums: batterie
flute:
trumpet: trompette
music: musique
classical music: musique_classique
movies: films cinema
horror movies: horror_films films_d_horreur
books: livres
travelling: traveling travel voyager voyages
rain: pluie
snow: neige
winter: hiver
summer: ete
autumn: fall automne
spring: printemps
sea: mer
mountain: mountains montagne
beach: plage
countryside: campagne
crowds: foule
noise: bruit
blue: bleu
red: rouge
green: vert
yellow: jaune
black: noir
white: blanc
purple: violet
pink: rose
grey: gray gris
dark blue: navy_blue navy bleu_marine bleu_fonce
english: anglais
french: francais
spanish: espagnol
german: allemand
italian: italien
japanese: japonais
portuguese: portugais
chinese: mandarin chinois
arabic: arabe
russian: russe
dutch: neerlandais
korean: coreen
color: couleur
dish: plat meal
food: nourriture
film: movie
book: livre
song: chanson
singer: chanteur chanteuse
band: group groupe
drink: boisson
dessert:
fruit:
vegetable: legume
season: saison
sport:
animal:
author: writer auteur autrice ecrivain
day: jour
flower: fleur
restaurant:
number: chiffre nombre
vegetarian: veggie vegetarien vegetarienne
vegan: vegetalien vegane
pescatarian: pescetarian pescetarien pescetarienne
lactose intolerant: intolerant_au_lactose intolerante_au_lactose
coeliac: celiac coeliaque
married: marie mariee
single: celibataire
divorced: divorce divorcee
engaged: fiance fiancee
widowed: widow widower veuf veuve
pacs: pacse pacsee
electric car: voiture_electrique
"""

TOPIC = meanings(_TOPIC)
