"""Words for what a person is or has, in both languages: nationality, condition, way of life. Data only."""
# ruff: noqa: E501 - lists of words inside patterns

from jarvis.core.facts.vocabulary import meanings

_NATIONALITY = """
american: americain americaine
australian: australien australienne
austrian: autrichien autrichienne
belgian: belge
brazilian: bresilien bresilienne
british: britannique
bulgarian: bulgare
canadian: canadien canadienne
chilean: chilien chilienne
chinese: chinois chinoise
colombian: colombien colombienne
croatian: croate
czech: tcheque
danish: danois danoise
dutch: neerlandais neerlandaise hollandais hollandaise
egyptian: egyptien egyptienne
english: anglais anglaise
finnish: finlandais finlandaise
french: francais francaise
german: allemand allemande
greek: grec grecque
hungarian: hongrois hongroise
icelandic: islandais islandaise
indian: indien indienne
iranian: iranien iranienne
irish: irlandais irlandaise
israeli: israelien israelienne
italian: italien italienne
japanese: japonais japonaise
kenyan: kenyan kenyane
korean: coreen coreenne
lebanese: libanais libanaise
lithuanian: lituanien lituanienne
mexican: mexicain mexicaine
moroccan: marocain marocaine
nigerian: nigerian nigeriane
norwegian: norvegien norvegienne
algerian: algerien algerienne
tunisian: tunisien tunisienne
senegalese: senegalais senegalaise
ivorian: ivoirien ivoirienne
cameroonian: camerounais camerounaise
pakistani: pakistanais pakistanaise
peruvian: peruvien peruvienne
polish: polonais polonaise
portuguese: portugais portugaise
quebecois: quebecoise
romanian: roumain roumaine
russian: russe
scottish: ecossais ecossaise
serbian: serbe
slovak: slovaque
slovenian: slovene
spanish: espagnol espagnole
swedish: suedois suedoise
swiss: suisse
syrian: syrien syrienne
thai: thailandais thailandaise
turkish: turc turque
ukrainian: ukrainien ukrainienne
vietnamese: vietnamien vietnamienne
welsh: gallois galloise
filipino:
argentinian: argentin argentine
"""
_TRAIT = """
left-handed: left_handed lefthanded a_lefty gaucher gauchere
right-handed: right_handed droitier droitiere
colour blind: color_blind colorblind colourblind color-blind colour-blind daltonien daltonienne
diabetic: diabetique
asthmatic: asthmatique
epileptic: epileptique
autistic: autiste
dyslexic: dyslexique
deaf: sourd sourde
blind: aveugle
short-sighted: short_sighted near-sighted nearsighted myope
pregnant: enceinte
bilingual: bilingue
an only child: only_child fils_unique fille_unique enfant_unique
introverted: an_introvert introvert introverti introvertie
extroverted: an_extrovert extrovert extraverti extravertie
claustrophobic: claustrophobe
insomniac: an_insomniac insomniaque
a night owl: night_owl couche-tard
an early bird: early_bird a_morning_person morning_person leve-tot du_matin
muslim: musulman musulmane
jewish: juif juive
christian: chretien chretienne
catholic: catholique
buddhist: bouddhiste
atheist: an_atheist athee
gay: homosexuel homosexuelle
bisexual: bi bisexuel bisexuelle
lesbian: lesbienne
trans: transgender transgenre
teetotal: sobre
gluten-free: gluten_free sans_gluten
dairy-free: off_dairy sans_lactose
halal:
kosher: casher
hypertensive: hypertendu hypertendue
anaemic: anemic anemique
self-employed: a_mon_compte autoentrepreneur auto-entrepreneur autoentrepreneuse
adopted: adoptee
bald: chauve
"""
CAR = (
    "peugeot|renault|citroen|clio|twingo|zoe|tesla|golf|polo|fiat|audi|bmw|mercedes|toyota|dacia|sandero|duster|ford|opel|"
    "corsa|volkswagen|vw|skoda|hyundai|nissan|mazda|volvo|honda|suzuki|jeep|porsche|megane|scenic|kangoo|berlingo|"
    "yaris|punto|308|208|3008|vauxhall|subaru|lexus|chevrolet|prius|corolla|passat|octavia|subaru|jaguar|land rover"
)
NATIONALITY = meanings(_NATIONALITY)
TRAIT = meanings(_TRAIT)
# Stems of what people have or suffer from; a question, an idea or a minute is none.
CONDITION = (
    r"(?:\w+ )?(?:diabet|asthm|epileps|eczema|psoriasis|migrain|arthr|endometrios|hypertension|hyperthyroid|hypothyroid|insomni|"
    r"anemi|anaemi|celiac|coeliac|crohn|cholesterol|tinnitus|acouphene|scolios|parkinson|alzheimer|adhd|tdah|autis|dyslex|dyspra|"
    r"lupus|fibromyalg|depress|anxiety|anxiete|phobi|vertigo|vertige|tachycard|arythmi|apnea|apnee|sclerose|ibs|gout|goutte|rosacea|"
    r"hemophil|lactose intoleran|gluten intoleran|intoleran|pacemaker|stammer|stutter|heart (?:condition|murmur|disease)|bad (?:back|knee)|"
    r"chronic|rhume des foins|hay fever|hernie|hernia|sciati|cancer|leukemi|leucemi|hepatit|colit|sinusit|tendinit|polyarthr)\w*"
    r"|(?:la |une )?(?:maladie|allergie|intolerance|syndrome) \w+|(?:\w+ )?(?:disease|syndrome|disorder)"
)
