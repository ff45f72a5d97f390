"""What the first words of a clause tell: a mere opener, a question, an order, somebody else's words. Pure."""
# ruff: noqa: E501 - lists of words inside patterns

import re

# What opens a clause without saying anything. Of these, some announce that what was said before is corrected.
_LEAD = re.compile(
    r"(?:(?P<correction>actually|in fact|no|sorry|correction|scratch that|wait|i was wrong|my mistake|i meant|i made a mistake|i misspoke|i mean|oops|whoops|in reality|strike that|on second thoughts?|to correct myself|(?:it )?turns out(?: that)?|oups|autant pour moi|au temps pour moi|"
    r"finalement|en fait|non|pardon|en realite|je me suis (?:trompee?|plantee?|mal exprimee?)|j ai (?:dit une betise|fait une erreur|change d avis)|je corrige|rectification|erreur)"
    r"|well|so|oh|it happens that|as it happens|the thing is(?: that)?|as you know|given(?: the fact)? that|seeing (?:that|as|how)|considering(?: that)?|knowing that|as (?=i |we |my )|long story short|quick (?:note|question|one|update)|(?:keep|bear) in mind(?: that)?|i (?:have to|must|should|gotta|can) (?:say|admit|confess|mention|add|tell you)(?: that)?|just|at the moment|as of now|by now|lately|at last|(?:please )?(?:save|store|write down|keep|add)(?: to (?:your )?memory)? that|in case you (?:wondered|are wondering|forgot)|(?:to|for) (?:context|background|reference)|some (?:context|background)|small update|little update|life update|(?:please )?note(?: that)?|please|luckily|sadly|unfortunately|obviously|basically|hmm|haha|lol|omg|wow|damn|man|dude|then|later|while|whereas|although|(?:ca fait|voila|il y a) (?:\w+ ){1,4}que?|vu que?|sachant que?|etant donne que?|comme (?=j |je |on |nous |mon |ma |notre )|(?:alors |bon |et )?voila|il se trouve que?|(?:j avoue|faut dire|il faut dire|je dois (?:dire|avouer)|je precise|j ajoute)(?: que?)?|le truc c est que?|en gros|bref|ca y est|a vrai dire|pour (?:etre honnete|tout te dire|info|etre clair)|en vrai|(?:garde|gardez|ayez|aie) (?:bien )?(?:en tete|a l esprit)(?: que?)?|(?:prends|tiens) (?:bien )?(?:note|compte)(?: que?)?|rappelle-toi que?|sauf que?|puis|ensuite|deja|bien que?|malheureusement|heureusement|apparemment|pfiou?|pff+|youpi|hourra|stp|svp|s il te plait|(?:petit|petite) (?:contexte|precision|info)|contexte|precision|vous savez|alors que?|tandis que?|ah|hey|hi|hello|by the way|btw|and|but|also|yes|yeah|ok|okay|look|listen|because|since|fyi|jarvis"
    r"|just so you know|for the record|you know|you should know|(?:please )?(?:remember|note|know)(?: this)?(?: that)?"
    r"|(?:please )?do not forget(?: that)?|i(?: would)? (?:want|like) you to (?:know|remember) that|as of (?:today|this \w+|last \w+)|by trade|professionally|dans la vie|these days"
    r"|i think i told you|i have to tell you|guess what|good news|big news|news|update|fun fact|ps|for info|to be honest|honestly"
    r"|right now|now|nowadays|today|currently|personally|in general|at home|this week|since (?:yesterday|last \w+|this \w+)"
    r"|au fait|bon|ben|bah|alors|et|mais|donc|oui|ouais|salut|bonjour|coucou|hello|euh|tiens|d accord|car|parce qu?e?"
    r"|(?:sache|sachez|retiens|retenez|note|notez|memorise|enregistre|souviens-toi|rappelle-toi|n oublie pas|noter|a noter)(?: bien)?(?: que?)?|il faut que tu saches que?|je te (?:rappelle|signale|precise) que?"
    r"|(?:pour|a titre d) info(?:rmation)?|du coup|eh bien|figure-toi que?|tu sais quoi|tu sais|je dois te dire que|sinon|d ailleurs|a propos"
    r"|maintenant|desormais|aujourd hui|actuellement|en ce moment|perso|personnellement|franchement|depuis (?:\w+ ){1,4}?(?=j |je |on |nous |mon |ma |notre )|depuis (?:hier|peu)"
    r"|bonne nouvelle|grande nouvelle|nouvelle|moi (?!c )|moi ,)(?: ?, ?| |$|(?<= ))"
)
HYPOTHETICAL = re.compile(
    r"(?:if|i wish|imagine|suppose|supposing|pretend|what if|let us say|say i|unless|as if|si|s|imagine|imaginons|supposons|admettons|"
    r"et si|comme si|a supposer|in (?:the|this|my|our|a|that) (?:\w+ )?(?:story|novel|book|game|dream|film|movie|play|campaign|script|screenplay|poem|song)|dans (?:le|la|ce|mon|ma|notre|un|cette|une) (?:\w+ )?(?:livre|roman|jeu|reve|film|histoire|piece|partie|chanson|nouvelle|scenario|poeme))\b"
)
# What follows is fiction, a game or a letter, to the end of the message.
FICTION = re.compile(
    r"(?:(?:let s|let us|we) (?:play|pretend|imagine|role ?-?play)|(?:you are|you re|tu es|vous etes) (?:an?|une?|the|le|la) [\w ]{1,30}?(?:,| and| et) (?:i|my|je|j|mon|ma)|role ?-?play|jeu de role|"
    r"on (?:joue|imagine|dit que)|jouons|fais(?:ons)? comme si|dear (?:sir|madam|mr|mrs|ms|hiring|all|team|customer|diary)|to whom it may|"
    r"(?:cher|chere|chers|cheres|madame|monsieur|messieurs|mesdames)\b[^,]{0,30},|(?:as|like) the (?:song|saying)|comme (?:dit|disait|on dit)|"
    r"(?:here is )?(?:a|an|another|my) (?:riddle|joke|story|poem)|(?:une |voici une )?(?:devinette|blague|enigme)|"
    r"in (?:the|this|my|our|a|that) (?:\w+ )?(?:story|novel|book|game|film|movie|play|campaign|script|screenplay|poem|song)|"
    r"dans (?:le|la|ce|mon|ma|notre|un|cette|une) (?:\w+ )?(?:livre|roman|jeu|film|histoire|piece|partie|chanson|scenario|poeme))"
)
# A text is wanted, and what follows is in it: "an email saying that I am sick".
DICTATION = re.compile(
    r"\b(?:saying|that says|which says|telling|stating|explaining|to say|in which|where|about (?:how|a)|with the (?:words|text)|qui dit|disant|pour dire|expliquant|ou|dans lequel)\b"
)
# "I live in Rome, don't I?" asks; so does "right?".
TAG = re.compile(
    r", ?(?:right|no|correct|yes|eh|innit|true|am i|do i|(?:am|do|is|are|was|did|have|had|will|would|could|should)(?: not|n't) (?:i|it|we|you|he|she|they)|(?:aren|isn|don|didn|wasn)'?t (?:i|it|we|you)|non|hein|n'est-ce pas|n'est ce pas|pas vrai|c'est ca|oui|si)$"
)
# Someone else speaks, or the user asks Jarvis to work on a text.
REPORTED = re.compile(
    r"(?:(?:my|our|the|mon|ma|mes|le|la|les) )?(?:\w[\w-]*,? ){1,3}?(?:(?:just|also|always|a|ont|m|t|lui|nous|me|has|have|had) ){0,3}"
    r"(?:said|says|say|thinks?|thought|believes?|believed|wrote|writes|claims?|claimed|asked|asks|told|tells|dit|disait|disent|pense|pensait|croit|croyait|"
    r"ecrit|demande|pretend|raconte)\b"
)
OWN_SPEECH = re.compile(r"(?:i|we|je|j|nous|on)\b")
SPOKEN_TAIL = re.compile(
    r", (?:(?:he|she|they|\w+) (?:said|says|told me|wrote)|(?:dit|disait|ecrit)-(?:il|elle)|a-t-(?:il|elle) dit|m a-t-(?:il|elle) dit)\b"
)
MATERIAL = re.compile(
    r"\b(?:said|says|wrote|told|translate|summari[sz]e|correct|proofread|rewrite|rephrase|text|sentence|letter|email|"
    r"dit|ecrit|traduis|traduire|resume|corrige|reformule|texte|phrase|lettre|poem|poeme|story|lyrics|paroles)\b"
)
ASKS = re.compile(
    r"(?:do|does|did|am|are|is|was|can|could|would|will|should|shall|have|has|what|where|when|who|whom|whose|which|why|how|"
    r"est-ce|qu|que|quel|quelle|quels|quelles|ou (?:est|sont|habite|vis|puis|dois)|quand est|qui|comment|pourquoi|combien|peux-tu|pouvez-vous|"
    r"pourrais-tu|tu peux(?! m appeler)|ai-je|suis-je|dois-je|habite-je|as-tu|es-tu|c est quoi|sais-tu|tu sais (?:ou|quand|qui|comment|si)|tu te souviens|te souviens-tu|"
    r"do you|you know)\b"
)
COMMAND = re.compile(
    r"(?:(?:please|just|now|can you|could you|would you|will you|try to|let us|peux-tu|tu peux|stp|svp|s il te plait|merci de|essaie de|va-y|vas-y) )*"
    r"(?:let me|put|walk|guide|act|rank|arrange|tell|give|show|write|explain|translate|summari[sz]e|list|make|find|help|sing|play|set|draw|describe|compare|calculate|compute|convert|count|define|"
    r"recommend|suggest|rewrite|rephrase|fix|check|correct|continue|go on|complete|fill in|finish|repeat|stop|open|close|turn|search|look|generate|create|compose|name|read|say|spell|"
    r"solve|imagine|pick|choose|guess|teach|plan|think|talk|ask|surprise|start|try|add|remove|sort|shorten|proofread|test|wait|add|put|improve|draft|recite|invent|"
    r"dis|dites|donne|donnez|montre|ecris|ecrivez|explique|expliquez|traduis|resume|liste|fais|faites|trouve|aide|chante|joue|mets|dessine|decris|compare|"
    r"calcule|convertis|compte|definis|recommande|conseille|suggere|propose|reecris|reformule|corrige|complete|termine|verifie|continue|repete|arrete|ouvre|ferme|allume|eteins|"
    r"cherche|genere|cree|compose|cite|lis|epelle|resous|choisis|devine|apprends|apprends-moi|planifie|raconte|parle|pose|surprends|commence|essaie|ajoute|enleve|trie|"
    r"ameliore|redige|invente|prepare|organise|recommence|attends|regarde|tape|rappelle|detaille|developpe|simplifie|raccourcis|envoie|lance|laisse|nomme|nommez|range|classe|rends|guide|change|oriente|situe|\w+-moi|relis|relisez|indique)(?:-(?:moi|nous|le|la|les|lui|en|toi|vous))*(?:\b|$)"
)


def without_lead(words: str) -> str:
    """Return `words` from where they begin to say something; six openers in a row are the most people use."""
    for _ in range(6):
        found = _LEAD.match(words)
        if not found:
            break
        words = words[found.end() :]
    return words


def corrects(lead: str) -> bool:
    """Whether one of the openers in `lead` takes back what was said before."""
    while found := _LEAD.match(lead):
        if found["correction"]:
            return True
        lead = lead[found.end() :]
    return False
