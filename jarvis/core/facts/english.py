"""What people say about themselves in English, most exact first: the first rule that fits a clause speaks for it.

Clauses come in canonical form: `we have been living` reads `i live`, `I don't ... anymore` reads `i no longer ...`.
"""
# ruff: noqa: E501 - a rule is read whole, on one line

from jarvis.core.facts.rules import Rule

_IS = "(?:is|s|are|will be)"
_ADJECTIVE = "(?:new |old |dear |lovely |current |little |big |older |younger |elder |youngest |oldest |eldest |twin |late |beloved |first |second |ex |best (?!friend|mate)|\\d+ year old )*"
# "I work at night", "for my dad", "for free"
_NO_FIRM = "(?!an? |the |my |our |home|night|it |me|them|him|her|us|this|that|free|fun|money|people|hours|least|all|\\d)"
_HAVE = "(?:have |have got |got |adopted |have adopted |own |rescued |bought |picked up )"
_DAYS = "tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april|may|june|july|august|september|october|november|december"
_OFTEN = "(?:every|each) (?:single )?(?:other )?(?:\\w+)|on (?:\\w+ )?(?:mon|tues|wednes|thurs|fri|satur|sun)days|(?:once|twice|\\w+ times) (?:a|per) \\w+|daily|weekly"
_VERB = "(?P<verb>drink|eat|take|have|go|wear|walk|cycle|bike|drive|sleep|read|listen|watch|cook|buy|run|swim|play|travel|fly|train|work|do|practice|practise|meditate|visit|call|see|commute)"

NAMES = (
    Rule("self.name", f"my (?:full |first |real )?names? (?:{_IS} )?(?!of\\b)<name>", importance=0.9),
    Rule("self.name", f"the name {_IS} <name>", importance=0.9, capital=True),
    Rule("self.name", "i (?:have )?changed my (?:first )?name to <name>", importance=0.9),
    Rule("self.name", "i am called <name>", importance=0.9),
    Rule("self.name", "i am <name>(?:$| , (?:\\d|an? ))", importance=0.9, capital=True),
    Rule("self.name", "this is <name> (?:speaking|here|writing)", importance=0.9, capital=True),
    Rule("self.name", "* <name> here(?: ,|$)", importance=0.9, capital=True),
    Rule("answer.name", "i go by (?:the name )?(?:of )?<name>", kind="preference", importance=0.8),
    Rule("answer.name", "people|everyone|everybody|friends|most (?:\\w+ ){0,2}?calls? me <name>", kind="preference", importance=0.8),
    Rule("answer.name", "call me <name>", kind="preference", importance=0.8, capital=True),
    Rule("pet.{pet}.name", f"my {_ADJECTIVE}<pet> s? ?(?:new )?names? (?:{_IS} )?<name>"),
    Rule("pet.{pet}.name", f"my {_ADJECTIVE}<pet> (?:{_IS}|goes by) (?:called |named )?(?:the name )?<name>", capital=True),
    Rule("pet.{pet}.name", f"my {_ADJECTIVE}<pet> {_IS} (?:called|named) <name>"),
    Rule("pet.{pet}.name", f"i {_HAVE}(?:an?|one|two|three|\\d) (?:[\\w-]+ ){{0,3}}?<pet> ,? ?(?:called|named|whose name is|(?:his|her|its|their) names? (?:is|are)) <name>"),
    Rule("pet.{pet}.name", f"i {_HAVE}(?:an?|one|two|three|\\d) (?:[\\w-]+ ){{0,3}}?<pet> , <name>", capital=True),
    Rule("pet.{pet}.count", f"i {_HAVE}(?P<count>an?|one|two|three|four|five|six|\\d+) (?:[\\w-]+ ){{0,2}}?<pet>(?: now| at home| and .+)?$", "{count}"),
    Rule("pet.{pet}.name", f"the name of my {_ADJECTIVE}<pet> {_IS} <name>"),
    Rule("person.{kin}.name", f"the name of my {_ADJECTIVE}<kin> {_IS} <name>"),
    Rule("pet.{pet}.name", f"i (?:call|called|named) (?:my|our|the) {_ADJECTIVE}<pet> <name>"),
    Rule("pet.{pet}.name", f"my {_ADJECTIVE}<pet> ,? ?<name>", capital=True),
    Rule("person.{kin}.name", f"my {_ADJECTIVE}<kin> s? ?names? {_IS} <name>"),
    Rule("person.{kin}.name", f"my {_ADJECTIVE}<kin> {_IS} (?:called|named) <name>"),
    Rule("person.{kin}.name", f"i (?:have|got) (?:an?|one|two|three|\\d) {_ADJECTIVE}<kin> ,? ?(?:called|named|whose name is|(?:her|his|their) names? (?:is|are)) <name>"),
    Rule("person.{kin}.name", f"i (?:have|got) (?:an?|one|two|three|\\d) {_ADJECTIVE}<kin> , <name>", capital=True),
    Rule("person.{status}.name", "i am (?P<status>married|engaged) to (?:an? \\w+ )?(?:called |named )?<name>", capital=True),
)  # fmt: skip

