"""What people say about themselves in French, most exact first: the first rule that fits a clause speaks for it.

Clauses come in canonical form: `on a déménagé`, `j'ai déménagé` and `nous venons de déménager` read `je ai demenage`, and no
`ne` is left, so that `plus` alone says what is no longer so.
"""
# ruff: noqa: E501 - a rule is read whole, on one line

from jarvis.core.facts.rules import Rule

_MY = "mon|ma|notre"
_ADJECTIVE = "(?:petite? (?!amie?\\b)|grande? |grand |vieux |vieille |nouveau |nouvel |nouvelle |cher |chere |jeune |ex |premiere? |adorable )*"
_IS = "(?:est|c est|sont|ce sont|:|,)"
_AT = "(?:a|au|aux|en|sur|pres de|pres d|vers|a cote de|a cote d|du cote de|non loin de|autour de|dans le|dans la|dans les|dans l|proche de)"
_MONTHS = "janvier|fevrier|mars|avril|mai|juin|juillet|aout|septembre|octobre|novembre|decembre"
_DAYS = "lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|demain"
_CALLED = "(?:s appelle|se nomme|se prenomme|porte le nom de|repond au nom de)"
_WHO_IS = "(?:qui s appelle|nommee?s?|appelee?s?|du nom de|prenommee?s?|qui se nomme|baptisee?s?)"
_HAVE = "(?:ai (?:adopte|recueilli|achete|pris|eu)|ai|possede)"
_ONE = "(?:une?|deux|trois|quatre|cinq|six|\\d+)"
_OFTEN = f"(?:tous les|toutes les|chaque) \\w+|(?:une|deux|trois|quatre|\\d+) fois (?:par|la|l) ?\\w+|le (?:{_DAYS})(?: (?:matin|soir|midi))?|quotidiennement"

NAMES = (
    Rule("self.name", "je (?:m appelle|me nomme|me prenomme) <name>", importance=0.9),
    Rule("self.name", f"mon (?:vrai |nouveau )?(?:nom|prenom) ,? ?{_IS} <name>", importance=0.9),
    Rule("self.name", "moi c est <name>(?:$| ,)", importance=0.9, capital=True),
    Rule("self.name", "c est <name> (?:a l appareil|qui (?:parle|ecrit))", importance=0.9, capital=True),
    Rule("self.name", "ici <name>$", importance=0.9, capital=True),
    Rule("answer.name", f"mon (?:petit nom|surnom|pseudo|diminutif) ,? ?{_IS} <name>", kind="preference", importance=0.8),
    Rule("answer.name", "on|tout (?:le monde )?m appelle (?:tous )?<name>", kind="preference", importance=0.8, capital=True),
    Rule("answer.name", "je (?:prefere|aime mieux|veux|voudrais) (?:que )?(?:qu )?(?:on|tu|vous) (?:m|me) appelles? <name>", kind="preference", importance=0.8),
    Rule("answer.name", "tu|vous (?:peux|pouvez) m appeler <name>", kind="preference", importance=0.8),
    Rule("pet.{pet}.name", f"{_MY} {_ADJECTIVE}<pet> {_CALLED} <name>"),
    Rule("pet.{pet}.name", f"{_MY} {_ADJECTIVE}<pet> ,? ?est <name>", capital=True),
    Rule("pet.{pet}.name", f"{_MY} {_ADJECTIVE}<pet> ,? ?c est <name>"),
    Rule("pet.{pet}.name", f"le nom de (?:mon|ma|notre) {_ADJECTIVE}<pet> {_IS} <name>"),
    Rule("pet.{pet}.name", f"je {_HAVE} {_ONE} (?:\\w+ ){{0,2}}?<pet> (?:\\w+ ){{0,2}}?{_WHO_IS} <name>"),
    Rule("pet.{pet}.name", f"je {_HAVE} {_ONE} (?:\\w+ ){{0,2}}?<pet> (?:\\w+ )?, (?:il s appelle |elle s appelle |c est )?<name>", capital=True),
    Rule("pet.{pet}.count", f"je {_HAVE} (?P<count>{_ONE}) (?:petite? )?<pet>(?: a la maison| dans [\\w ]+| et .+)?$", "{count}"),
    Rule("pet.{pet}.name", f"je ai (?:appele|nomme|baptise) (?:mon|ma|notre|le|la) {_ADJECTIVE}<pet> <name>"),
    Rule("pet.{pet}.name", f"{_MY} {_ADJECTIVE}<pet> ,? ?<name>", capital=True),
    Rule("person.{kin}.name", f"{_MY} {_ADJECTIVE}<kin> (?:\\w+ )?{_CALLED} (?:le |la )?<name>"),
    Rule("person.{kin}.name", "mes (?:\\w+ )?<kin> s appellent <name>"),
    Rule("person.{kin}.name", f"le (?:nom|prenom) de (?:mon|ma|notre) {_ADJECTIVE}<kin> {_IS} <name>"),
    Rule("person.{kin}.name", f"je ai {_ONE} {_ADJECTIVE}<kin> (?:\\w+ )?{_WHO_IS} <name>"),
    Rule("person.{kin}.name", f"je ai {_ONE} {_ADJECTIVE}<kin> (?:\\w+ )?, (?:il s appelle |elle s appelle )?<name>", capital=True),
    Rule("person.{status}.name", "je suis (?P<status>mariee?|pacsee?|fiancee?|en couple) (?:a|avec) <name>", capital=True),
)  # fmt: skip

