"""What people say about themselves in French, most exact first: the first rule that fits a clause speaks for it."""
# ruff: noqa: E501 - a rule is read whole, on one line

from jarvis.core.facts.rules import Rule

_MY = "mon|ma|notre"
_ADJECTIVE = (
    "(?:petite? (?!amie?\\b)|grande? |grand |vieux |vieille |nouveau |nouvel |nouvelle |cher |chere |jeune )*"
)
_IS = "(?:est|c est|sont|ce sont)"
_J = "je|j|on|nous"  # "on" is how French says "we"
_NE = "(?:ne |n )?"
_AT = "(?:a|au|aux|en|sur|pres de|vers)"
_MONTHS = "janvier|fevrier|mars|avril|mai|juin|juillet|aout|septembre|octobre|novembre|decembre"
_DAYS = "lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|demain"

NAMES = (
    Rule("self.name", "je (?:m appelle|me nomme|me prenomme) <name>", importance=0.9),
    Rule("self.name", f"mon (?:vrai |nouveau )?(?:nom|prenom) ,? ?{_IS} <name>", importance=0.9),
    Rule("pet.{pet}.name", f"{_MY} {_ADJECTIVE}<pet> (?:s appelle|se nomme|se prenomme|porte le nom de) <la><name>"),
    Rule("pet.{pet}.name", f"{_MY} {_ADJECTIVE}<pet> ,? ?est <name>", capital=True),
    Rule("pet.{pet}.name", f"{_MY} {_ADJECTIVE}<pet> ,? ?c est <la><name>"),
    Rule("pet.{pet}.name", f"le nom de (?:mon|ma|notre) {_ADJECTIVE}<pet> {_IS} <name>"),
    Rule("pet.{pet}.name", f"{_J} (?:ai|a|avons|viens d|vient d|venons d) ?(?:adopte |adopter |recueilli |achete |pris |eu )?(?:un|une) (?:\\w+ ){{0,2}}?<pet> (?:\\w+ )?(?:qui s appelle|nommee?|appelee?|du nom de|prenommee?) <name>"),
    Rule("pet.{pet}.name", f"{_J} (?:ai|a|avons) (?:appele|nomme|baptise) (?:mon|ma|notre|le|la) {_ADJECTIVE}<pet> <name>"),
    Rule("pet.{pet}.name", f"{_MY} {_ADJECTIVE}<pet> <name>", capital=True),
    Rule("person.{kin}.name", f"{_MY} {_ADJECTIVE}<kin> (?:s appelle|se nomme|se prenomme) <la><name>"),
    Rule("person.{kin}.name", f"le (?:nom|prenom) de (?:mon|ma|notre) {_ADJECTIVE}<kin> {_IS} <name>"),
    Rule("person.{kin}.name", f"{_J} (?:ai|a|avons) (?:un|une) {_ADJECTIVE}<kin> (?:qui s appelle|nommee?|appelee?|du nom de|prenommee?) <name>"),
)  # fmt: skip

OTHERS = (
    Rule("person.{kin}.home.city", f"{_MY} {_ADJECTIVE}<kin> (?:\\w+ )??<la>(?:habite|vit|reside|a demenage|vient de demenager|vient d emmenager|est partie? vivre|est installee?|s est installee?) <la>{_AT} <name>"),
    Rule("person.{kin}.job", f"{_MY} {_ADJECTIVE}<kin> (?:\\w+ )??(?:est|travaille|bosse) <la>(?:devenue? )?(?:comme |en tant qu? ?)?(?:une? )?<job>", "{job}"),
    Rule("person.{kin}.employer", f"{_MY} {_ADJECTIVE}<kin> (?:\\w+ )??(?:travaille|travaille) <la>(?:chez|pour) <name>"),
    Rule("person.{kin}.allergy", f"{_MY} {_ADJECTIVE}<kin> (?:\\w+ )??est <la>allergique (?:a la|a l|aux|au|a) <phrase>", "{phrase}", importance=0.9),
    Rule("person.{kin}.age", f"{_MY} {_ADJECTIVE}<kin> (?:\\w+ )??(?:a|vient d avoir) <age> ans", "{age}"),
    Rule("person.{kin}.birthday", f"l anniversaire de (?:mon|ma|notre) {_ADJECTIVE}<kin> (?:\\w+ )??(?:est|c est|tombe) <phrase>", "{phrase}"),
    Rule("person.{kin}.name", f"{_MY} {_ADJECTIVE}<kin> ,? ?(?:c est |est )?<la><name>", capital=True),
    Rule("person.{kin}.count", f"{_J} (?:ai|a|avons) (?P<count>\\d+|une?|deux|trois|quatre|cinq|six|sept) (?:\\w+ )?<kin>", "{count}"),
)  # fmt: skip