_HOME = "self.home.city"
OTHERS = (
    Rule("person.{kin}.home.city", f"my {_ADJECTIVE}<kin> (?:\\w+ )?(?:lives? in|lives? near|s living in|resides in|relocated to|moved to|has moved to|is living in) <name>"),
    Rule("person.{kin}.job", f"my {_ADJECTIVE}<kin> (?:\\w+ )?(?:is|s|works as|became|has become|s new job is|s job is) (?:an? )?(?:(?!not )\\w+ )?<job>", "{job}"),
    Rule("person.{kin}.job", f"my {_ADJECTIVE}<kin> (?:\\w+ )?(?:works|is working) as an? <phrase>", "{phrase}"),
    Rule("person.{kin}.employer", f"my {_ADJECTIVE}<kin> (?:\\w+ )?works (?:at|for) <name>"),
    Rule("person.{kin}.allergy", f"my {_ADJECTIVE}<kin> (?:\\w+ )?is allergic to <phrase>", "{phrase}", importance=0.9),
    Rule("person.{kin}.age", f"my {_ADJECTIVE}<kin> (?:\\w+ )?(?:is|are|s|turned|turns) <age>", "{age}"),
    Rule("person.{kin}.birthday", f"my {_ADJECTIVE}<kin> s birthday {_IS} (?:on )?<phrase>", "{phrase}"),
    Rule("person.{kin}.name", f"my {_ADJECTIVE}<kin> ,? ?(?:is )?<name>", capital=True),
    Rule("person.child.count", "i am an? (?:\\w+ )?(?:dad|father|mum|mom|mother|parent) (?:of|to) <phrase>", "{phrase}"),
    Rule("person.{kin}.name", f"i (?:have|got) an? {_ADJECTIVE}<kin>$", "changed", importance=0.5),
    Rule("person.{kin}.count", "i have (?P<count>\\d+|no|one|two|three|four|five|six|seven) (?:\\w+ )?<kin>", "{count}"),
)  # fmt: skip