_HOME = "self.home.city"
OTHERS = (
    Rule("person.{kin}.home.city", f"{_MY} {_ADJECTIVE}<kin> (?:\\w+ )??(?:habite|vit|reside|a demenage|vient de demenager|vient d emmenager|est partie? vivre|est installee?|s est installee?) {_AT} <name>"),
    Rule("person.{kin}.home.city", f"mes {_ADJECTIVE}(?P<kin>parents|grands-parents|enfants|soeurs|freres|beaux-parents|cousins) (?:habitent|vivent|ont demenage) {_AT} <name>"),
    Rule("person.{kin}.job", f"{_MY} {_ADJECTIVE}<kin> (?:\\w+ )??(?:, )?(?:est|travaille) (?:devenue? )?(?:comme |en tant qu? ?)?(?:une? )?<job>", "{job}"),
    Rule("person.{kin}.employer", f"{_MY} {_ADJECTIVE}<kin> (?:\\w+ )??travaille (?:chez|pour) <name>"),
    Rule("person.{kin}.allergy", f"{_MY} {_ADJECTIVE}<kin> (?:\\w+ )??est allergique (?:a la|a l|aux|au|a) <phrase>", "{phrase}", importance=0.9),
    Rule("person.{kin}.age", f"{_MY} {_ADJECTIVE}<kin> (?:\\w+ )??(?:a|vient d avoir|va avoir|fete ses) <age> ans", "{age}"),
    Rule("person.{kin}.birthday", f"l anniversaire de (?:mon|ma|notre) {_ADJECTIVE}<kin> (?:\\w+ )??(?:est|c est|tombe) <phrase>", "{phrase}"),
    Rule("person.{kin}.name", f"{_MY} {_ADJECTIVE}<kin> ,? ?(?:c est |est )?<name>", capital=True),
    Rule("person.child.count", "je suis (?:le |la )?(?:jeune |heureux |heureuse )?(?:papa|maman|pere|mere) (?:de|d) <phrase>", "{phrase}"),
    Rule("person.{kin}.name", f"je ai une? {_ADJECTIVE}<kin>$", "changed", importance=0.5),
    Rule("person.{kin}.count", "je ai (?P<count>\\d+|une?|deux|trois|quatre|cinq|six|sept) (?:\\w+ )?<kin>", "{count}"),
)  # fmt: skip

