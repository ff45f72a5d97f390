"""Whether a chat message tells something of the user's world. Greetings, thanks, requests and questions do not. Pure."""
# ruff: noqa: E501 - lists of words

import re

from jarvis.core.facts.answers import wish_in
from jarvis.core.facts.clauses import Clause, clauses_of
from jarvis.core.facts.extraction import facts_in
from jarvis.core.facts.openings import COMMAND
from jarvis.core.languages import word_set

# Words of which small talk is made. A clause of nothing else says nothing that is worth finding again.
_EMPTY_WORDS = word_set("""
    a able about absolutely actually afternoon again agree ah all alright already also always am amazing
    an and annoying any anyone anything appreciate are around as ask asking at awake away awesome back
    bad be because been before being best better big bit bored boring both bothering brb but by bye can
    catch chat check clear coffee-break come cool correct could crazy curious cute day definitely did
    different do does doing done doubt down easy else enjoy enjoying enough even evening ever every
    everything evil exactly excellent excited explain explanation explained fair false fast favor favour
    feel feeling few find fine finally first for forever forget forgot from fun funny get getting give
    go going gone gonna good got great guess guys ha had haha happy hard has have having he hear heard
    hello help helped helpful helping helps her here hey hi him his hmm hold home honest honestly hope
    how huge hungry i idea ideas if impressed impressive in indeed interesting is it its job joke joking
    just keep kidding kind know kinda lately later laugh learn learned least leave let life like lil
    listening little lol long lot lots love loved lovely made make makes making man many matter maybe me
    mean meant mind minute mistake moment mood more morning most much my need needed never new next nice
    night no none not nothing now of off oh ok okay old omg on one only opinion or other our out over
    part perfect perhaps please point possible pretty probably problem put question questions quick
    quite ready real really reply response right rather rest same sad said saw say saying says see seem
    seems seen sense she should side silly simple since sleepy slow smart so some someone something
    sometimes somewhere soon sorry sort sound sounds speak start still stop stuff stuck stupid such
    super sure surprised sweet take talk talking tell test testing text than thank thanks that the their
    them then there these they thing things think thinking this those though thought time tired to today
    together told tomorrow-then tonight too top totally tried true try trying two typing understand
    understood until up us use used useful user usual very via wait waiting want wanted wanting was way
    we well were what whatever when where whether which while who whole why will wish with without word
    wonderful wondering wonder work worked working works worry worries would wow write wrong yay yeah
    yep yes yesterday-lol hate hates happens happen happened hurt hurts head ache aches tv using girl boy yet you your yours yourself yup answer answers asked bot assistant
    computer-joke ai jarvis human robot weather rain raining sunny cold hot weekend week year true
    talked enough cheers buddy mate friend bro dude welcome appreciated apologies apologise apologize
    pleasure luck fingers crossed sleep bed eat eating lunch dinner breakfast hungry break shower busy
    relax relaxing chill chilling hang hanging boredom smile smiling laughing cry lmao rofl thx ty np
    idk imo tbh btw typo typed wrote message messages conversation topic subject sentence line part
    example examples recipe list summary a absolument accord ah ai aide aider aides aime air aller allez
    allons alors amusant apres as assez attends au aucun aucune aussi autant autre autres aux avais
    avait avance avant avec avez avis avoir bah bas beau beaucoup ben besoin bien bientot bise bises
    bisous bizarre blague blagues boire bof bon bonjour bonne bonnes bons bonsoir bref bravo c ca cafard
    calme ce cela celui cest cet cette chance chaud chaque chercher chose choses chouette ci clair coeur
    combien comme comment compris comprends conseil conseils content contente continue continuer cool
    coucou courage crois curieux curieuse d dans de debut deja demain-alors demande demander demandais
    depuis dernier des desole desolee deux devrais dingue dire dis disais dit dois doit donc donne
    donner dormir dors drole du effectivement eh elle elles en encore enfin ennui ennuie ennuyeux
    ensemble entendu envie erreur es essaie essayer est et etait etais ete etes etre eu euh evidemment
    exact exactement excellent excuse excuses explication explications expliquer facile faim fait faire
    fais fatigue fatiguee faut faux fin fini fois fond force formidable fou froid genial geniale gentil
    gentille grand grande grave gros ha haha hein heure heureux heureuse hier-soir honnetement hop
    humeur idee idees il ils impec impressionnant impressionne incroyable interessant intelligent j
    jamais je jour journee juste l la laisse le les leur lol loin long lui m ma mais mal manger marrant
    matin mauvais mdr me meilleur meme merci mes message mettre mieux mince mine minute moi moins moment
    mon monde mort mot mots moyen n ne ni non nos notre nous nouveau nouvelle nouvelles nuit nul nulle
    occupe ok on ont or ou ouais oublie oui pardon par parce pareil parfait parfois parler parle part
    partir pas passe passer patience pause pense pensais penses perdu personne petit petite peu peut
    peux plaisir plait pleut plus plutot point possible pour pourquoi pourrais pourtant pouvez pratique
    presque pret prete probleme puis qu quand que quel quelle quelqu quelque question questions qui quoi
    quel raison rapide rapport rater rature reessaie recette regarde regarder remercie repasse repondre
    reponds reponse reponses reposer reste retour revoila reviens revoir rien rigole rigolo rire s sa
    sais sait salut sans savais savoir se sens sera serait ses seul seule si simple sinon soir soiree
    sois soleil sommeil son sont sorte souci soucis sous souvent stp suis sujet super sur sympa surtout
    t ta tant tard te tellement temps tes test teste tete texte tiens toi ton top tot toujours tous tout
    toute toutes tres triste trois trop trouve trouver truc trucs tu un une utile va vais vas venir vers
    veux veut veuillez viens vite voila voir vois voix vos votre voudrais voulais vouloir voulu vous
    vrai vraiment vu y yes zut ennuyer doue douee trompe plaisante blaguais rigolais adore courir-joke
    reparle beg differ file lit reparle reparler rediscuter discuter coup mou creve crevee epuise epuisee naze claque hui aujourd
    demain-lol exhausted wiped knackered plaisante plaisantais rappelle recontacte week-end semaine
    meteo beaux jours soirs robot machine ia assistant
""")  # fmt: skip