_MOVED = "(?:have )?(?:moved|relocated|resettled|settled|moved house|gone)"
_WAY = "(?: (?:again|back|house|over|down|up|out|across|here))*"
HOME = (
    Rule(_HOME, "i (?:no longer|do not) (?:live|reside|am) in [\\w -]+? but (?:in|at|near) (?P<to>[\\w-]+)", "{to}", importance=0.8),
    Rule(_HOME, "i have (?:always )?lived in <name> (?:my whole life|all my life|for|since|ever since|with)", importance=0.8),
    Rule(_HOME, "i (?:have )?(?:bought|rented|found|got) an? (?:\\w+ )?(?:house|flat|apartment|home|place) in <name>", importance=0.8, capital=True),
    Rule("self.moving to", "i (?:am moving|will move|am about to move|am relocating|will be moving) to <name>", capital=True),
    Rule(_HOME, "i no longer (?:live|reside|am) in <name>", "not {name}", importance=0.8, capital=True),
    Rule(_HOME, "i (?:do not|no longer) live in <name>", "not {name}", importance=0.8),
    Rule(_HOME, "i (?:live|reside|stay|rent a (?:flat|place|room)|rent|am based|have settled|settled|have been based) (?:in|near|outside|close to|next to|around|by|not far from|at) <name>", importance=0.8),
    Rule(_HOME, "i am-now in <name>", importance=0.8, capital=True),
    Rule(_HOME, f"i {_MOVED}{_WAY} (?:from [\\w ]+? )?(?:to|in) <name>", importance=0.8),
    Rule(_HOME, f"i (?:[a-z]+ ){{1,4}}and (?:moved|relocated){_WAY} to <name>", importance=0.8, capital=True),
    Rule(_HOME, f"i (?:have |have had to )?(?:moved?|relocated?){_WAY}(?: last \\w+| this \\w+| in \\w+| yesterday| , this time)?$", "changed", importance=0.6),
    Rule(_HOME, "i (?:have )?left <name> (?:for|to go to) (?P<to>[A-Za-z-]+)$", "{to}", importance=0.8, capital=True),
    Rule(_HOME, f"my (?:home|new home|house|new house|flat|apartment|new flat|new apartment|place|new place|address|new address) {_IS} in <name>", importance=0.8),
    Rule(_HOME, "home (?:for me )?is (?:in )?<name>", importance=0.8, capital=True),
    Rule("self.origin", "i (?:am|come) (?:originally )?from <name>", capital=True),
    Rule("self.origin", "i (?:was|am) born(?: and raised| and grew up)? in <name>", capital=True),
    Rule("self.birth year", "i was born in (?P<phrase>\\d{4})", "{phrase}"),
    Rule("self.childhood", "i (?:was raised|grew up) (?:on|in|near) <phrase>", "{phrase}"),
)  # fmt: skip

_FIRM = "self.employer"
WORK = (
    Rule(_FIRM, "i (?:do not|no longer) (?:work|am) (?:at|for|with) [\\w -]+? but (?:at|for|with) (?P<to>[\\w-]+)", "{to}"),
    Rule(_FIRM, f"i (?:do not|no longer) (?:work|am) (?:at|for|with) {_NO_FIRM}<name>", "not {name}"),
    Rule(_FIRM, "i am-now at <name>", capital=True),
    Rule(_FIRM, f"i work (?:full time |part time )?(?:at|for|with) {_NO_FIRM}<name>"),
    Rule(_FIRM, f"i (?:have )?(?:(?:quit|left) [A-Za-z]+ (?:and|to|for) )?(?:joined|join|started at|started with|started work(?:ing)? (?:at|for|with)|got hired (?:by|at)|was hired (?:by|at)|was recruited by|got a (?:new )?(?:job|position|role) (?:at|with)|landed a (?:new )?(?:job|position|role) (?:at|with)|accepted an offer (?:from|at)|started a (?:new )?(?:job|position|role) (?:at|with)|worked at|worked for|am starting at) {_NO_FIRM}<name>"),
    Rule(_FIRM, "i (?:have )?(?:left|quit|resigned from) <name> (?:for|to join) (?P<to>[A-Za-z-]+)$", "{to}", capital=True),
    Rule(_FIRM, "i (?:have )?(?:left|quit|resigned from|got fired from|was fired from|got laid off from) <name>", "not {name}", capital=True),
    Rule(_FIRM, "i (?:have |have had to )?(?:switched|changed|got a new|have a new|found a new|started a new|quit my|left my|lost my|landed a new) (?:jobs?|employers?|companies|company|position|role)(?! as\\b| at\\b| with\\b)", "changed", importance=0.6),
    Rule(_FIRM, "i am employed (?:by|at|with) <name>"),
    Rule(_FIRM, f"my (?:new |current )?(?:employer|company) {_IS} <name>"),
    Rule("self.job", "i (?:do not|no longer) work as an? (?:(?!not )\\w+ )?<job>", "not {job}", importance=0.8),
    Rule("self.job", "i (?:have )?(?:stopped|quit) (?:being|working as) an? (?:\\w+ )?<job>", "not {job}", importance=0.8),
    Rule("self.job", "i no longer am an? (?:(?!not )\\w+ )?<job>", "not {job}", importance=0.8),
    Rule("self.job", "i (?:work|started work|have started)(?:ing)? (?:full time |part time |freelance )?as (?:an? )?<phrase>", "{phrase}", importance=0.8),
    Rule("self.job", "i (?:got|found|landed|started) a (?:new )?(?:job|position|role) as an? <phrase>", "{phrase}", importance=0.8),
    Rule("self.job", "i have been an? (?:\\w+ )?<job> (?:for|since)", "{job}", importance=0.8),
    Rule("self.job", f"my (?:new |current )?(?:job|profession|occupation|line of work) {_IS} (?:being |that of )?<phrase>", "{phrase}", importance=0.8),
    Rule("self.job", "i am (?:an? |the )?(?:(?!not\\b|no\\b|never\\b|to\\b|with\\b|my\\b|in\\b|like\\b)\\w+ ){0,2}?<job>(?! s\\b)", "{job}", importance=0.8),
    Rule("self.job", "i am (?:the |an? )?(?P<phrase>(?:head|director|chief|ceo|cto|cfo|vp|president|owner|founder|co-founder|cofounder|captain|mayor|dean|partner|lead)(?: (?:of|at) [^,]+|$))", "{phrase}", importance=0.8),
    Rule("self.job", "i (?:became|have become|retrained as|earn my living as|make a living as|trained as|have retrained as) an? <phrase>", "{phrase}", importance=0.8),
    Rule("self.job", "i (?:do|practise|practice) (?P<phrase>\\w+) for a living", "{phrase}", importance=0.8),
    Rule("self.job", "i teach (?P<phrase>[a-z ]+?)(?: (?:at|in) .+)?$", "{phrase} teacher", importance=0.7),
    Rule(_FIRM, "i work (?:nights |days |part time |full time |shifts )?(?:at|in|for) (?P<phrase>an? [^,]+)", "{phrase}", importance=0.6),
    Rule("self.business", "i (?:run|own|opened|have opened|founded|started) (?:an? |my own )(?P<phrase>(?:[\\w-]+ ){0,3}?(?:shop|store|company|business|studio|restaurant|cafe|bakery|bookshop|agency|startup|farm|gallery|bar|pub|salon|practice|firm|brewery|vineyard|hotel|garage|workshop|school|gym|clinic|label|channel|blog|podcast))", "{phrase}"),
    Rule("self.studies", "i (?:study|studied|major in|majored in|am majoring in) <phrase>", "{phrase}"),
    Rule("self.studies", "i (?:have )?(?:switched|changed) (?:my )?(?:major|degree|course|studies) (?:to|for) <phrase>", "{phrase}"),
    Rule("self.studies", "i (?:did|got|have|am doing|finished|completed) (?:my|an?) (?P<phrase>(?:phd|master s?|masters|bachelor s?|degree|mba|doctorate|undergrad|postdoc)[^,]*)", "{phrase}"),
)  # fmt: skip