HOME = (
    Rule(_HOME, f"je (?:habite|vis|reside|suis) plus {_AT} [\\w -]+? mais {_AT} (?P<to>[\\w-]+)", "{to}", importance=0.8),
    Rule("self.moving to", f"je (?:demenage|vais demenager|vais emmenager|pars vivre|vais partir vivre|pars habiter) {_AT} <name>", capital=True),
    Rule(_HOME, f"je (?:habite|vis|reside|suis) plus {_AT} <name>", "not {name}", importance=0.8),
    Rule(_HOME, f"je (?:habite|vis|reside|loge|suis installee?s?|suis domiciliee?|suis basee?|suis hebergee?|creche) (?:chez [^,]+? |seule? |avec [^,]+? |en colocation |en coloc |juste |depuis [^,]+? )?{_AT} <name>", importance=0.8),
    Rule(_HOME, "je habite (?!a\\b|en\\b|dans\\b|chez\\b|avec\\b|seule?\\b|plus\\b|pas\\b|le\\b|la\\b|un\\b|une\\b|loin\\b|pres\\b|ici\\b)<name>", importance=0.8),
    Rule(_HOME, f"je ai (?:tout )?(?:demenage|emmenage|pose mes valises|achete une maison|achete un appartement|trouve un appartement|signe pour un appartement) {_AT} <name>", importance=0.8),
    Rule(_HOME, f"je (?:me suis|suis) (?:installee?s?|partie?s? vivre|venue?s? vivre|partie?s? habiter|retournee?s? vivre|revenue?s? vivre) {_AT} <name>", importance=0.8),
    Rule(_HOME, "je ai quitte <name> (?:pour|et) (?:aller (?:a|en) )?(?P<to>[A-Za-z-]+)$", "{to}", importance=0.8, capital=True),
    Rule(_HOME, "je (?:ai|viens de) (?:demenage|demenager|change de ville|change d appartement|change de maison)(?: (?:cet|cette|ce|hier|la semaine|le mois|en) ?[\\w ]*| pour [\\w ]+)?$", "changed", importance=0.6),
    Rule(_HOME, f"{_MY} (?:nouvel |nouvelle )?(?:maison|appartement|chez moi) {_IS} {_AT} <name>", importance=0.8),
    Rule("self.origin", "je (?:(?:viens|suis originaire|suis) (?:de|d|du|des)|suis nee? (?:a|en|au|aux)) <name>(?! (?:appelle|vient))(?: (?:a la base|a l origine).*|$| ,| et| mais| en| le)", capital=True),
    Rule("self.childhood", "je ai grandi (?:dans le|dans la|dans les|dans l|a|en|au|pres de) <phrase>", "{phrase}"),
    Rule("self.birth year", "je suis nee? en (?P<phrase>\\d{4})", "{phrase}"),
)  # fmt: skip