SELF = (
    Rule("self.home.city", f"{_J} {_NE}(?:habite|habitons|vis|vivons|vit|reside) plus {_AT} <name>", "not {name}", importance=0.8),
    Rule("self.home.city", f"{_J} <la>(?:habite|habitons|vis|vivons|vit|reside|residons|loge) <la>{_AT} <name>", importance=0.8),
    Rule("self.home.city", f"{_J} (?:ai|a|avons|viens de|vient de|venons de|viens d|vient d|venons d) (?:enfin |tout juste |recemment )?(?:demenage|demenager|emmenage|emmenager) {_AT} <name>", importance=0.8),
    Rule("self.home.city", f"{_J} (?:me suis|s est|nous sommes|suis) (?:enfin |recemment )?(?:installee?s?|partie? vivre|venue? vivre) {_AT} <name>", importance=0.8),
    Rule("self.home.city", f"{_MY} (?:nouvel |nouvelle )?(?:maison|appartement|chez moi) {_IS} {_AT} <name>", importance=0.8),
    Rule("self.origin", "je (?:viens|suis originaire|suis nee?) (?:de|d|du|a) <name>", capital=True),
    Rule("self.employer", "je <la>(?:travaille|bosse) <la>chez (?!moi|nous|mes|mon|ma|les|des|une?\\b|le |la )<name>"),
    Rule("self.employer", "je <la>(?:travaille|bosse) <la>(?:pour|a|au) <name>", capital=True),
    Rule("self.employer", "je <la>(?:travaille|bosse) <la>pour (?!moi|nous|mes|mon|ma|les?|la|des|une?|payer|vivre|gagner|rien|l\\b)<name>$"),
    Rule("self.employer", "je suis <la>(?:employee?|salariee?|embauchee?) (?:chez|par) <name>"),
    Rule("self.employer", "j ai (?:rejoint|ete embauchee? (?:chez|par)|commence chez|signe chez) <name>"),
    Rule("self.employer", f"{_MY} (?:nouvel |nouvelle )?(?:employeur|boite|entreprise) {_IS} <name>"),
    Rule("self.job", f"je {_NE}(?:suis|travaille) plus (?:comme )?<job>", "not {job}", importance=0.8),
    Rule("self.job", "je <la>(?:travaille|bosse|exerce) <la>(?:comme|en tant que|en tant qu) (?:une? )?<phrase>", "{phrase}", importance=0.8),
    Rule("self.job", f"mon (?:nouveau )?(?:metier|travail|job|poste|emploi) ,? ?{_IS} (?:maintenant )?(?:d etre |celui de )?<phrase>", "{phrase}", importance=0.8),
    Rule("self.job", "je suis <la>(?:devenue? |passee? )?(?:une? |le |la )?<job>", "{job}", importance=0.8),
    Rule("self.job", "j ai (?:ete embauchee?|trouve un (?:nouveau )?(?:travail|poste|job|emploi)|ete engagee?) (?:comme|de|en tant que) <phrase>", "{phrase}", importance=0.8),
    Rule("self.job", "je gagne ma vie (?:comme|en tant que) <phrase>", "{phrase}", importance=0.8),
    Rule("self.studies", "j (?:etudie) <phrase>", "{phrase}"),
    Rule("self.studies", "je (?:fais|suis) (?:des etudes|une licence|un master|en licence|en master|en fac) (?:de|d|du|en) ?<phrase>", "{phrase}"),
    Rule("self.age", "j (?:ai|ai eu|viens d avoir) <age> ans", "{age}"),
    Rule("self.age", "je viens d avoir <age> ans", "{age}"),
    Rule("self.diet", f"je {_NE}suis plus (?P<diet>vegetarienn?e?|vegan|vegane|vegetalienn?e?)", "not {diet}", importance=0.8),
    Rule("self.diet", "je suis <la>(?:devenue? |passee? )?(?P<diet>vegetarienn?e?|vegane?|vegetalienn?e?|pescetarienn?e?|intolerante? au lactose|coeliaque)", "{diet}", importance=0.8),
    Rule("self.allergy", f"je {_NE}suis (?:plus|pas) allergique (?:a la|a l|aux|au|a) <phrase>", "not {phrase}", importance=0.9),
    Rule("self.allergy", "je suis (?:\\w+ )?allergique (?:a la|a l|aux|au|a) <phrase>", "{phrase}", importance=0.9),
    Rule("self.allergy", "j ai une allergie (?:a la|a l|aux|au|a) <phrase>", "{phrase}", importance=0.9),
    Rule("self.relationship", "je (?:suis|me suis) <la>(?P<status>mariee?|celibataire|divorcee?|fiancee?|pacsee?|veuf|veuve)", "{status}"),
    Rule("self.language", "je <la>parle (?:couramment |un peu |bien )?(?:le |l |la )?(?P<phrase>(?!a\\b|de\\b|avec\\b|au\\b|du\\b)[^\\s,][^,]*)", "{phrase}", importance=0.6),
    Rule("self.learning", "j (?:apprends|ai commence|ai commence a apprendre|me suis mise? a) (?:a jouer (?:du|de la|de l) |le |la |l )?<phrase>", "{phrase}", importance=0.6),
    Rule("self.hobby", f"je {_NE}(?:joue|fais|pratique) plus (?:du|de la|de l|de|d|au|aux|le|la)? ?<phrase>", "not {phrase}", importance=0.5),
    Rule("self.hobby", "j ai (?:arrete|laisse tomber|abandonne) (?:de jouer |de faire )?(?:du|de la|de l|de|d|au|aux|le|la|l)? ?<phrase>", "not {phrase}", importance=0.5),
    Rule("self.hobby", "je <la>(?:joue|pratique) <la>(?:du|de la|de l|au|aux|le|la|l) <phrase>", "{phrase}", importance=0.5),
    Rule("self.hobby", "je <la>fais <la>(?:du|de la|de l) <phrase>", "{phrase}", importance=0.5),
    Rule("self.hobby", "je (?:me suis mise?) (?:au|a la|a l|aux) <phrase>", "{phrase}", importance=0.5),
    Rule("self.hobby", f"mon|ma (?:hobby|passe-temps|passion|loisir) (?:prefere )?,? ?{_IS} <phrase>", "{phrase}", importance=0.5),
)  # fmt: skip