_DIET = "vegetarian|vegan|pescatarian|pescetarian|coeliac|celiac|lactose intolerant|veggie|flexitarian"
BODY = (
    Rule("self.age", "i (?:am|turned|have turned) <age>(?: years old| yo| today| yesterday| last \\w+| this \\w+| in \\w+|$|,| ,)", "{age}"),
    Rule("self.age next", "i (?:will turn|turn|will be|am turning) <age>(?! \\w*(?:minutes?|hours?|days?)\\b)", "{age}"),
    Rule("self.diet", f"i (?:no longer am|am not) (?:an? )?(?P<diet>{_DIET})$", "not {diet}", importance=0.8),
    Rule("self.diet", f"i (?:have )?(?:stopped|quit|gave up) being (?:an? )?(?P<diet>{_DIET})", "not {diet}", importance=0.8),
    Rule("self.diet", f"i (?:am|became|went|have become|have gone|have turned|turned|have been|was born) (?:always )?(?:an? )?(?:\\w+ )?(?P<diet>{_DIET})(?! \\w*(?:food|restaurant|recipe)s?\\b)", "{diet}", importance=0.8),
    Rule("self.diet", "i (?:eat|started eating|am back to eating|have started eating|have gone back to eating) (?P<phrase>meat|everything|anything|meat and fish)(?: again)?$", "omnivore", importance=0.8),
    Rule("self.diet", "i (?:do not|no longer|never|can not) eat (?:any )?(?P<phrase>meat|animal products)(?: at all| or .+)?$", "no meat", importance=0.8),
    Rule("self.diet.{phrase}", "i (?:do not|no longer|never|can not|must not|should not|stopped|quit|gave up|have stopped|avoid) (?:(?:eat|drink|have|touch|tolerate|digest|consume|eating|drinking|consuming|do) )?(?:any )?(?P<phrase>(?:gluten|pork|beef|dairy|alcohol|sugar|caffeine|lactose|wheat|soy|fish|seafood|shellfish|eggs?|nuts|bread|red meat|chicken|milk|cheese|booze|soda|coffee|spicy food))\\b", "no", importance=0.8),
    Rule("self.diet.{phrase}", "i (?:do not|no longer|never|can not) (?:eat|drink) <phrase>", "no", importance=0.7),
    Rule("self.diet.{phrase}", "i (?:eat|drink|started eating|started drinking) (?P<phrase>[^,]+?) again$", "yes", importance=0.7),
    Rule("self.allergy", "i (?:am not|no longer am) allergic to <phrase>", "not {phrase}", importance=0.9),
    Rule("self.allergy", "i (?:am|have (?:always )?been) (?:\\w+ )?allergic(?: to <phrase>)", "{phrase}", importance=0.9),
    Rule("self.allergy", "* (?P<phrase>[a-z ]{3,30}?) (?:could|can|would|will|might) kill me", "{phrase}", importance=0.9),
    Rule("self.allergy", "i have (?:an? )?(?:\\w+ )?(?P<phrase>\\w+) allerg(?:y|ies)", "{phrase}", importance=0.9),
    Rule("self.condition", "i (?:have|suffer from|live with|have been diagnosed with|was diagnosed with|got diagnosed with|have had|get) (?:an? |the )?(?:\\w+ (?:\\d )?)?<condition>", "{condition}", importance=0.8),
    Rule("self.condition", "i (?:suffer from|live with|have been diagnosed with|was diagnosed with|got diagnosed with) <phrase>", "{phrase}", importance=0.8),
    Rule("self.medication", "i (?:am on|take|have to take) (?P<phrase>[\\w ]+?) (?:every|each|daily|for my|twice|once|in the|before bed)\\b", "{phrase}"),
    Rule("self.smoking", "i (?:smoke|started smoking|have started smoking)(?: (?:again|a pack|cigarettes|every).*)?$", "yes"),
    Rule("self.smoking", "i (?:do not|no longer|never|quit|gave up|have quit|have given up|stopped|have stopped) smok(?:e|ing)\\b", "no"),
    Rule("self.fear.{phrase}", "i am (?:\\w+ )?(?:afraid|scared|terrified|frightened) of <phrase>", "yes", importance=0.6),
    Rule("self.fear.{phrase}", "i (?:am no longer|no longer am|am not) (?:afraid|scared|terrified|frightened) of <phrase>", "no", importance=0.6),
    Rule("self.fear.{phrase}", "i have a (?:fear|phobia) of <phrase>", "yes", importance=0.6),
    Rule("self.height", "i am (?P<phrase>(?:\\d ?m ?\\d\\d|\\d{3} ?cm|\\d[.]\\d\\d ?m|\\d (?:foot|feet|ft) ?\\d*)[^,]*)", "{phrase}"),
    Rule("self.height", "i am (?P<phrase>[\\d.']+ ?(?:m|cm|ft|feet)?) tall", "{phrase}"),
    Rule("self.weight", "i weigh <phrase>", "{phrase}"),
)  # fmt: skip