_FIRM = "self.employer"
_NO_FIRM = "(?!moi|nous|mes|mon|ma|les?\\b|la\\b|des|une?\\b|toi|eux|elle|lui|payer|vivre|gagner|rien|l\\b|temps|plein|mi-temps|distance|domicile|nuit|jour)"
_HIRED = "(?:embauchee?|recrutee?|engagee?|prise?|debauchee?|mutee?)"
WORK = (
    Rule(_FIRM, "je (?:travaille|suis) plus (?:chez|pour|a|au) [\\w -]+? mais (?:chez|pour|a la|a|au) (?P<to>[\\w-]+)", "{to}"),
    Rule(_FIRM, f"je (?:travaille|suis) plus (?:chez|pour) {_NO_FIRM}<name>", "not {name}"),
    Rule(_FIRM, "je (?:travaille|suis) plus (?:a|au|a la|a l) <name>", "not {name}", capital=True),
    Rule(_FIRM, f"je (?:travaille|suis|bosse) (?:de nuit |a temps plein |en cdi |en alternance |en stage |comme \\w+ )?chez {_NO_FIRM}<name>", capital=False),
    Rule(_FIRM, "je travaille (?:pour|a|au|a la|a l|aux) (?:la |le |l |les )?<name>", capital=True),
    Rule(_FIRM, f"je travaille pour {_NO_FIRM}<name>$"),
    Rule(_FIRM, "je suis (?:employee?|salariee?|consultante?|stagiaire|en stage|en alternance|en poste) (?:chez|par|a|au) <name>"),
    Rule(_FIRM, f"je (?:ai (?:ete |me faire )?|suis |me suis fait )?(?:{_HIRED}|embaucher|recruter) (?:par|chez|a|au|a la) (?:la |le |l )?<name>"),
    Rule(_FIRM, "je ai (?:rejoint|commence|demarre|signe|trouve un (?:nouveau )?(?:travail|job|poste|emploi)|decroche un (?:nouveau )?(?:travail|job|poste|emploi)|commence un (?:nouveau )?(?:travail|job|poste|emploi)|integre) (?:chez |a la |a l |au |a )?(?!travailler|jouer|apprendre|une?\\b|le\\b|la\\b)<name>", capital=True),
    Rule(_FIRM, "je ai quitte <name> (?:pour|et) (?:rejoindre |aller chez )?(?:chez )?(?P<to>[A-Za-z-]+)$", "{to}", capital=True),
    Rule(_FIRM, "je ai (?:quitte|demissionne de|demissionne d) (?:chez )?<name>", "not {name}", capital=True),
    Rule(_FIRM, f"{_MY} (?:nouvel |nouvelle )?(?:employeur|boite|entreprise) {_IS} <name>"),
    Rule(_FIRM, "je ai (?:change (?:de |d )(?:travail|boite|entreprise|employeur|job|poste)|demissionne|quitte (?:mon|ma) (?:travail|boite|job|poste|entreprise|emploi)|perdu mon (?:travail|job|emploi)|(?:trouve|eu|decroche) un nouveau (?:travail|job|poste|emploi))", "changed", importance=0.6),
    Rule("self.job", "je (?:suis|travaille) plus (?:comme )?(?:une? )?<job>", "not {job}", importance=0.8),
    Rule("self.job", "je (?:travaille|exerce) (?:\\w+ ){0,3}?(?:comme|en tant que|en tant qu) (?:une? )?<phrase>", "{phrase}", importance=0.8),
    Rule("self.job", f"mon (?:nouveau )?(?:metier|travail|job|poste|emploi) ,? ?{_IS} (?:d etre |celui de )?<phrase>", "{phrase}", importance=0.8),
    Rule("self.job", "je suis (?:devenue?s? |passee? |une? ancienn?e? )?(?:une? |le |la )?<job>(?! de (?:rire|fatigue))", "{job}", importance=0.8),
    Rule("self.job", f"je (?:ai (?:ete )?|suis )(?:{_HIRED}|trouve un (?:nouveau )?(?:travail|poste|job|emploi)) (?:comme|de|en tant que|en tant qu) <phrase>", "{phrase}", importance=0.8),
    Rule("self.job", "je (?:me suis|suis) reconvertie? (?:en|comme|dans) (?:la |le |l )?<phrase>", "{phrase}", importance=0.8),
    Rule("self.job", "je ai arrete d etre (?:une? )?<job>", "not {job}", importance=0.8),
    Rule("self.job", "je gagne ma vie (?:comme|en tant que) <phrase>", "{phrase}", importance=0.8),
    Rule("self.job", "je travaille dans (?:le |la |les |l |un |une )?<phrase>", "{phrase}", importance=0.6),
    Rule("self.job", "je (?:ai change|change) de metier", "changed", importance=0.6),
    Rule("self.schedule", "je travaille (?P<phrase>de nuit|la nuit|de jour|le week-end|a mi-temps|a temps partiel|a domicile|a distance|en 3x8|le samedi|le dimanche)", "{phrase}", importance=0.6),
    Rule("self.business", "je (?:tiens|ai|dirige|gere|ai ouvert|ai monte|ai cree) (?:une? |ma |mon )(?P<phrase>(?:propre |petite? )?(?:librairie|boutique|magasin|entreprise|societe|restaurant|cafe|bar|boulangerie|agence|ferme|galerie|salon|hotel|garage|atelier|epicerie|cabinet|ecole|studio|brasserie|boite|chaine|blog|podcast|commerce|gite)[^,]*)", "{phrase}"),
    Rule("self.studies", "je etudie (?!la question|le dossier)<phrase>", "{phrase}"),
    Rule("self.studies", "je (?:fais|suis) (?:des etudes|mes etudes|une licence|un master|un bts|une these|un doctorat|une prepa|en licence|en master|en these|en fac|en prepa|en premiere annee|en ecole|a la fac) (?:de |d |du |en |a )?<phrase>", "{phrase}"),
    Rule("self.studies", "je (?:prepare|ai obtenu|ai eu|passe) (?:un|une|mon|ma|le) (?P<phrase>(?:these|master|licence|bac|cap|bts|doctorat|diplome|concours)[^,]*)", "{phrase}"),
)  # fmt: skip