# "I need a recipe", "je voudrais savoir": a request in the shape of a statement.
_REQUEST = re.compile(
    r"(?:i would (?:really )?appreciate|je apprecierais|(?:i would like|i want|i will (?:take|have)|i choose|give me|je voudrais|je veux|je choisis|je prends) (?:the|that|la|le|l|ce|cette|celui|celle)\b|(?:i|we) (?:really |just |also )?(?:need|want|would like|would love|am looking for|look for|was wondering|wonder|am wondering|have|had|am trying|got|am curious|am asking|could use) "
    r"(?:to (?:know|see|understand|hear|ask|learn (?:more )?about|read|get|find|write|talk|chat|have a (?:recipe|list|joke|poem))|you to|your|help|some (?:help|ideas?|advice|tips|inspiration|suggestions?|information)|if|how|what|why|whether|about|more|"
    r"(?:a|an|another|the|one|two|three|some|\d+) (?:\w+ ){0,3}?(?:question|questions|recipe|list|summary|poem|story|joke|explanation|translation|example|email|letter|script|function|regex|idea|ideas|tip|tips|synonym|"
    r"word|name|title|riddle|quote|song|definition|code|text|essay|answer|quiz|fact|command|query|formula))"
    r"|(?:je|j|on|nous) (?:veux|voudrais|voulais|aimerais|ai besoin|cherche|me demande|me demandais|ai|souhaite|souhaiterais|desire|ai envie|apprecierais|aurais besoin|aurai besoin) (?:bien |juste |aussi |simplement )?"
    r"(?:savoir|voir|comprendre|connaitre|lire|entendre|demander|avoir|que tu|que vous|ton|ta|tes|ton aide|si|comment|pourquoi|ce que|quel|quelle|quelques (?:idees|conseils)|un coup de main|parler|discuter|rire|trouver|"
    r"(?:d |de |des |une? |plusieurs |deux |trois |quelques )+(?:\w+ ){0,2}?(?:question|questions|recette|recettes|liste|resume|poeme|histoire|blague|explication|traduction|exemple|exemples|mail|lettre|script|fonction|idee|idees|"
    r"conseil|conseils|synonyme|mot|nom|titre|devinette|citation|chanson|definition|code|texte|reponse|quiz|aide|info|infos|information|informations|inspiration|savoir|comprendre))"
    r"|(?:i|we) (?:do not|can not|could not|did not) (?:really |quite |fully )?(?:understand|know|get|see|remember (?:how|what|the)|figure)"
    r"|(?:je|j) (?:ne |n )?(?:comprends|sais|vois|connais|arrive) (?:pas|plus)(?! a (?:dormir|marcher|manger|payer|vivre|oublier))"
    r"|(?:i|we) (?:am |was )?(?:just )?(?:asking|testing|kidding|joking|wondering|checking)|(?:i|je) (?:meant|voulais dire))"
)
# Words that place a statement in the user's own life.
_OWN = re.compile(
    r"\b(?:i|my|me|mine|we|us|our|ours|myself|je|j|m|mon|ma|mes|moi|nous|notre|nos|on|mum|mom|dad|grandma|grandpa|maman|papa|mamie|papi|papy)\b"
)
_WHEN = re.compile(
    r"\b(?:tomorrow|yesterday|tonight|monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april|may|june|july|august|september|october|november|december|"
    r"next (?:week|month|year|weekend)|last (?:week|month|year|night|weekend)|this (?:morning|afternoon|evening|weekend|summer|winter)|in \d+ (?:days|weeks|months)|at \d|since (?:the|my|our)|depuis (?:le|la|les|mon|ma|mes|notre|l)|"
    r"demain|hier|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|janvier|fevrier|mars|avril|mai|juin|juillet|aout|septembre|octobre|novembre|decembre|ce soir|ce week-end|"
    r"(?:la semaine|le mois|l annee|l an) (?:prochaine?|derniere?|passee?)|cet(?:te)? (?:ete|hiver|apres-midi|semaine|annee)|dans \d+ (?:jours|semaines|mois)|a \d+ ?h)\b"
)
_NAMED = re.compile(
    r" (?!English\b|French\b|Spanish\b|German\b|Italian\b|Python\b|Java\b|Docker\b|Excel\b|Batman\b|I\b|Jarvis\b|OK\b|AI\b|LOL\b|IA\b)[A-Z][a-z]+"
)
# What is somebody's: "my landlord", "notre chaudière". Of one's mind, day or turn nobody needs to be told.
_OURS = re.compile(
    r"\b(?:my|our|mon|ma|mes|notre|nos) (?!mind|bad|day|god|goodness|turn|way|point|apologies|pleasure|fault|mistake|question|head|word|avis|tour|dieu|cote|faute|erreur|"
    r"question|reponse|part|tete|plaisir|pote|friend|kind|favo|good|coffee|cafe\b|internet|wi-?fi|lunch|dinner|breakfast|dejeuner|nap\b|sieste|shower|douche|turn|parole|oeil|code|text|texte|function|fonction|script|program|query|requete|essay|sentence|paragraph|file|fichier|regex|loop|boucle|build|bug|prompt|previous|last (?:message|question)|dernier message|input|output|test|tests|algorithm|docker|git|html|css|json|sql|error|points?\b)\w{2,}"
)
# "Marc a eu son bac": a name that opens the clause counts when something is theirs.
_SOMEONE = re.compile(r"[A-Z][a-z]+ .*\b(?:his|her|their|son|sa|ses|leur|leurs)\b")
# "See you tomorrow", and what one is doing while one writes.
_FAREWELL = re.compile(
    r"(?:(?:i will |i )?(?:see|talk to|speak to|catch|chat with) (?:you|ya|u)\b|(?:talk|speak|chat) (?:soon|later|tomorrow)|until (?:tomorrow|next)|(?:have|enjoy) (?:a|an|your)\b|"
    r"(?:on|je) (?:se|te|vous) (?:re)?(?:parle|voit|vois|capte|dit|retrouve|tient|ecrit|contacte)|i will be (?:right )?back|back (?:from|in)\b|je reviens\b|a (?:demain|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|plus|bientot|tout)\b|bon(?:ne)? \w+)"
)
_MEANWHILE = re.compile(
    r"(?:i am (?!planning|getting|moving|thinking|organi[sz]ing|preparing|seeing|flying|leaving|expecting|building|renovating|saving|hoping|launching|selling|buying)\w+ing|je (?:essaie|tente|cherche) (?:de|d|a)|je suis en train)\b"
)
_WORK_AT_HAND = re.compile(
    r"(?:my|mon|ma|mes|the|le|la|this) (?:\w+ )?(?:code|text|texte|function|fonction|script|program|query|essay|sentence|phrase|regex|build|prompt|file|fichier)\b"
)
_JOKE = re.compile(
    r"(?:i am|je suis) (?:\w+ ){1,3}(?:lol|mdr|haha|ptdr|jk|xd|lmao)$|.* (?:jk|just kidding|je rigole|je plaisante)$"
)
# Persons and things of one's life that people name without "my".
_KNOWN_ONES = re.compile(
    r"(?:the|le|la|les|l) (?:\w+ )?(?:landlord|landlady|kids|neighbou?rs?|boss|plumber|electrician|doctor|vet|baby|dog|cat|kitchen|boiler|garden|car|proprietaire|voisine?s?|enfants|patronne?|plombier|medecin|veto|bebe|chien|chat|chaudiere|cuisine|jardin|voiture|petite?s?)\b"
)
_TO_JARVIS = re.compile(
    r"(?:you|your|it|that|this|tu|t|ton|ta|tes|vous|c|ca|cela|there|il (?:y|fait|faut|pleut)|le temps|the weather)\b"
)