SELF = (
    Rule("self.relationship", "i (?:have an? (?:girlfriend|boyfriend|partner|fiancee?)(?: now)?$|am in a relationship|am seeing someone|am dating someone|have a girlfriend)", "in a relationship"),
    Rule("self.relationship", "i (?:am|got|have got|am getting|became|have become) (?P<status>married|single|divorced|engaged|widowed|separated)(?: again)?(?! to \\w+ing)", "{status}"),
    Rule("self.relationship", "my (?:wife|husband|partner|boyfriend|girlfriend|ex) (?:and i|and me) (?:have )?(?P<status>separated|divorced|split up|broke up)", "{status}"),
    Rule("self.relationship", "i (?:have )?(?:broke|broken|split) up(?: with .+)?$", "single"),
    Rule("self.nationality", "i am (?:an? |half |originally )?<nationality>(?: citizen| national| by birth| and .+|$| ,)", "{nationality}"),
    Rule("self.trait.{trait}", "i (?:am|have been|was born|went|have gone) (?:an? )?(?:\\w+ ){0,1}?<trait>(?! \\w*(?:by|with|to)\\b)", "yes"),
    Rule("self.trait.{trait}", "i (?:no longer am|am not) (?:an? )?<trait>", "no"),
    Rule("self.language", "i (?:speak|am fluent in|am bilingual in|can speak) (?:fluent |some |a little |a bit of )?(?!to\\b|with\\b|about\\b|for\\b)<phrase>", "{phrase}", importance=0.6),
    Rule("self.learning", "i (?:am|have started|started|want) (?:learning|taking|to learn) (?:to (?:play|speak) )?(?!more\\b|about\\b|how\\b)<phrase>", "{phrase}", importance=0.6),
    Rule("self.programming language", "i (?:mostly |usually )?(?:code|program|write code) in <phrase>", "{phrase}", importance=0.6),
    Rule("self.team", "i (?:support|root for|am an? (?:big |lifelong |huge )?supporter of) <name>", capital=True, importance=0.6),
    Rule("self.hobby", "i (?:collect|am a collector of) <phrase>", "{phrase}", importance=0.5),
    Rule("self.goal.{phrase}", "i am (?:saving|saving up) (?:for|to buy) <phrase>", "yes", importance=0.6),
    Rule("self.expecting", "i am expecting (?:my |our |an? )?(?:first |second |third |fourth |little )?(?P<phrase>(?:baby|child|kid|twins|girl|boy|son|daughter)[^,]*)", "{phrase}", importance=0.8),
    Rule("self.trip.{name}", "i (?:am (?:going|flying|travelling|traveling|off|heading)|go|fly|travel|have booked a (?:flight|trip)|booked a (?:flight|trip)|am planning a trip) to <name> (?:in|on|next|this|for|tomorrow|with|over)\\b", "yes", capital=True, importance=0.5),
    Rule("preference.{phrase}", "i (?:stopped|have stopped) (?:liking|loving|enjoying) <phrase>", "dislike", kind="preference", importance=0.6),
    Rule("self.hobby", "i (?:no longer|do not|never) (?:play|do|practise|practice) (?:the )?<phrase>", "not {phrase}", importance=0.5),
    Rule("self.hobby", "i (?:quit|gave up|have given up|stopped|have stopped) (?:playing |doing |practising )?(?:the )?(?!smoking|my\\b|work)<phrase>", "not {phrase}", importance=0.5),
    Rule("self.hobby", "i (?:play|practise|practice|took up|have taken up|am (?:\\w+ )?into|do|go) (?:the |a lot of )?(?P<phrase>(?!you|it|that|this|not|to|on|by|for|my|back|home|out|ahead|well|all)[^\\s,][^,]*)(?<!\\bit)", "{phrase}", importance=0.5),
    Rule("self.hobby", f"my (?:favourite )?(?:hobby|hobbies|pastime|passion) {_IS} <phrase>", "{phrase}", importance=0.5),
    Rule("self.wake-up time", "i (?:usually |always |generally )?(?:get|wake) up (?:\\w+ )?(?:at|around|before|by) (?P<phrase>\\d[^,]*|noon|dawn|six|seven|five|eight|nine)", "{phrase}", importance=0.5),
    Rule("self.bedtime", "i (?:usually |always |generally )?(?:go to (?:bed|sleep)|sleep) (?:at|around|before|by) (?P<phrase>\\d[^,]*|midnight)", "{phrase}", importance=0.5),
    Rule("self.habit.{verb}", f"i {_VERB} (?P<often>(?:[^,]*? )?(?:{_OFTEN})[^,]*)", "{often}", importance=0.5),
    Rule("self.habit.{verb}", f"i (?:usually|always|generally|normally|typically|tend to|never) {_VERB} (?P<often>(?!it|that|this|you|your)[^\\s,]+ [^,]+)", "{often}", importance=0.5),
    Rule("self.tool.{phrase}", "i use (?P<phrase>(?!it\\b|this\\b|that\\b|you\\b|your\\b|them\\b|the\\b|my\\b|to\\b)[\\w+#. -]{2,30}?)(?: (?:btw|for|as|at|on|every|with) ?.*|$| ,.*)", "yes", importance=0.5),
    Rule("self.training", "i (?:train|am preparing|prepare|am getting ready) for (?P<phrase>(?:my|the|an? )[^,]*(?:marathon|race|triathlon|exam|competition|tournament|match|trek|climb|ironman|10k|5k)[^,]*)", "{phrase}"),
)  # fmt: skip