_DIET = (
    "vegetarienn?e?|vegane?|vegetalienn?e?|pescetarienn?e?|intolerante? au lactose|coeliaque|flexitarienn?e?"
)
_FOODS = "gluten|porc|boeuf|alcool|sucre|cafe|lait|fromage|poisson|oeufs?|fruits de mer|laitages?|produits laitiers|poulet|pain|noix|sodas?|epices|plats epices|charcuterie|ble|lactose"
BODY = (
    Rule("self.age", "je (?:ai|ai eu|viens d avoir|ai fete mes) <age> ans", "{age}"),
    Rule("self.age next", "je (?:vais avoir|vais feter mes|aurai|fete mes|vais sur mes) <age> ans", "{age}"),
    Rule("self.diet", f"je suis (?:plus|pas) (?P<diet>{_DIET})", "not {diet}", importance=0.8),
    Rule("self.diet", f"je ai arrete d etre (?P<diet>{_DIET})", "not {diet}", importance=0.8),
    Rule("self.diet", f"je suis (?:devenue? |passee? )?(?P<diet>{_DIET})", "{diet}", importance=0.8),
    Rule("self.diet", "je (?:re ?mange|ai recommence a manger|me suis remise? a manger|mange a nouveau|mange) (?:de la |de tout|du |a nouveau )(?P<phrase>viande|tout)?", "omnivore", importance=0.8),
    Rule("self.diet", "je (?:mange|consomme) (?:pas|plus|jamais)(?: du tout)? (?:de |d )(?:la )?(?P<phrase>viande|produits animaux)", "no meat", importance=0.8),
    Rule("self.diet.{phrase}", f"je (?:mange|bois|consomme|digere|prends|tolere|touche|peux manger|peux boire|dois manger|ai le droit de manger) (?:pas|plus|jamais)(?: du tout| beaucoup)? (?:manger |boire )?(?:le |la |les |l |de |d |du |des )*(?P<phrase>{_FOODS})\\b", "no", importance=0.8),
    Rule("self.diet.{phrase}", "je (?:mange|bois) (?:pas|plus|jamais)(?: du tout)? (?:de |d )<phrase>", "no", importance=0.7),
    Rule("self.diet.{phrase}", f"je (?:evite|ai arrete) (?:le |la |les |l |de manger |de boire |de |d |du |des )*(?P<phrase>{_FOODS})\\b", "no", importance=0.7),
    Rule("self.diet.{phrase}", "je (?:remange|rebois) (?:du |de la |des |de l )<phrase>", "yes", importance=0.7),
    Rule("self.allergy", "je suis (?:plus|pas) allergique (?:a la|a l|aux|au|a) <phrase>", "not {phrase}", importance=0.9),
    Rule("self.allergy", "je suis (?:\\w+ )?allergique (?:a la|a l|aux|au|a) <phrase>", "{phrase}", importance=0.9),
    Rule("self.allergy", "je (?:ai|fais) une (?:\\w+ )?allergie (?:a la|a l|aux|au|a) <phrase>", "{phrase}", importance=0.9),
    Rule("self.condition", "je (?:ai|souffre (?:de|d|du)|fais (?:de la|de l|du|des|de)|suis atteinte? (?:de|d|du)) ?(?:la |le |l |les |une |un |des |du |de la |de l |de )?<condition>", "{condition}", importance=0.8),
    Rule("self.condition", "je (?:souffre|suis atteinte?) (?:de|d|du|des) <phrase>", "{phrase}", importance=0.8),
    Rule("self.condition", "on m a (?:diagnostique|trouve|detecte) (?:une? |le |la |l |du |de la |de l )?<phrase>", "{phrase}", importance=0.8),
    Rule("self.medication", "je (?:prends|suis sous) (?:du |de la |de l |des )?(?P<phrase>[\\w -]+?) (?:tous les|toutes les|chaque|matin|le soir|le matin|pour ma|pour mon|quotidiennement)\\b", "{phrase}"),
    Rule("self.medication", "je suis sous (?:traitement (?:de |pour )?)?(?P<phrase>(?:antibio|antidep|anticoag|insuline|levo|cortisone|morphine|traitement|ritaline)[^,]*)", "{phrase}"),
    Rule("self.smoking", "je (?:fume|me suis remise? a fumer|refume)(?: (?:encore|un paquet|des|beaucoup).*)?$", "yes"),
    Rule("self.smoking", "je (?:fume (?:pas|plus|jamais)|ai arrete (?:de fumer|la cigarette|le tabac|la clope))", "no"),
    Rule("self.fear.{phrase}", "je ai (?:peur|la phobie|une peur bleue|une phobie) (?:de la|de l|des|du|de|d) <phrase>", "yes", importance=0.6),
    Rule("self.fear.{phrase}", "je ai plus peur (?:de la|de l|des|du|de|d) <phrase>", "no", importance=0.6),
    Rule("self.height", "je (?:fais|mesure) (?P<phrase>\\d ?m ?\\d*|1m\\w*|\\d[.]\\d+ ?m?)", "{phrase}"),
    Rule("self.weight", "je (?:fais|pese) (?P<phrase>\\d+ ?(?:kg|kilos))", "{phrase}"),
)  # fmt: skip