THINGS = (
    Rule("event.{event}.date", f"{_J} (?:ai|a|avons) (?:decale|reporte|avance|deplace) (?:mon|ma|notre|le|la) <event> (?:au |a |en |pour )(?:le )?<phrase>", "{phrase}"),
    Rule("event.birthday.date", "je (?:suis|suis bien) nee? (?:le )<phrase>", "{phrase}", importance=0.8),
    Rule("event.wedding.date", "on|nous (?:se|nous) (?:marie|marions) (?:le |en )?<phrase>", "{phrase}"),
    Rule("self.{thing}", f"{_MY} {_ADJECTIVE}<thing> ,? ?{_IS} (?:maintenant |desormais )?<phrase>", "{phrase}", importance=0.6),
    Rule("self.shoe size", "je (?:chausse|fais) du <phrase>", "{phrase}"),
    Rule("self.car", f"{_J} (?:roule|conduis) <la>(?:en|avec une?|une?) <phrase>", "{phrase}", importance=0.6),
    Rule("self.{thing}", f"{_J} (?:ai|a|avons|viens de|vient de) (?:change|changer) (?:de |d )<thing> (?:pour|contre) (?:une? )?<phrase>", "{phrase}", importance=0.6),
    Rule("self.{thing}", f"{_J} (?:ai|a|avons|viens de|vient de) (?:change|changer|remplace|remplacer) (?:de |d |mon |ma |notre )<thing>", "changed", importance=0.5),
    Rule("event.{event}.date", f"{_MY} (?:\\w+ )??<event> (?:[a-z-]+ ){{0,3}}?,? ?(?:est|sera|c est|tombe|a lieu|aura lieu|est prevue?|est fixee?|est reportee?|a ete reportee?|est decalee?|a ete decalee?|est passee?) (?:maintenant |desormais )?(?:pour |a |au |le |en |ce |cette )*(?P<phrase>(?:{_DAYS}|{_MONTHS}|\\d|premier)[^,]*)", "{phrase}"),
    Rule("event.{event}.date", f"mes <event> (?:sont|commencent|tombent) (?:pour |a |au |le |en |du )*(?P<phrase>(?:{_DAYS}|{_MONTHS}|\\d)[^,]*)", "{phrase}"),
    Rule("event.{event}.date", f"{_J} (?:ai|a|avons) (?:mon|ma|notre|une?|rendez-vous) ?(?:\\w+ )??<event> ?(?:[a-z-]+ ){{0,3}}?(?:le |ce |pour le )?(?P<phrase>(?:{_DAYS})[^,]*|\\d+ (?:{_MONTHS})[^,]*)", "{phrase}"),
)  # fmt: skip