_TO = "(?:moved|postponed|pushed|rescheduled|brought forward|changed|shifted)(?: back)? to"
THINGS = (
    Rule("event.{event}.date", "i (?:have |had to )?(?:move|moved|postponed|pushed|rescheduled) (?:my|our|the) (?:\\w+ )?<event> to <phrase>", "{phrase}"),
    Rule("event.birthday.date", "i was born on <phrase>", "{phrase}", importance=0.8),
    Rule("event.wedding.date", "i am getting married (?:on|in)? ?(?P<phrase>(?:the )?\\d[^,]*|(?:next |this )?\\w+day.*|next \\w+|in \\w+)", "{phrase}"),
    Rule("self.shoe size", "i (?:wear|take|am)(?: a)? (?:shoe )?size (?P<phrase>\\d+)(?: shoes?)?", "{phrase}"),
    Rule("self.{thing}", "i (?:have|own) (?P<count>two|three|four|five|\\d) <thing>", "{count}", importance=0.5),
    Rule("self.{thing}", "i do not (?:own|have|drive) an? (?:\\w+ )?<thing>", "none", importance=0.6),
    Rule("self.{thing}", f"my {_ADJECTIVE}<thing> {_IS} (?!not |broken|dead|down|fine|slow|back|stolen|lost|working|at the|in the|too|so |very |\\w+ing )<phrase>", "{phrase}", importance=0.6),
    Rule("self.{thing}", "i (?:have )?(?:bought|got|switched to|drive|ride|use|traded (?:it|mine) for) (?:myself |ourselves )?an? (?:new )?(?:\\w+ ){0,2}?<thing>", "{thing_phrase}", importance=0.5),
    Rule("self.car", "i (?:have |have had to )?(?:sold|traded in|got rid of) (?:my|the) [\\w -]+?(?: ,)? (?:and|for|to) (?:bought|got|buy|get|drive|switched to)? ?an? <phrase>", "{phrase}", importance=0.6),
    Rule("self.car", "i (?:have|own|bought|have bought|got|got myself|switched to) (?:an? |the )?(?:new )?<carname>", "{carname}", importance=0.6),
    Rule("self.car", "i drive (?:around in )?an? <phrase>", "{phrase}", importance=0.6),
    Rule("self.{thing}", "i (?:have )?(?:changed|replaced|switched|traded|swapped|exchanged) (?:my |our |the )?<thing>s? ?(?:(?:for|to|with) an? )(?P<phrase>[^,]+)", "{phrase}", importance=0.6),
    Rule("self.{thing}", "i (?:have )?(?:changed|replaced|switched) (?:my |our )?<thing>s?", "changed", importance=0.5),
    Rule("event.{event}.date", f"my|the (?:[\\w ]{{1,20}} )?<event> (?:was|has been|is|got|is being|had to be) {_TO} <phrase>", "{phrase}", corrects=True),
    Rule("event.{event}.date", f"my (?:\\w+ )?<event> (?:[a-z-]+ ){{0,4}}?(?:to [A-Z]?\\w+ )?{_IS} (?:on|planned for|scheduled for|set for|moved to|at|in|this|next) <phrase>", "{phrase}"),
    Rule("event.{event}.date", "my|the (?:\\w+ )?<event> takes place on <phrase>", "{phrase}"),
    Rule("event.{event}.date", f"my <event> (?:[a-z-]+ ){{0,4}}?{_IS} (?:the )?(?P<phrase>(?:{_DAYS}|\\d)[^,]*)", "{phrase}"),
    Rule("event.{event}.date", "i have (?:an?|my|our) (?:\\w+ )?<event> (?:on|at|this|next|tomorrow) ?<phrase>", "{phrase}"),
)  # fmt: skip