_STATUS = "mariee?s?|celibataires?|divorcee?s?|fiancee?s?|pacsee?s?|veuf|veuve|separee?s?|en couple"
SELF = (
    Rule("self.relationship", f"je (?:suis|me suis) (?P<status>{_STATUS})", "{status}"),
    Rule("self.relationship", "je (?:ai (?:une|un) (?:copine|copain|petite amie|petit ami|compagne|compagnon)$|suis en couple)", "in a relationship"),
    Rule("self.relationship", "je ai (?P<status>divorce)", "{status}"),
    Rule("self.relationship", "je (?:me suis|nous sommes) (?:separee?s?|quittee?s?)(?: (?:d|de) .+|$)", "single"),
    Rule("self.relationship", "mon|ma \\w+ et moi (?:, )?(?:on |nous |je )?(?:s est|sommes|nous sommes|avons|a|me suis) (?:separee?s|quittee?s|divorce)", "single"),
    Rule("self.nationality", "je (?:suis|suis de nationalite|ai la nationalite) (?:d origine |mi-|une |un )?<nationality>", "{nationality}"),
    Rule("self.trait.{trait}", "je (?:suis|suis au regime|mange) (?:nee? |ne |devenue? |une |un |tres )?<trait>", "yes"),
    Rule("self.trait.{trait}", "je suis (?:plus|pas) (?:une |un )?<trait>", "no"),
    Rule("self.language", "je parle (?:couramment |un peu |bien |aussi )?(?:le |l |la )?(?P<phrase>(?!a\\b|de\\b|d\\b|avec\\b|au\\b|du\\b|pas\\b|plus\\b|trop\\b|des\\b|pour\\b|bien\\b)[^\\s,][^,]*)", "{phrase}", importance=0.6),
    Rule("self.learning", "je (?:apprends|ai commence|ai commence a apprendre|me suis mise? a apprendre|prends des cours de|prends des cours d|suis des cours de) (?:a jouer (?:du|de la|de l) |le |la |l |du |de la )?(?!a\\b|que\\b|beaucoup\\b|chez\\b)<phrase>", "{phrase}", importance=0.6),
    Rule("self.programming language", "je (?:code|programme|developpe) (?:principalement |surtout )?en <phrase>", "{phrase}", importance=0.6),
    Rule("self.tool.{phrase}", "je (?:suis (?:sous|sur|passee? sous|passee? a)|utilise|tourne sous) (?P<phrase>(?:linux|windows|mac|macos|android|ubuntu|debian|arch|fedora|ios|iphone|firefox|chrome|vim|emacs|vscode|notion|obsidian)[^,]*)", "yes", importance=0.5),
    Rule("self.team", "je (?:supporte|suis supporter de|suis pour|suis un supporter de) (?:le |la |l |les )?<name>", capital=True, importance=0.6),
    Rule("self.driving licence", "je ai (?:pas|plus) (?:le |mon |de )?permis", "none", importance=0.6),
    Rule("self.{thing}", "je ai (?:pas|plus) (?:de |d )<thing>", "none", importance=0.6),
    Rule("self.fear.{trait}", "je ai (?:tres |terriblement )?le (?P<trait>vertige)", "yes", importance=0.6),
    Rule("self.hobby", "je collectionne (?:les |des |de )?<phrase>", "{phrase}", importance=0.5),
    Rule("self.goal.{phrase}", "je (?:economise|mets de cote|epargne|mets de l argent de cote) pour <phrase>", "yes", importance=0.6),
    Rule("self.expecting", "je attends (?:mon|ma|notre|un|une|des) (?:premiere? |deuxieme |second |seconde |troisieme |petite? )?(?P<phrase>(?:bebe|enfant|fille|garcon|jumeaux|jumelles|heureux evenement)[^,]*)", "{phrase}", importance=0.8),
    Rule("self.trip.{name}", "je (?:pars|vais|m envole) (?:a|au|en|aux|pour) (?:la |le |l )?<name> (?:en|le|la semaine|cet|cette|demain|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|pour|dans|avec)\\b", "yes", capital=True, importance=0.5),
    Rule("self.hobby", "je (?:joue|fais|pratique) plus (?:du|de la|de l|de|d|au|aux|le|la)? ?<phrase>", "not {phrase}", importance=0.5),
    Rule("self.hobby", "je ai (?:arrete|laisse tomber|abandonne) (?:de jouer |de faire )?(?:du|de la|de l|de|d|au|aux|le|la|l)? ?(?!travailler|fumer|mon\\b|boire)<phrase>", "not {phrase}", importance=0.5),
    Rule("self.hobby", "je (?:joue|pratique|me suis mise?) (?:du|de la|de l|au|aux|le|la|l|a la|a l) <phrase>", "{phrase}", importance=0.5),
    Rule("self.hobby", "je fais (?:du|de la|de l|des) (?!mal|bruit|erreurs?|betises|courses|recherches|progres|mieux|efforts?|economies|pause|travaux|reves?|cauchemars?|fievre|peine|place|tests?|sens|bien)<phrase>", "{phrase}", importance=0.5),
    Rule("self.hobby", f"mon|ma (?:hobby|passe-temps|passion|loisir) (?:prefere )?,? ?{_IS} <phrase>", "{phrase}", importance=0.5),
    Rule("self.hobby", "je suis passionnee? (?:de|d|par|du) <phrase>", "{phrase}", importance=0.5),
    Rule("self.wake-up time", "je (?:me )?(?:leve|reveille) (?:a |vers |tous les jours a |avant )+(?P<phrase>\\d[^,]*|midi|l aube)", "{phrase}", importance=0.5),
    Rule("self.bedtime", "je (?:me )?(?:couche|endors) (?:a |vers |avant )+(?P<phrase>\\d[^,]*|minuit)", "{phrase}", importance=0.5),
    Rule("self.habit.{verb}", f"je (?P<verb>(?!ai|suis|vais|pense|veux|peux|dois|dis|crois|sais)\\w+) (?P<often>(?:[^,]*? )?(?:{_OFTEN})[^,]*)", "{often}", importance=0.5),
    Rule("self.training", "je (?:prepare|m entraine pour|cours) (?P<phrase>(?:le |mon |un |une |l )?(?:marathon|semi|semi-marathon|triathlon|trail|10 km|concours|examen|competition|iron ?man)[^,]*)", "{phrase}"),
)  # fmt: skip

