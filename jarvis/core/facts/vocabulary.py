"""Words of French and English that mean the same, so that a fact has one name in both languages. Data only.

A line is `english: other words for it`; plurals are listed where people use them. Accents are left out.
"""
# ruff: noqa: E501 - a line has all names of one thing

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
parents:
in-laws: in_laws beaux-parents
grandparents: grands-parents
landlord: landlady proprietaire proprio
coach: trainer entraineur entraineuse
stepmother: step-mother stepmom
stepfather: step-father stepdad
stepson: step-son
stepdaughter: step-daughter
grandson: petit-fils
granddaughter: petite-fille
twins: jumeaux jumelles
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
dog: puppy doggo pup chien chienne chiot greyhound labrador poodle beagle terrier retriever husky spaniel dachshund bulldog collie shepherd caniche berger teckel pug corgi
rabbit: bunny lapin lapine bunnies
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
timezone: time_zone fuseau_horaire
driving licence: driving_license driver_s_license licence_de_conduire
university: uni college universite fac
team: equipe
wedding anniversary: anniversaire_de_mariage
diet: regime
blood pressure: tension
hair: cheveux
eyes: yeux
job title: intitule_de_poste
postcode: zip_code code_postal
school: ecole
boat: bateau
instrument:
operating system: systeme_d_exploitation os
browser: navigateur
"""
_EVENT = """
birthday: anniversaire
wedding: mariage
anniversary:
exam: examen
interview: job_interview entretien entretien_d_embauche
flight: vol avion
train:
operation: surgery
appointment: rendez-vous rdv dentist_appointment doctor_s_appointment
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
teacher: professeur prof maths_teacher enseignant enseignante instituteur institutrice
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
postman: postwoman facteur factrice
paramedic: ambulancier ambulanciere
barista:
care worker: aide-soignant aide-soignante
childminder: nanny nounou assistante_maternelle
cleaner: femme_de_menage
realtor: estate_agent agent_immobilier agente_immobiliere
soldier: militaire soldat soldate
music teacher: prof_de_musique
locksmith: serrurier
bus driver: chauffeur_de_bus
truck driver: routier routiere chauffeur_routier
carer:
speech therapist: orthophoniste
winemaker: vigneron vigneronne
delivery driver: courier livreur livreuse coursier
data scientist: data_analyst
product manager: product_owner
sysadmin: systems_administrator system_administrator admin_systeme
graphic designer: infographiste
social worker: assistante_sociale
housewife: stay-at-home_mom stay-at-home_mum stay-at-home_dad mere_au_foyer pere_au_foyer
tattoo artist: tatoueur tatoueuse
flight attendant: air_hostess hotesse_de_l_air steward
editor: redacteur redactrice editeur editrice
animator: animateur animatrice
bartender: barman barmaid serveur_dans_un_bar
radiologist: radiologue
cardiologist: cardiologue
entrepreneur: entrepreneuse patron_de_pme
retired: retraite retraitee a_la_retraite
unemployed: chomeur chomeuse au_chomage
freelancer: freelance independant independante
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


def meanings(lines: str) -> dict[str, str]:
    """Return each word of a table with its English one."""
    meaning: dict[str, str] = {}
    for line in lines.strip().splitlines():
        english, _, others = line.partition(":")
        meaning |= dict.fromkeys((word.replace("_", " ") for word in (english, *others.split())), english)
    return meaning


KIN = meanings(_KIN)
PET = meanings(_PET)
THING = meanings(_THING)
EVENT = meanings(_EVENT)
JOB = meanings(_JOB)
DATE = meanings(_MONTH)