def is_worth_keeping(text: str) -> bool:
    """Whether a clause of `text` states something about the user, their people, plans, opinions, or wishes for answers."""
    return any(_is_worth(clause) for clause in clauses_of(text)) or bool(facts_in(text))


def _is_worth(clause: Clause) -> bool:
    words = clause.words
    if wish_in(words):
        return True
    if words.startswith(
        ("remind me", "rappelle-moi ", "rappelle moi ", "do not let me forget", "fais-moi penser")
    ):
        return _says_something(words)
    if clause.is_question or COMMAND.match(words) or _REQUEST.match(words):
        return False
    if (
        not _says_something(words)
        or _FAREWELL.match(words)
        or _JOKE.match(words)
        or _WORK_AT_HAND.match(words)
    ):
        return False
    told = sum(word not in _EMPTY_WORDS and word != "," for word in words.split())
    if _KNOWN_ONES.match(words) and told >= 3:
        return True
    if _OWN.search(words):
        placed = _WHEN.search(words) or _OURS.search(words) or _NAMED.search(clause.cased)
        if told < (4 if _MEANWHILE.match(words) else 2) and not placed:
            return False
        return not _TO_JARVIS.match(words) or bool(_WHEN.search(words))
    placed = _WHEN.search(words) or _NAMED.search(clause.cased) or _SOMEONE.match(clause.cased)
    return bool(placed and words.count(" ") >= 2 and not _TO_JARVIS.match(words))


def _says_something(words: str) -> bool:
    return any(word not in _EMPTY_WORDS and word != "," for word in words.split())