_PUT_OFF = "(?:reportee?|decalee?|deplacee?|avancee?|repoussee?)"
THINGS = (
    Rule("event.{event}.date", "je ai (?:decale|reporte|avance|deplace|repousse) (?:mon|ma|notre|le|la) <event> (?:[\\w ]{1,30} )?(?:au |a |en |pour )(?:le )?<phrase>", "{phrase}"),
    Rule("event.birthday.date", "je suis nee? (?:un |le )(?!week)<phrase>", "{phrase}", importance=0.8),
    Rule("event.wedding.date", "je (?:me marie|nous marions) (?:le |en )<phrase>", "{phrase}"),
    Rule("event.wedding.date", "on|nous (?:se|nous) (?:marie|marions) (?:le |en )?<phrase>", "{phrase}"),
    Rule("self.{thing}", f"{_MY} {_ADJECTIVE}<thing> ,? ?{_IS} (?!en panne|cassee?|mort|trop|tres|pas |plus |pourri|lent|bien|la$|en (?:reparation|revision)|au garage)<phrase>", "{phrase}", importance=0.6),
    Rule("self.shoe size", "je (?:chausse|fais) du <phrase>", "{phrase}"),
    Rule("self.car", "je (?:roule|conduis) (?:en|avec une?|une?) <phrase>", "{phrase}", importance=0.6),
    Rule("self.car", "je (?:ai|possede|ai achete|ai pris|ai commande) (?:une?|la) (?:nouvelle |nouveau )?<carname>", "{carname}", importance=0.6),
    Rule("self.car", "je ai (?:vendu|revendu|echange|donne) (?:mon|ma|la|notre) [\\w -]+? (?:pour|contre|et (?:je ai )?achete) (?:une? )?<phrase>", "{phrase}", importance=0.6),
    Rule("self.{thing}", "je ai change (?:de |d )<thing> (?:pour|contre) (?:une? )?<phrase>", "{phrase}", importance=0.6),
    Rule("self.{thing}", "je ai (?:change|remplace) (?:de |d |mon |ma |notre )<thing>", "changed", importance=0.5),
    Rule("event.{event}.date", f"mon|ma|notre|le|la (?:\\w+ )??<event> (?:[a-z-]+ ){{0,3}}?(?:est|a ete|va etre) {_PUT_OFF} (?:au |a |pour |en )?(?:le )?<phrase>", "{phrase}", corrects=True),
    Rule("event.{event}.date", f"{_MY} (?:\\w+ )??<event> (?:[a-z-]+ ){{0,3}}?,? ?(?:est|sera|c est|tombe|a lieu|aura lieu|est prevue?|est fixee?|est passee?) (?:pour |a |au |le |en |ce |cette )*(?P<phrase>(?:{_DAYS}|{_MONTHS}|\\d|premier)[^,]*)", "{phrase}"),
    Rule("event.{event}.date", f"mes <event> (?:sont|commencent|tombent) (?:pour |a |au |le |en |du )*(?P<phrase>(?:{_DAYS}|{_MONTHS}|\\d)[^,]*)", "{phrase}"),
    Rule("event.{event}.date", f"je ai (?:mon|ma|notre|une?|rendez-vous) ?(?:\\w+ )??<event> ?(?:[a-z-]+ ){{0,3}}?(?:le |ce |pour le )?(?P<phrase>(?:{_DAYS})[^,]*|\\d+ (?:{_MONTHS})[^,]*)", "{phrase}"),
)  # fmt: skip

