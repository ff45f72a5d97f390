"""Words of French and English that mean the same, so that a fact has one name in both languages. Data only.

A line is `english: other words for it`; plurals are listed where people use them. Accents are left out.
"""

_KIN = """
mother: mom mum mama mommy maman mere
father: dad daddy papa pere
wife: femme epouse
husband: hubby mari epoux
partner: compagnon compagne conjoint conjointe
girlfriend: gf copine petite_amie
boyfriend: bf copain petit_ami
fiance: fiancee
sister: soeur soeurs sisters
brother: frere freres brothers
son: fils sons
daughter: fille daughters
child: kid enfant children kids enfants
baby: bebe
grandmother: grandma granny nana grand-mere mamie
grandfather: grandpa grandad grand-pere papi papy
aunt: auntie tante
uncle: oncle tonton
cousin: cousine
niece:
nephew: neveu
best friend: bestie best_mate meilleur_ami meilleure_amie
friend: mate ami amie pote
boss: patron patronne cheffe chef manager manageuse
colleague: coworker co-worker workmate collegue
neighbour: voisin voisine
roommate: flatmate housemate coloc colocataire
mother-in-law: mother_in_law belle-mere belle_mere
father-in-law: father_in_law beau-pere beau_pere
sister-in-law: sister_in_law belle-soeur belle_soeur
brother-in-law: brother_in_law beau-frere beau_frere
doctor: gp physician medecin docteur medecin_traitant
dentist: dentiste
therapist: psy psychologue
teacher: prof professeur
godmother: marraine
godfather: parrain
"""
_PET = """
cat: kitty kitten chat chatte chaton
dog: puppy doggo pup chien chienne chiot
rabbit: bunny lapin lapine
hamster:
parrot: perroquet
goldfish: fish poisson poisson_rouge
horse: pony mare cheval jument poney
turtle: tortoise tortue
bird: oiseau
guinea pig: cochon_d_inde
snake: serpent
ferret: furet
canary: canari
parakeet: budgie perruche
hen: chicken poule
donkey: ane
hedgehog: herisson
"""
_THING = """
car: voiture auto bagnole caisse
bike: bicycle velo
phone: mobile cellphone smartphone telephone portable tel
laptop: ordinateur_portable pc_portable
computer: pc ordinateur ordi
tablet: tablette
watch: montre
television: tv tele
motorbike: motorcycle moto
camera: appareil_photo
printer: imprimante
shoe size: pointure
height: taille
weight: poids
blood type: blood_group groupe_sanguin
address: adresse
email: email_address mail adresse_mail e-mail adresse_email
phone number: numero_de_telephone numero
native language: mother_tongue first_language langue_maternelle
nationality: nationalite
star sign: zodiac_sign signe_astrologique signe_astro
bank: banque
gym: salle_de_sport
school: ecole
boat: bateau
instrument:
operating system: systeme_d_exploitation
browser: navigateur
"""
_EVENT = """
birthday: anniversaire
wedding: mariage
exam: examen
interview: job_interview entretien entretien_d_embauche
flight: vol avion
train:
operation: surgery
appointment: rendez-vous rdv
driving test: permis examen_du_permis
thesis defence: soutenance
graduation: remise_des_diplomes
marathon: race course
concert: gig
move: demenagement
holiday: vacation vacances holidays
"""
_JOB = """
doctor: physician medecin docteur
nurse: infirmier infirmiere
teacher: professeur prof enseignant enseignante instituteur institutrice
engineer: ingenieur ingenieure
software engineer: ingenieur_logiciel
developer: programmer coder developpeur developpeuse programmeur dev
lawyer: attorney avocat avocate
architect: architecte
accountant: comptable
baker: boulanger boulangere
cook: chef cuisinier cuisiniere
electrician: electricien electricienne
plumber: plombier
carpenter: joiner menuisier menuisiere charpentier
student: etudiant etudiante
pharmacist: pharmacien pharmacienne
dentist: dentiste
vet: veterinarian veterinaire
journalist: journaliste
photographer: photographe
designer: graphiste
librarian: bibliothecaire
firefighter: fireman pompier
police officer: cop policier policiere
farmer: agriculteur agricultrice
driver: chauffeur conducteur
musician: musicien musicienne
translator: traducteur traductrice
researcher: chercheur chercheuse
scientist: scientifique
salesperson: salesman vendeur vendeuse commercial commerciale
hairdresser: coiffeur coiffeuse
waiter: waitress serveur serveuse
consultant: consultante
midwife: sage-femme
psychologist: psychologue
physiotherapist: physio kine kinesitherapeute
gardener: jardinier jardiniere paysagiste
florist: fleuriste
mechanic: mecanicien mecanicienne garagiste
pilot: pilote
secretary: secretaire
project manager: chef_de_projet cheffe_de_projet
civil servant: fonctionnaire
writer: ecrivain ecrivaine
artist: artiste
actor: actress acteur actrice comedien comedienne
judge: juge
glazier: vitrier vitriere
beekeeper: apiculteur apicultrice
caretaker: gardien gardienne concierge
bookseller: libraire
welder: soudeur soudeuse
mason: bricklayer macon
tailor: couturier couturiere
fisherman: pecheur
painter: peintre
cashier: caissier caissiere
economist: economiste
optician: opticien opticienne
notary: notaire
banker: banquier banquiere
manager: responsable directeur directrice
intern: stagiaire apprenti apprentie
surgeon: chirurgien chirurgienne
biologist: biologiste
chemist: chimiste
butcher: boucher bouchere
postman: facteur factrice
retired: retraite retraitee a_la_retraite
unemployed: chomeur chomeuse au_chomage
freelancer: freelance independant independante
"""
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
_MONTH = """
january: jan janvier
february: feb fevrier
march: mars
april: apr avril
may: mai
june: juin
july: juillet
august: aug aout
september: sept septembre
october: oct octobre
november: nov novembre
december: dec decembre
monday: lundi
tuesday: mardi
wednesday: mercredi
thursday: jeudi
friday: vendredi
saturday: samedi
sunday: dimanche
noon: midi
tomorrow: demain
"""


def _meanings(lines: str) -> dict[str, str]:
    """Each word and its English one."""
    meaning: dict[str, str] = {}
    for line in lines.strip().splitlines():
        english, _, others = line.partition(":")
        meaning |= dict.fromkeys((word.replace("_", " ") for word in (english, *others.split())), english)
    return meaning


KIN = _meanings(_KIN)
PET = _meanings(_PET)
THING = _meanings(_THING)
EVENT = _meanings(_EVENT)
JOB = _meanings(_JOB)
TOPIC = _meanings(_TOPIC)
DATE = _meanings(_MONTH)