_VERY = "(?:so |very |too |that |all that |big |huge |much |even )*"
PREFERENCES = tuple(
    rule._replace(kind="preference", importance=0.6)
    for rule in (
        Rule("preference.{this}_or_{that}", "i (?:prefer|would rather have|like) (?P<this>[^,]+?) (?:to|over|rather than|than|more than|better than|instead of) (?P<that>[^,]+)", "{this}"),
        Rule("preference.favourite.{what}", "my (?:all-time |absolute |new )?(?:favourite|preferred) (?P<what>\\w+) (?:no longer is|is not) (?P<phrase>[^,]+?)(?: any more)?$", "not {phrase}"),
        Rule("preference.favourite.{what}", f"my (?:all-time |absolute |new )?(?:favourite|preferred) (?P<what>\\w+(?: \\w+)?) (?:of all time |ever |in the world )?(?:{_IS}|, has to be|has to be|must be|,) (?:probably |always been )?(?!is\\b|,)<phrase>", "{phrase}"),
        Rule("preference.favourite.{what}", "my (?:favourite|preferred) (?P<what>\\w+) (?:has )?changed to <phrase>", "{phrase}"),
        Rule("preference.favourite.{what}", "my (?:favourite|preferred) (?P<what>\\w+) (?:has )?changed$", "changed"),
        Rule("preference.favourite.{what}", "the (?P<what>\\w+) (?:that |which )?i (?:like|love|prefer|enjoy)(?: the)?(?: best| most)? is <phrase>", "{phrase}"),
        Rule("preference.{phrase}", f"i (?:do not|no longer|never|have never|did not) (?:really |particularly |actually |much |even )?(?:like|love|enjoy|liked|enjoyed|care for|am a fan of|am into|can stand|stand) {_VERY}<phrase>", "dislike"),
        Rule("preference.{phrase}", f"i (?:am not|no longer am|was never|have never been) (?:an? )?{_VERY}(?:fan of|fond of|into|keen on|crazy about) <phrase>", "dislike"),
        Rule("preference.{phrase}", "i (?:always |have always )?(?:hate|hated|dislike|loathe|despise|detest|can not stand|can not bear|can not take|went off|have gone off|have grown tired of|am sick of|am fed up with|am tired of|am over) <phrase>", "dislike"),
        Rule("preference.{phrase}", "i (?:always |have always |do |have come to |started to |have grown to |have started to |learned to )?(?:like|love|loved|enjoy|adore|prefer|am fond of|am keen on|am crazy about|am an? (?:big |huge |massive )?fan of|have a soft spot for|am obsessed with|am addicted to|would rather have|started liking|have started liking) (?!to\\b|if\\b|for\\b)<phrase>", "like"),
        Rule("preference.{phrase}", f"i am an? {_VERY}(?P<phrase>[^,]{{3,40}}?) (?:fan|lover|addict|enthusiast|nerd|geek)$", "like"),
        Rule("preference.favourite.{what}", "* (?P<phrase>[a-z -]{2,30}?) (?:is|are) my (?:all-time |absolute |new )?(?:favourite|preferred) (?P<what>\\w+)(?: ever| of all time)?$", "{phrase}"),
        Rule("preference.{phrase}", "i (?:like|love|enjoy|prefer) to (?P<phrase>(?!know|see|hear|ask|think|say|have|get|be|talk|understand)[^,]+)", "like"),
        Rule("preference.{phrase}", "* (?P<phrase>[a-z ]{3,30}?) (?:is|are) (?:not (?:really )?my (?:thing|cup of tea)|the worst|disgusting to me)(?: any ?more)?$", "dislike"),
    )
)  # fmt: skip
_NEVER_TRAITS = "(?!bit|little|lot|girl|boy|guy|cat|dog|woman in|mess|wreck|genius|idiot|fool|joke|failure|loser|zombie|robot|potato|legend|riddle|tad|believer|lot|big|huge|good|great|bad|sucker|goner|human|person|man of|fan|day|week|minute|few)"
LAST = (Rule("self.trait.{phrase}", f"i am an? {_NEVER_TRAITS}(?P<phrase>[a-z-]+(?: (?!who|that|and|but|to|from|with|in|at|of)[a-z-]+)?)(?: (?:at|in|from|by|of|since|for) [^,]+|$| ,)", "yes", importance=0.5),)  # fmt: skip
ENGLISH = (*NAMES, *OTHERS[:-4], *HOME, *WORK, *BODY, *SELF, *PREFERENCES, *THINGS, *OTHERS[-4:], *LAST)