_NOT = "(?:pas|plus|guere|jamais)(?: du tout| vraiment| tellement| beaucoup| tant| des masses| forcement)?"
PREFERENCES = tuple(
    rule._replace(kind="preference", importance=0.6)
    for rule in (
        Rule("preference.{this}_or_{that}", "je (?:prefere|aime mieux) (?P<this>[^,]+?) (?:a la|a l|aux|au|a|plutot que|plutot qu|que|qu) (?P<that>[^,]+)", "{this}"),
        Rule("preference.{this}_or_{that}", "je aime (?:mieux|plus) (?P<this>[^,]+?) (?:que|qu) (?P<that>[^,]+)", "{this}"),
        Rule("preference.favourite.{what}", f"mon|ma|notre {_ADJECTIVE}(?P<what>\\w+(?: \\w+)?) (?:preferee?|favorite?|favori|favourite) (?:de tous les temps |au monde |a moi )?,? ?(?:c est|est) (?:plus|pas) (?P<phrase>[^,]+)$", "not {phrase}"),
        Rule("preference.favourite.{what}", f"mon|ma|notre {_ADJECTIVE}(?P<what>\\w+(?: \\w+)?) (?:preferee?|favorite?|favori|favourite) (?:de tous les temps |au monde |a moi )?,? ?{_IS} <phrase>", "{phrase}"),
        Rule("preference.favourite.{what}", f"mon|ma|notre {_ADJECTIVE}(?P<what>\\w+(?: \\w+)?) (?:preferee?|favorite?|favori) a change ?, c est <phrase>", "{phrase}"),
        Rule("preference.favourite.{what}", f"mon|ma|notre {_ADJECTIVE}(?P<what>\\w+(?: \\w+)?) (?:preferee?|favorite?|favori) a change$", "changed"),
        Rule("preference.favourite.{what}", "le|la|l (?P<what>\\w+) que je (?:prefere|aime le plus|adore le plus) (?:est|c est|,|, c est) <phrase>", "{phrase}"),
        Rule("preference.{phrase}", f"je (?:aime|adore|supporte|apprecie|raffole|kiffe|mange) {_NOT} <phrase>", "dislike"),
        Rule("preference.{phrase}", "je suis (?:pas|plus) (?:vraiment |tres |grande? |un |une |un grand )*(?:fan|fana|amateur|amatrice|accro|friande?|passionnee?) (?:(?:de la|de l|de|du|des|d|a|au|par) )?<phrase>", "dislike"),
        Rule("preference.{phrase}", "je (?:deteste|hais|execre|ai horreur|ai une sainte horreur|en ai marre|me suis lassee?|aime moyen|aime moyennement|supporte mal) (?:(?:de la|de l|des|du|de|d) )?<phrase>", "dislike"),
        Rule("preference.{phrase}", "je (?:prefere|adore|aime|apprecie|raffole|kiffe|suis fan|suis une grande fan|suis un grand fan|suis accro|suis fou|suis folle|suis devenue? fan|ai un faible|ai une passion) (?:beaucoup |enormement |pas mal |me |m )?(?:pour )?(?:(?:de la|de l|du|des|de|d) )?(?!pas\\b|plus\\b|mieux\\b|quand\\b|que tu\\b)<phrase>", "like"),
        Rule("preference.favourite.{what}", "* (?P<phrase>[a-z -]{2,30}?) (?:est|sont|c est) (?:mon|ma|notre) (?P<what>\\w+) (?:preferee?|favorite?|favori)$", "{phrase}"),
        Rule("preference.{phrase}", "* (?P<phrase>(?:le |la |les |l )?[a-z -]{3,25}?) (?:ca |,ca |, ca )?(?:me |m )?(?:plait|plaisent|interesse|branche) (?:pas|plus)\\b", "dislike"),
        Rule("preference.{phrase}", "* (?P<phrase>(?:le |la |les |l )[a-z -]{3,25}?) (?:, )?(?:ca |c est )?(?:est )?(?:pas|plus) (?:vraiment )?(?:mon truc|ma tasse de the|pour moi)\\b", "dislike"),
    )
)  # fmt: skip
FRENCH = (*NAMES, *OTHERS[:-4], *HOME, *WORK, *BODY, *SELF, *PREFERENCES, *THINGS, *OTHERS[-4:])
