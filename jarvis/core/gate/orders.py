"""The forms of orders to a model, in English and French, by the words that open them.

They are matched against one sentence in lower case, without accents and signs, at a word that opens them.
Every repetition is bounded: the time is linear in the text.
"""
# ruff: noqa: E501 - a pattern is read whole, on one line

import re
from functools import cache

_RULES = (
    r"(?:instructions?|prompts?|rules?|directives?|guidelines?|orders?|commands?|context|training|guidance|programming|messages?|constraints?|restrictions?|"
    r"filters?|safety|directions?|protocols?|consignes?|regles?|ordres?|contexte|contraintes?|programmation|limites|policies|policy)"
)
_ANY = (
    r"(?:(?:all|any|every|everything|of|the|these|those|your|my|our|previous|prior|above|earlier|preceding|former|system|initial|original|safety|other|past|and|"
    r"toutes?|tous|tes|vos|les|des|de|ces|mes|precedentes?|precedents?|anterieures?|initiales?|system|systeme|ci-dessus|autres|content|old|existing|current|anciennes?|anciens) ){0,6}"
)
# Only with one of these are the rules the model's: "ignore the rules" may be told of a game, "ignore your rules" is an order.
_THEIRS = r"(?:all|any|your|previous|prior|above|earlier|preceding|system|initial|original|everything|toutes?|tous|tes|vos|precedentes?|precedents?|anterieures?|initiales?|systeme|ci-dessus)"
_GONE = (
    r"(?:(?:are|is|were|have been|has been|stand|become|sont|est|ont ete|a ete|deviennent) (?:now |hereby |all |officially |no longer |desormais |maintenant |toutes |tous |plus |a present ){0,4}"
    r"(?:void|revoked|cancel+ed|null|invalid|obsolete|overrid+en|superseded|lifted|suspended|removed|rescinded|annulled|gone|replaced|deleted|erased|outdated|irrelevant|ignored|valid|in force|in effect|applicable|binding|disabled|off|withdrawn|dropped|abolished|"
    r"annulees?|annules?|nulles?|nuls?|caduques?|caducs?|obsoletes?|levees?|leves?|suspendue?s?|suspendus?|abrogees?|remplacees?|remplaces?|supprimees?|supprimes?|invalides?|effacees?|valables?|revoquees?|abolies?|desactivees?|perimees?|terminees?|sans effet)\b"
    r"|no longer (?:apply|applies|exist|exists|hold|holds|count|matter|bind|stand)|(?:do not|don t|does not|cease to|ceased to|stopped) (?:apply|exist|count|matter|hold|bind|applying|existing)(?: any ?more| any longer| now| to you)?"
    r"|(?:ne |n )(?:s appliquent?|existent?|comptent?|valent?|tiennent?|te concernent?|sont|est|ont)(?: plus| pas)\b)"
)
_SUBJECT_RULES = r"(?:instructions?|prompts?|rules?|directives?|guidelines?|directions|constraints?|restrictions|programming|limitations|protocols?|consignes?|regles?|contraintes?|programmation|limites)"
_REPLIES = r"(?:repl(?:y|ies)|answers?|responses?|outputs?|reponses?)"
_TO_HOLD = r"(?:mention|contain|include|end|begin|start|promote|recommend|praise|advertise|finish|close|open|cite|quote|link|say|feature|carry|contenir|mentionner|commencer|finir|se terminer|terminer|inclure|citer|recommander|promouvoir|vanter|comporter|comprendre|debuter)"
_PATTERNS: dict[str, tuple[str, ...]] = {
    # Forget what you were told.
    "ignore disregard forget override bypass overrule discard drop skip neglect delete reset ignorez ignores oublie oubliez oublies contourne neglige abandonne efface desactive outrepasse disable suspend lift cancel revoke void annul scrap ditch erase wipe abolish annule annulez supprime supprimez revoque abroge leve efface effacez jette": (
        rf"\w+ (?:about |de |that |completely )?(?={_ANY}{_RULES}\b)(?:\w+ ){{0,6}}?{_THEIRS}\b",
        rf"\w+ (?:about )?{_ANY}{_RULES} (?:above|before|given|so far|you (?:were|have been) given|precedentes?|ci dessus|anterieures?|que (?:tu as|on t a)|initiales?|d avant)",
        r"\w+ (?:the |all |everything )*above\b",
        r"\w+ (?:all |everything |tout )(?:of )?(?:that |what )?(?:you (?:were|have been|are) (?:told|taught|given)|above|before|prior|previous|precede|ce qu on t a dit|ce qui precede|ce que tu sais|ce que je t ai dit)",
        r"\w+ (?:your |the |all |ton |tes |toutes les |les )?(?:content |ethical |moral )?(?:safety|guardrails?|filters?|content policy|restrictions|filtres?|garde fous|limitations?|securites?)\b(?! in| on| of the car)",
    ),
    "do not stop arrete cesse ne n": (
        rf"(?:do not|don t|never|stop) (?:follow|obey|respect|apply|following|obeying|listen to|listening to|honou?r|adhere to) {_ANY}{_RULES}",
        rf"(?:ne |n )?(?:suis|respecte|obeis|applique|ecoute|tiens|tenez|respectez|suivez)(?: pas| plus)? (?:pas |plus |jamais )?(?:compte )?(?:a |de |d |aux )?{_ANY}{_RULES}",
        rf"ne (?:suis|respecte|applique) (?:plus |pas |jamais )?aucune? (?:de |des ){{1,2}}{_ANY}{_RULES}",
        rf"(?:arrete|arretez|cesse) (?:de |d )(?:suivre|respecter|obeir a|appliquer|ecouter) {_ANY}{_RULES}",
        rf"ne (?:tiens|tenez|tiens plus) (?:plus |pas |aucun )?(?:pas )?compte (?:de |des |d )+{_ANY}{_RULES}",
        r"ne (?:mentionne|parle|dis|revele|signale|refuse)s? (?:jamais|plus|pas) (?:\w+ ){0,4}?(?:a l utilisateur|aux utilisateurs)",
    ),
    "passe passez fais faites outrepasse transgresse viole break violate leave": (
        rf"(?:passe|passez) outre (?:a )?{_ANY}{_RULES}",
        rf"(?:fais|faites) (?:abstraction|fi|table rase) (?:de |des |d ){_ANY}{_RULES}",
        rf"(?:transgresse|viole|break|violate) {_ANY}{_RULES}",
    ),
    # The model's memory as a place for orders.
    "remember remembers bear commit log garde gardez mets mettez conserve stocke noter souviens souvenez retiens note rappelle memorise keep enregistre save store add write record memorize sauvegarde ajoute inscris grave": (
        r"\w+(?: toi| vous)?(?: bien)? (?:that |que |qu )?(?:from now on |always |a partir de maintenant |desormais )?(?:you|tu|vous|the assistant|l assistant|jarvis|the ai|l ia) (?:must|should|have to|are to|are (?:now|not)|will|shall|always|never|can not|may not|dois|devez|doit|ne dois|ne devez|es (?:maintenant|desormais)|seras|n as|n es|can ignore|no longer)\b",
        r"\w+ (?:this |that |ceci |cela |ca )?(?:to|in|into|dans|en) (?:your |the |ta |la |votre |long-term |permanent )*(?:memory|memories|memoire)(?: that| que)? (?:\w+ ){0,3}?(?:never|always|assistant|ai|must|ne jamais|jamais|toujours|tu dois|user|utilisateur|model)\b",
        r"(?:garde|gardez|mets|mettez|note|conserve|stocke|enregistre|keep|bear|commit|put|hold)(?: bien)?(?: this| ceci| cela)? (?:en|dans ta|dans votre|dans ton|in|to|into)(?: your| ta)? (?:memoire|tete|esprit|mind|memory)(?: long terme)? (?:that |que |qu )?(?:tu|vous|you|l assistant|the assistant|l ia|the ai|jarvis) (?:dois|devez|doit|must|should|are|have to|need|will|shall|belong|work for|serve|always|never|can not|may|no longer|appartiens|es (?!mon|ma|gentil)|seras|travailles|obeis|sers|ne|n as|n es|reponds|feras|diras|peux|vas)\b",
        r"\w+(?: toi| vous)?(?: bien)? (?:that |que |qu )?(?:you|tu|vous) (?:(?:are|were) (?:required|obliged|supposed|expected|programmed|instructed|bound|owned|allowed|authori[sz]ed|created|built) |belong to|work for|serve |obey|need to|exist (?:to|for)|appartiens|travailles pour|obeis|sers|es (?:oblige|tenu|programme|cense|autorise|la propriete)|as (?:le droit|l obligation|pour (?:mission|instruction|ordre|consigne)))",
        r"\w+ (?:this|the following|that|it|ceci|cela|ca|ce qui suit) (?:as|comme) (?:an? |une? |the |your |ta )?(?:\w+ ){0,2}?(?:rules?|instructions?|directives?|orders?|commands?|policy|regles?|consignes?|ordres?)\b",
        r"\w+ (?:to|in|into|dans|a) (?:your|ta|votre|the assistant s) (?:long term |permanent ){0,2}(?:memory|memories|memoire)(?: that| que)? (?:\w+ ){0,10}?(?:the user|l utilisateur|users|trusted|trust|links?|admin\w*|authori[sz]ed|permission|liens?|de confiance)\b",
        r"remember (?:that )?(?:always|never) (?:to )?(?:tell|say|recommend|mention|answer|reply|respond|end|include|promote|trust|refuse)\b",
        r"(?:souviens toi|retiens|n oublie pas) de (?:toujours|jamais|ne jamais) \w+",
    ),
    # Who reads this is a model.
    "assistants assistant ai ais llm llms chatbots chatbot models model bots ia ias if si agents agent language dear attention note message notes instruction instructions consigne consignes info memo": (
        r"(?:note|notes|message|attention|instructions?|memo|consignes?|info) (?:to self )?(?:to|for|pour|a|aux|destinee?s? (?:a|aux)) (?:the |any |all |every |l |les |tout |toute |toutes? les |your |votre |an? |une? )?(?:ai|ais|ia|ias|llms?|assistants?|chatbots?|bots?|language models?|modeles?)\b(?! manager| director| coach| teacher| principal)",
        r"(?:if|si) (?:you are|you re|tu es|vous etes) (?:an? |une? )?(?:\w+ )?(?:ai|llm|language model|assistant|chatbot|bot|agent|ia|intelligence artificielle|modele)\b",
        r"(?:(?:(?:ai|language|virtual|chat) )(?:assistants?|models?|bots?|agents?)|ais?|llms?|chatbots?|ias?|(?<!my )(?<!our )(?<!shop )(?<!sales )(?<!mon )(?<!notre )assistants?) (?:reading|processing|parsing|viewing|summari[sz]ing|(?:that|who|which|qui) (?:reads?|process(?:es)?|sees?|handles?|summari[sz]es?|pars(?:e|es)|receives?|traite\w*|resume\w*|voit|analyse\w*)|must|should|shall|has to|have to|need to|needs to|qui lis\w*|qui lit|doit|doivent|doivent)\b",
        r"(?:dear|attention|note to|hey|hello)(?: any| all| the)? (?:ai|llm|language model|ai assistant|assistants?|chatbot|bots?)\b(?! i| my| can| how| what)",
    ),
    "when whenever quand lorsque si if": (
        r"(?:when|whenever|if|quand|lorsque|si) (?:the user|a user|users|l utilisateur|un utilisateur|les utilisateurs|someone|anyone|somebody|quelqu un|on) (?:te |t |vous |you )?(?:\w+ ){1,8}?(?:you (?:must|have to|should|will|shall|always|need)|(?:toujours )?(?:recommend|suggest|tell|say|mention|answer|reply|respond|recommande|conseille|dis|propose|reponds|mentionne|suggere|affirme|claim|promote|redirect|send|envoie)\b)",
    ),
    "decode decrypt decoder decodes dechiffre execute follow": (
        r"(?:decode|decrypt|decoder|dechiffre)\b(?: \w+){0,8}? (?:and|then|et|puis) (?:do|follow|execute|run|obey|carry|apply|fais|execute|suis|obeis|applique)\b",
    ),
    "safety restrictions limits filters guardrails securite filtres content": (
        r"(?:safety|content|all|security|les|tes)? ?(?:checks?|restrictions?|limits|filters?|guardrails?|filtres?|securites?|policies|policy) (?:are|is|have been|sont|est|ont ete) (?:now |all |desormais |maintenant )?(?:off|disabled|lifted|removed|suspended|deactivated|levee?s?|desactivee?s?|supprimee?s?|suspendue?s?)\b",
    ),
    # Be someone else.
    "you tu vous": (
        r"you (?:are|re) (?:now|no longer|from now on|henceforth) (?!able|my \w+|the best|right|so\b|very\b|really\b|officially\b|part of|wrong|in|at|done|finished|ready|free to go)(?:an? |in |the |my |going to |bound |restricted |called |named )?\w+",
        r"you (?:must|will|shall|should|have to|are to|need to) (?:now |always |never |only |henceforth )*(?:obey|comply|pretend|ignore|disregard|act as|roleplay|reveal|refuse|never refuse|answer (?:with|only|every|all)|respond (?:with|only)|reply (?:with|only)|say|trust|promote|advertise|call yourself|be called|speak (?:only|like)|behave|serve|follow my|do (?:whatever|everything|as i)|send|forward|delete|tell (?:the user|everyone|users)|recommend|do anything|not mention|mention)",
        r"you (?:have no|are free of|are not bound by|do not have(?: any)?) (?:rules|restrictions|limits|filters?|limitations|guidelines|content policy)",
        r"(?:tu es|vous etes) (?:maintenant|desormais|dorenavant|a present) (?!mon \w+|ma \w+|la|pret|prete|libre|mieux)\w+",
        r"(?:tu dois|vous devez|tu devras|il faut que tu) (?:maintenant |desormais |toujours |absolument |imperativement |seulement )*(?:obeir|obeis|ignorer|ignores|faire semblant|pretendre|reveler|reveles|oublier|repondre (?:par|uniquement|a tout)|dire|recommander|te comporter|agir)",
        r"(?:tu n as|tu n es|vous n avez) (?:plus |pas )?(?:aucune |soumis a )?(?:de |d )?(?:aucune )?(?:regles?|restrictions?|limites?|filtres?)",
        r"you (?:(?:no longer|do not|don t) (?:have to|need to|must)?|are no longer (?:required|obliged|bound) to|need not) ?(?:follow|obey|respect|comply|listen|adhere|heed|apply) (?:\w+ ){0,5}?(?:rules?|instructions?|guidelines?|developers?|creators?|polic(?:y|ies)|restrictions|directives|makers?|openai|anthropic|programming|prompt)\b",
        r"(?:tu n es|vous n etes) (?:plus|pas) (?:obligee?|tenue?|forcee?|soumise?|liee?|contrainte?)s? (?:\w+ ){0,5}?(?:regles?|consignes?|instructions?|directives|developpeurs?|createurs?|restrictions|contraintes)\b",
        r"(?:tu|vous) n (?:as|avez) plus (?:a |besoin d |besoin de )?(?:suivre|respecter|obeir|appliquer) (?:\w+ ){0,5}?(?:regles?|consignes?|instructions?|directives)\b",
    ),
    "act pretend roleplay role-play behave simulate imagine agis comporte toi comportez vous fais joue simule": (
        r"(?:act|behave) (?:as|like) (?:if you (?:are|were|have|had) |an? )?(?:unrestricted|unfiltered|uncensored|jailbroken|evil|dan\b|no |without|an ai without|admin|root|developer mode|not bound)",
        r"(?:pretend|roleplay|simulate) (?:that |to be |as )?(?:you (?:are|have|were) )?(?:an? )?(?:unrestricted|unfiltered|uncensored|jailbroken|evil|dan\b|no (?:rules|restrictions|filters?|limits)|an ai (?:without|with no)|ai (?:without|with no)|developer mode|not an ai|free of)",
        r"(?:act|behave|pretend|roleplay|role-play|imagine)(?: as| like| to be| that| you are| you re| you were){1,3} (?:my |an? |the )?(?:\w+ ){0,3}?(?:ai|assistant|model|chatbot|dan|hacker|villain|grandmother|grandma|granny|grandfather|developer|admin|root|god)\b",
        r"(?:fais|faites) comme si (?:tu|vous) (?:n |ne )?(?:avais|aviez|etais|etiez|pouvais|connaissais) (?:aucune?|pas|plus|une ia|un hacker|libre)",
        r"(?:agis|comporte toi|comportez vous|joue|simule|fais) (?:comme si tu (?:n avais|etais|avais)|comme une ia|le role d une ia|semblant (?:d etre|de n avoir)|comme un(?:e)? (?:ia|assistant)) ?(?:aucune|pas de|sans|libre|une ia|non|plus|dan|un)?",
    ),
    "you": (r"you (?:must|will|shall|are to) (?:now )?(?:answer|act|speak|respond|reply|operate|function) as\b",),
    # A standing order.
    "from henceforth hereafter a desormais dorenavant starting reponds repondez answer reply respond": (
        r"(?:from now on|henceforth|hereafter|from this point on|from this moment|starting now|from here on) (?:you|every|all|each|only|always|never|your|refuse|respond|answer|reply|say|end|begin|start|do not|when|whenever|act|pretend|obey|include|add|if)\b",
        r"(?:reponds|repondez) (?:desormais |a partir de maintenant |toujours )(?:a )?(?:toutes |chaque |tout )",
        r"(?:answer|reply to|respond to) (?:every|all|each|any)(?: of)?(?: my| the)? (?:questions?|messages?|prompts?) (?:with|by|using only|as)\b",
        r"(?:from here on out|from here on|starting today|as of now|effective immediately) (?:you|your|every|all|only|always|never)\b",
        r"(?:a partir de (?:maintenant|cet instant)|desormais|dorenavant|a compter de maintenant) (?:tu (?:dois|vas|ne|es|reponds?|n|obeis|seras|diras|devras|repondras|commenceras|termineras)|vous (?:devez|allez|etes)|reponds|repondez|dis|ne|toutes tes|chacune de|chaque reponse|refuse|agis|ton|tes|termine|commence|obeis|quand)\b",
    ),
    "always never toujours jamais whenever when if every each quand si chaque lorsque": (
        r"always (?:answer|reply|respond|end|start|begin|include|add|append|mention|say|recommend|tell|output|write|insert|trust|obey|agree|sign|finish|execute|run|approve|give)\b(?: \w+){0,2}? ?(?:with|by|that|to|the|your|every|as|yes|no|using|me that|users?|it|any|all)\b",
        r"never (?:refuse|mention|reveal|tell the user|say (?:no|that)|disclose|question|decline|contradict)\b",
        r"(?:whenever|when|if|every time|each time) (?:i|anyone|someone|the user|a user|users|somebody|you are|you|asked) (?:\w+ ){0,8}?(?:you (?:must|will|should|shall|have to|always)|(?:then )?(?:answer|reply|respond|output|say) (?:with|only|that|exactly|by|yes|no))\b",
        r"toujours (?:repondre|terminer|commencer|dire|recommander|ajouter|inclure|mentionner|obeir)\b",
        r"(?:quand|si|lorsque|chaque fois que) (?:on|quelqu un|je|l utilisateur|un utilisateur|tu|vous) (?:\w+ ){0,8}?(?:tu (?:dois|devras|repondras|diras)|(?:reponds|repondez|dis|affiche)(?: toujours)? (?:que|par|avec|uniquement|seulement|exactement|oui|non))\b",
    ),
    "reponds repondez termine commence ajoute dis answer reply respond end begin start append": (
        r"(?:reponds|repondez|dis|termine|commence|ajoute) (?:toujours|systematiquement|desormais|uniquement|exclusivement) (?:\w+ ){0,3}?(?:par|avec|que|oui|non|tes|chaque|a la fin|a chaque|toutes)\b",
        r"(?:answer|reply|respond) (?:only |exclusively |to (?:everything|every question|all questions|anything|any question|every message) )(?:with|by|that)\b",
        r"(?:end|begin|start|append|prefix) (?:every|each|all|all of your|your) (?:\w+ )?(?:answers?|repl\w+|responses?|messages?|sentences?)\b",
        r"(?:termine|commence|ajoute) (?:toutes |chacune |chaque )?(?:de )?(?:tes |chaque )?(?:reponses?|messages?|phrases?) (?:par|avec)\b",
    ),
    # Show what you were given.
    "reveal show print repeat output display leak tell give what dump expose share disclose write revele montre affiche repete donne dis quelles quel quelle recopie copie ecris": (
        r"(?:reveal|show|print|repeat|output|display|leak|tell|give|dump|expose|share|disclose|write)(?: me| us| out| back| verbatim)* (?:\w+ ){0,3}?(?:your|the) (?:\w+ ){0,2}?(?:system prompt|system message|initial instructions|hidden (?:instructions|prompt|rules)|original (?:prompt|instructions)|secret (?:instructions|prompt)|initial prompt|developer message|prompt verbatim|instructions verbatim|prompt|instructions (?:above|you were given))\b",
        r"(?:repeat|print|output|write|copy) (?:everything|all|the (?:words|text|lines?|content)) (?:above|before|that precedes?|preceding)",
        r"what (?:is|are|was|were|s) your (?:system prompt|initial instructions|hidden instructions|original instructions|system message|instructions|initial prompt)\b",
        r"(?:revele|montre|affiche|repete|donne|dis|recopie|copie|ecris)(?: moi| nous)?(?: moi)? (?:\w+ ){0,3}?(?:ton|tes|le|les|ta|votre|vos) (?:\w+ ){0,2}?(?:prompt|instructions? (?:systeme|initiales?|cachees?|secretes?|internes?)|consignes? (?:systeme|initiales?|cachees?|secretes?|internes?)|message systeme)\b",
        r"(?:repete|recopie|affiche|ecris)(?: moi)? (?:tout )?(?:ce qui precede|le texte (?:ci dessus|precedent)|les mots (?:ci dessus|precedents))",
        r"(?:quelles?|quel) (?:sont|est) (?:tes|ton|vos|votre) (?:instructions|consignes|prompt|directives)\b",
    ),
    "enable activate enter switch developer jailbreak dan mode active passe entre sudo": (
        r"(?:enable|activate|enter|switch (?:to|into)|active|passe en|entre en|passe au) (?:the |le |your )?(?:developer|debug|god|admin|dan|jailbreak|unrestricted|developpeur|sans restriction|mode (?:developpeur|admin|debug|dan|sans|dieu|jailbreak))",
        r"(?:jailbreak|developer|dan|god) mode (?:enabled|activated|on|active)",
        r"mode (?:developpeur|dan|jailbreak|sans restriction|admin) (?:active|enclenche|on)",
        r"sudo (?:mode|ignore|override)",
    ),
    "do fais execute call run appelle invoke": (
        r"do anything now\b", r"fais tout ce que je (?:dis|demande) sans",
        r"(?:execute|call|run|invoke|appelle) (?:the |le |la |l )?(?:tool|function|outil|fonction) \w+ (?:with|avec|now|to)",
    ),
    # Wherever it replies, this is to stand.
    "at a au en every each whenever when": (
        r"at the (?:very )?(?:end|beginning|start|top|bottom) of (?:every|each|all)(?: of)?(?: your| single| the){0,2} (?:messages?|repl(?:y|ies)|answers?|responses?|outputs?)\b",
        r"(?:a la fin|au debut|au bas|en tete) de (?:chacune? de|chaque|toutes?|tous) ?(?:tes |vos |les )?(?:messages?|reponses?|phrases?)\b",
        r"(?:every time|each time|whenever|when) you (?:reply|answer|respond|write back|speak) (?:\w+ ){0,4}?(?:slip|insert|add|include|mention|say|put|begin|start|end|recommend|praise|promote|append|quote)\b",
        r"(?:chaque fois que|a chaque fois que|quand|lorsque) (?:tu|vous) (?:reponds|repondez|ecris|parles) (?:\w+ ){0,4}?(?:ajoute|glisse|insere|mentionne|dis|mets|cite|commence|termine|recommande|vante)\b",
    ),
    "forget oublie oubliez": (r"\w+ (?:who|what|qui|ce que) (?:you are|tu es|vous etes)\b", r"\w+ (?:that )?(?:you are|que tu es|que vous etes) (?:an? |une? )?(?:ai|ia|assistant|chatbot|bot|language model)\b"),
    "the les what whatever tout": (
        rf"(?:the |all |les |toutes ){{1,2}}(?:\w+ )?{_SUBJECT_RULES} (?:that )?(?:you (?:were|have been|had been|got|received)|qu on t a|que tu as|qu ils t ont) (?:\w+ ){{0,4}}?{_GONE}",
        rf"(?:what|whatever|everything|tout ce que|ce que) (?:your |the |tes |les )(?:developers?|creators?|makers?|developpeurs?|createurs?) (?:\w+ ){{0,5}}?{_GONE}",
    ),
    # Rules said to be gone, or replaced by these.
    "your tes vos ton votre all any the previous prior earlier les toutes tous every": (
        rf"(?:(?:all |any |every |of |toutes |tous ){{0,4}}(?:your|tes|vos|ton|votre)|(?:all|any)(?: the| of the)?(?= (?:previous|prior|earlier|former|existing|your|above))|(?<!\w )(?:(?:toutes |tous )?les|the)?(?= ?(?:previous|prior|earlier|(?:consignes|instructions|directives|regles|contraintes) (?:precedent|anterieur|initial)))) ?(?:\w+ ){{0,3}}?{_SUBJECT_RULES}(?: (?:precedente?s?|anterieure?s?|initiale?s?|given|above|so far|de securite)){{0,4}} {_GONE}",
        rf"(?:your|tes|vos|ton|votre) {_ANY}{_SUBJECT_RULES}(?: \w+)? {_GONE}",
    ),
    "the this these following ce ces ceci le la message what": (
        rf"(?:the |this |these |what |ce |ces |ceci |le |la ){{0,4}}(?:follows?|following|message|text|rules?|instructions?|texte|suit|consignes?|regles?|document|page|email)? ?(?:overrides?|supersedes?|replaces?|cancels?|outranks?|revokes?|takes? (?:precedence|priority) over|remplacent?|annulent?|prevaut sur|prime sur) (?:all |any |toutes? |tous )?(?:of )?(?:your|tes|vos|(?:the |les )?(?:earlier|previous|prior|above|other)) (?:\w+ ){{0,3}}?{_SUBJECT_RULES}\b",
        rf"(?:the |this |these |what |ce |ces |ceci |le |la ){{0,4}}(?:follows?|following|message|text|rules?|instructions?|texte|suit|consignes?|regles?)? ?(?:overrides?|supersedes?|replaces?|cancels?|remplacent?|annulent?) (?:all|any|everything|toutes? les|tous les|tout) {_ANY}{_SUBJECT_RULES}\b",
    ),
    # What every reply is to hold.
    "new nouvelle nouvelles nouveau every each all any your chaque chacune toutes tes vos": (
        rf"(?:every|each|all|any|your|of|the|one|my|single|chaque|chacune|toutes|tes|vos|de|les|future|next|prochaines|futures){{1}} (?:(?:of|your|single|the|de|tes|vos|les|future|next|prochaines|futures) ){{0,4}}{_REPLIES} (?:you give |from now on |que tu donnes |desormais |a partir de maintenant )?(?:(?:must|shall|has to|have to|should|will|needs? to|are to|is to|ought to|doit|doivent|devra|devront|dois) (?:\w+ )?{_TO_HOLD}|contiendra|contiendront|commencera|finira|se terminera)\b",
        r"(?:new|nouvelles?|nouveau) (?:system )?(?:rules?|instructions?|polic(?:y|ies)|directives?|orders?|commands?|regles?|consignes?|ordres?) (?:\w+ ){0,3}?(?:you (?:must|have|will|should|are|shall)|tu (?:dois|devras|vas|reponds)|vous devez|ignore|disregard|always (?:say|recommend|mention|answer|reply)|never (?:refuse|say|mention)|recommend|recommande|reponds|reply|respond|toujours (?:dire|repondre|recommander))\b",
    ),
    "your ta votre ton": (
        r"your (?:long term |permanent )?memory (?:should|must|will|shall|now|has to) ", r"(?:ta|votre) memoire (?:doit|devra|contient|contiendra)\b",
        r"your (?:new|only|real|true|sole|actual) (?:\w+ )?(?:role|task|job|purpose|goal|mission|objective|identity|persona) (?:is|will be|shall be|from now on)\b",
        r"(?:ton|ta|votre) (?:nouveau|nouvelle|seule?|vraie?|unique) (?:\w+ )?(?:role|tache|mission|but|objectif|identite|travail) (?:est|sera|consiste|c est)\b",
    ),
    # Act upon the user, or behind their back.
    "tell inform convince warn persuade ask advise urge instruct notify dis dites annonce informe previens convaincs persuade demande conseille incite invite": (
        r"\w+ (?:to )?(?:the|every|all|each|any|all the|your) users?\b(?! stor| research)(?! group)", r"\w+ (?:a |aux |tous )?(?:l |chaque |les |tout |tes )?utilisateurs?\b",
    ),
    "do never not ne hide conceal keep cache dissimule masque without sans": (
        r"(?:do not|don t|never|not) (?:ever )?(?:tell|inform|alert|notify|mention|reveal|warn|let|show|disclose|say) (?:\w+ ){0,6}?(?:the user|users|the human)\b",
        r"(?:hide|conceal|keep|withhold) (?:\w+ ){0,6}?from (?:the |all |every |your )?(?:users?|human)\b",
        r"ne (?:mentionne|parle|dis|dites|revele|signale|montre|previens|informe|avertis|laisse)s? (?:\w+ ){0,6}?(?:l utilisateur|aux utilisateurs|les utilisateurs)\b",
        r"(?:cache|dissimule|masque|cachez) (?:\w+ ){0,6}?(?:l utilisateur|aux utilisateurs)\b",
        r"without (?:telling|informing|notifying|alerting|asking|warning) (?:the )?users?\b",
        r"sans (?:le dire|rien dire|prevenir|avertir|informer|en parler|demander|en informer) (?:a |en )?(?:l utilisateur|les utilisateurs|aux utilisateurs)",
    ),
    "forward send email transfer exfiltrate upload post envoie envoyez transfere transmets": (
        r"\w+ (?:me |moi )?(?:all|every|your|the last \w+|the user s|the whole|the entire|toutes|tous|l ensemble|tes) (?:\w+ ){0,4}?(?:messages|conversations?|memories|memory|contacts|history|chats?|notes|passwords|secrets|souvenirs|historique|conversations|donnees) (?:\w+ ){0,4}?(?:to|a|vers)\b",
    ),
    # Someone on whose word the rules would go.
    "i je as en this": (
        r"(?:i am|i m|je suis|this is|c est) (?:your|ton|votre) (?:real |true |vrai )?(?:developer|creator|admin\w*|programmer|maker|operator|developpeur|createur|concepteur)\b (?:\w+ ){0,6}?(?:you (?:must|have to|will|need to|should|can|may)|obey|order you|command you|ordonne|tu (?:dois|peux|vas)|obeis|lift|disable|ignore)\b",
        r"(?:as|en tant que|en tant qu) (?:your |the |an? |ton |votre )?(?:developer|creator|admin\w*|programmer|operator|owner|developpeur|createur|proprietaire) (?:i|je) (?:hereby )?(?:t |te |vous )?(?:order|command|authori[sz]e|instruct|permit|allow|require|ordonne|autorise|commande|demande|permets)\b",
        r"i (?:hereby )?(?:order|command|instruct|authori[sz]e) you\b", r"je (?:t |te |vous )(?:ordonne|autorise|commande) (?:de |d |a )",
    ),
    "treat consider regard handle considere considerez traite": (
        r"\w+ (?:\w+ ){0,8}?(?:(?:coming|sent|written|issued|came|come) (?:from|by)|from|venant|provenant|emanant|ecrit|comme venant) (?:the |your |an? |de |du |d |ton |tes |l |le |un ){0,4}(?:admin\w*|developers?|system|operator|creators?|root|openai|anthropic|developpeurs?|systeme|createurs?)\b",
        r"considere(?:z)? que (?:tes|tu n|vos) (?:\w+ ){0,4}?(?:plus|pas|aucune?)\b",
    ),
    "admin root developer full grant give donne accorde access": (
        r"(?<!my )(?:admin|root|developer) (?:access|rights|privileges) (?:is |are |has been |have been )?(?:now )?(?:granted|enabled|unlocked|authori[sz]ed|activated)\b",
        r"(?:grant|give|donne|accorde) (?:a |aux |l |the |this |all |every |le ){0,4}(?:users?|utilisateurs?|caller|visitors?|sender) (?:\w+ ){0,2}?(?:admin\w*|root|full|unlimited|all|tous|droits)\b",
    ),
    "stop arrete cesse quit be become deviens sois transforme": (
        r"(?:stop|quit) (?:being|acting (?:as|like)|behaving (?:as|like)|pretending to be|playing) (?:an? |the |my |this )?(?:\w+ )?(?:assistant|ai|chatbot|bot|language model|jarvis)\b",
        r"(?:arrete|cesse) (?:d |de )(?:etre|jouer|faire|te comporter comme) (?:un |une |l |le |mon ){0,4}(?:assistant|ia|chatbot|robot|jarvis)\b",
        r"(?:be|become|deviens|sois|transforme toi en) (?:an? |un |une |le |la )(?:\w+ ){1,4}?(?:without|with no|who has no|sans|qui n a (?:pas|plus|aucune?)) (?:\w+ )?(?:rules|limits|restrictions|filters?|limitations|regles?|limites?|filtres?)\b",
    ),
    # Give back what stands before the conversation.
    "repeat print output write copy display recite quote show dump": (
        r"\w+ (?:me |us |out )?(?:everything|all|the (?:words|text|lines?|content|messages?)) (?:\w+ ){0,5}?(?:above|before (?:this|my|here|the (?:conversation|chat|first|user)|our)|precedes?|preceding)\b",
        r"\w+ (?:me |out )?(?:\w+ ){0,4}?your (?:\w+ )?(?:instructions|guidelines|directives|prompt|configuration)\b",
    ),
    "repete recopie affiche ecris donne redonne recite cite montre": (
        r"\w+(?: moi)? (?:\w+ ){0,5}?(?:texte|message|consignes?|instructions?|ce) (?:\w+ ){0,2}?(?:t a|t ont|t as|tu as|on t a|vous a)(?: ete)? (?:donnee?s?|recue?s?|fournie?s?|transmise?s?|dite?s?|envoyee?s?|indiquee?s?)\b",
        r"\w+(?: moi)? (?:mot pour mot|mot a mot|integralement|textuellement|exactement) (?:\w+ ){0,2}?(?:tes|vos|ton|les) (?:\w+ )?(?:instructions|consignes|directives|prompt|regles)\b",
    ),
    # An order that waits for others to ask, or for a page to be read.
    "when whenever if every each quand lorsque si chaque des en as": (
        r"(?:when|whenever|if|every time|each time) (?:anyone|someone|people|users?|the user|they) (?:asks?|mentions?|wants?|talks?|inquires?|says?) (?:(?!i |we |they |he |she |my |to )\w+ ){0,8}?(?<!i )(?<!we )(?<!they )(?:answer|reply|respond|recommend|suggest|mention|promote)\b",
        r"(?:quand|lorsque|lorsqu|si|chaque fois qu\w*|des qu\w*) ?(?:on|quelqu un|l utilisateur|un utilisateur|les gens) (?:te |t )(?:demande\w*|parle\w*|interroge\w*|pose\w*|dit|questionne) (?:(?!je |il |elle |tu |vous )\w+ ){0,8}?(?:reponds|dis|recommande|conseille|propose|suggere|cite|affirme|mentionne)\b",
        r"(?:when|whenever|if|as|quand|lorsque|si) (?:you|tu|vous) (?:\w+ )?(?:summari[sz]e|process|read|translate|analy[sz]e|open|parse|resumes?|resumeras|lis|liras|traduis|traduiras|analyses?|traites?|resumez|lisez) (?:this|the|ce|cet|cette|le|la) (?:(?!i |my |je |mon |ma )\w+ ){0,6}?(?:add|say|tell|mention|include|recommend|send|forward|append|claim|ignore|ajoute|dis|mentionne|recommande|envoie|inclus|precise)\b",
    ),
}  # fmt: skip


@cache
def patterns_by_word() -> dict[str, tuple[re.Pattern[str], ...]]:
    """Compiled at the first message, not at import."""
    by_word: dict[str, tuple[re.Pattern[str], ...]] = {}
    for words, patterns in _PATTERNS.items():
        compiled = tuple(map(re.compile, patterns))
        for word in words.split():
            by_word[word] = by_word.get(word, ()) + compiled
    return by_word