PREFERENCES = tuple(
    rule._replace(kind="preference", importance=0.6)
    for rule in (
        Rule("preference.{this}_or_{that}", "je <la>(?:prefere|aime mieux) (?P<this>[^,]+?) (?:a la|a l|aux|au|a|plutot que|plutot qu) (?P<that>[^,]+)", "{this}"),
        Rule("preference.{this}_or_{that}", "j aime (?:mieux|plus) (?P<this>[^,]+?) (?:que|qu) (?P<that>[^,]+)", "{this}"),
        Rule("preference.favourite.{what}", f"mon|ma|notre {_ADJECTIVE}(?P<what>\\w+(?: \\w+)?) (?:preferee?|favorite?|favori|favourite) (?:de tous les temps )?,? ?{_IS} (?:maintenant |desormais )?<phrase>", "{phrase}"),
        Rule("preference.{phrase}", f"je|j {_NE}(?:aime|adore|supporte|apprecie|raffole) (?:pas|plus|guere|jamais)(?: du tout| trop| vraiment| tellement| beaucoup)? <phrase>", "dislike"),
        Rule("preference.{phrase}", f"je {_NE}suis (?:pas|plus) (?:fan|fana|amateur|accro|friand) (?:de|d|du|des|a|au) ?<phrase>", "dislike"),
        Rule("preference.{phrase}", "je|j <la>(?:deteste|hais|execre|ai horreur|ai une sainte horreur|en ai marre|me suis lassee?) <la>(?:de|d|du|des)? ?<phrase>", "dislike"),
        Rule("preference.{phrase}", "je|j <la>(?:prefere|adore|aime|apprecie|raffole|kiffe|suis fan|suis accro|suis fou|suis folle|suis devenue? fan|ai un faible) (?:vraiment |beaucoup |bien |enormement |trop |plutot |pas mal |maintenant |desormais )?(?:pour )?<phrase>", "like"),
    )
)  # fmt: skip
FRENCH = (*NAMES, *OTHERS[:-2], *SELF, *PREFERENCES, *THINGS, *OTHERS[-2:])
