"""What people say about themselves in English, most exact first: the first rule that fits a clause speaks for it."""
# ruff: noqa: E501 - a rule is read whole, on one line

from jarvis.core.facts.rules import Rule

_IS = "(?:is|s|are|will be)"
_ADJECTIVE = "(?:new |old |dear |lovely |current |little |big |older |younger |elder |youngest |oldest |eldest |twin |late )*"
# "I work at night", "for my dad", "for free"
_NO_FIRM = "(?!an? |the |my |our |home|night|it |me|them|him|her|us|this|that|free|fun|money|people|hours|least|all|\\d)"

NAMES = (
    Rule("self.name", f"my (?:full |first |real )?name {_IS} (?:actually )?<name>", importance=0.9),
    Rule("self.name", "i am called <name>", importance=0.9),
    Rule("self.name", "i am <name>$", importance=0.9, capital=True),
    Rule("pet.{pet}.name", f"my|our {_ADJECTIVE}<pet> s? ?(?:new )?name {_IS} (?:now |actually )?<name>"),
    Rule("pet.{pet}.name", f"my|our {_ADJECTIVE}<pet> (?:{_IS}|goes by) (?:now |actually )?(?:called |named )?(?:the name )?<name>", capital=True),
    Rule("pet.{pet}.name", f"my|our {_ADJECTIVE}<pet> {_IS} (?:now |actually )?(?:called|named) <name>"),
    Rule("pet.{pet}.name", "i|we (?:have |have got |got |adopted |just adopted |just got |have adopted |have just adopted |own )(?:a|an|one) (?:[\\w-]+ ){0,2}?<pet> (?:called|named|whose name is) <name>"),
    Rule("pet.{pet}.name", f"the name of (?:my|our) {_ADJECTIVE}<pet> {_IS} <name>"),
    Rule("person.{kin}.name", f"the name of (?:my|our) {_ADJECTIVE}<kin> {_IS} <name>"),
    Rule("pet.{pet}.name", f"i|we (?:call|called|named) (?:my|our|the) {_ADJECTIVE}<pet> <name>"),
    Rule("pet.{pet}.name", f"my|our {_ADJECTIVE}<pet> <name>", capital=True),
    Rule("person.{kin}.name", f"my|our {_ADJECTIVE}<kin> s? ?name {_IS} (?:now |actually )?<name>"),
    Rule("person.{kin}.name", f"my|our {_ADJECTIVE}<kin> {_IS} (?:now |actually )?(?:called|named) <name>"),
    Rule("person.{kin}.name", f"i|we (?:have|have got|got) (?:a|an|one) {_ADJECTIVE}<kin> ,? ?(?:called|named|whose name is|(?:her|his|their) name is) <name>"),
)  # fmt: skip

OTHERS = (
    Rule("person.{kin}.home.city", f"my|our {_ADJECTIVE}<kin> (?:\\w+ )?<now>(?:lives in|lives near|resides in|relocated to|moved to|has moved to|is living in) <name>"),
    Rule("person.{kin}.job", f"my|our {_ADJECTIVE}<kin> (?:\\w+ )?<now>(?:is|s|works as|became|has become|s new job is|s job is) <now>(?:an? )?(?:(?!not )\\w+ )?<job>", "{job}"),
    Rule("person.{kin}.job", f"my|our {_ADJECTIVE}<kin> (?:\\w+ )?<now>(?:works|is working) <now>as an? <phrase>", "{phrase}"),
    Rule("person.{kin}.employer", f"my|our {_ADJECTIVE}<kin> (?:\\w+ )?<now>works (?:at|for) <name>"),
    Rule("person.{kin}.allergy", f"my|our {_ADJECTIVE}<kin> (?:\\w+ )?is <now>allergic to <phrase>", "{phrase}", importance=0.9),
    Rule("person.{kin}.age", f"my|our {_ADJECTIVE}<kin> (?:\\w+ )?(?:is|turned|just turned) <age>", "{age}"),
    Rule("person.{kin}.birthday", f"my|our {_ADJECTIVE}<kin> s birthday {_IS} (?:on )?<phrase>", "{phrase}"),
    Rule("person.{kin}.name", f"my|our {_ADJECTIVE}<kin> (?:is )?<now><name>", capital=True),
    Rule("person.{kin}.count", "i|we (?:have|have got) (?P<count>\\d+|no|one|two|three|four|five|six|seven) (?:\\w+ )?<kin>", "{count}"),
)  # fmt: skip

SELF = (
    Rule("self.home.city", "i|we (?:do not|no longer) live in <name>", "not {name}", importance=0.8),
    Rule("self.home.city", "i|we <now>(?:live|reside|am living|are living|am based|are based|have settled|settled) (?:in|near) <name>", importance=0.8),
    Rule("self.home.city", "i|we (?:have |have just |just |recently |finally )?(?:moved|relocated|moved house|moved back) (?:from \\w+ )?to <name>", importance=0.8),
    Rule("self.home.city", f"my|our (?:home|new home|house|new house|flat|apartment|new flat|new apartment|place|new place) {_IS} in <name>", importance=0.8),
    Rule("self.home.city", "home (?:for me )?is <now>(?:in )?<name>", importance=0.8, capital=True),
    Rule("self.origin", "i (?:am|come) (?:originally )?from <name>", capital=True),
    Rule("self.origin", "i (?:was born|grew up) in <name>", capital=True),
    Rule("self.employer", f"i <now>(?:work|am working) (?:at|for) {_NO_FIRM}<name>"),
    Rule("self.employer", f"i (?:have |have just |just |recently )?(?:joined|started at|started working at|started working for|got hired by|was hired by|got a job at|worked at|worked for) {_NO_FIRM}<name>"),
    Rule("self.employer", "i am <now>employed (?:by|at) <name>"),
    Rule("self.employer", f"my (?:new |current )?(?:employer|company) {_IS} <name>"),
    Rule("self.job", "i (?:do not|no longer) work as an? (?:(?!not )\\w+ )?<job>", "not {job}", importance=0.8),
    Rule("self.job", "i am no longer an? (?:(?!not )\\w+ )?<job>", "not {job}", importance=0.8),
    Rule("self.job", "i <now>(?:work|am working|started working|started work|have started) (?:full time |part time )?as (?:an? )<phrase>", "{phrase}", importance=0.8),
    Rule("self.job", "i (?:got|have got|found|landed|started) a (?:new )?(?:job|position) as an? <phrase>", "{phrase}", importance=0.8),
    Rule("self.job", "i have been an? (?:\\w+ )?<job> (?:for|since)", "{job}", importance=0.8),
    Rule("self.job", f"my (?:new |current )?(?:job|profession|occupation|line of work) {_IS} (?:now |actually )?(?:being |that of )?<phrase>", "{phrase}", importance=0.8),
    Rule("self.job", "i am <now>(?:an? )?(?:(?!not\\b|no\\b|never\\b)\\w+ ){0,2}?<job>", "{job}", importance=0.8),
    Rule("self.job", "i (?:became|have become|retrained as|have just become|just became|earn my living as|make a living as) an? <phrase>", "{phrase}", importance=0.8),
    Rule("self.studies", "i (?:<now>)?(?:study|am studying|major in|am majoring in) <phrase>", "{phrase}"),
    Rule("self.age", "i (?:am|turned|just turned|have just turned) <age>(?: years old| yo| now|$|,)", "{age}"),
    Rule("self.diet", "i am no longer (?:an? )?(?P<diet>vegetarian|vegan|pescatarian)", "not {diet}", importance=0.8),
    Rule("self.diet", "i (?:am|became|went|have become|have gone|have turned|turned) <now>(?:an? )?(?P<diet>vegetarian|vegan|pescatarian|pescetarian|coeliac|celiac|lactose intolerant|veggie)", "{diet}", importance=0.8),
    Rule("self.allergy", "i am (?:not|no longer) allergic to <phrase>", "not {phrase}", importance=0.9),
    Rule("self.allergy", "i (?:am|have (?:always )?been) (?:\\w+ )?allergic to <phrase>", "{phrase}", importance=0.9),
    Rule("self.allergy", "i have an? (?:\\w+ )?(?P<phrase>\\w+) allergy", "{phrase}", importance=0.9),
    Rule("self.relationship", "i (?:am|got|just got) <now>(?P<status>married|single|divorced|engaged|widowed)", "{status}"),
    Rule("self.language", "i <now>speak (?:fluent |some |a little )?<phrase>", "{phrase}", importance=0.6),
    Rule("self.learning", "i (?:am|have started|started) <now>(?:learning|taking) (?:to (?:play|speak) )?<phrase>", "{phrase}", importance=0.6),
    Rule("self.hobby", "i (?:no longer|do not) (?:play|do|practise|practice) (?:the )?<phrase>", "not {phrase}", importance=0.5),
    Rule("self.hobby", "i (?:quit|gave up|have given up|stopped|have stopped) (?:playing |doing |practising )?(?:the )?<phrase>", "not {phrase}", importance=0.5),
    Rule("self.hobby", "i (?:<now>)?(?:play|practise|practice|took up|have taken up|am into) (?:the )?<phrase>", "{phrase}", importance=0.5),
    Rule("self.hobby", f"my (?:favourite )?(?:hobby|hobbies|pastime) {_IS} <phrase>", "{phrase}", importance=0.5),
)  # fmt: skip

THINGS = (
    Rule("event.{event}.date", "i|we (?:have |had to )?(?:move|moved|postponed|pushed|rescheduled) (?:my|our|the) <event> to <phrase>", "{phrase}"),
    Rule("event.birthday.date", "i was born on <phrase>", "{phrase}", importance=0.8),
    Rule("event.wedding.date", "i|we (?:am|are) getting married (?:on|in)? ?<phrase>", "{phrase}"),
    Rule("self.shoe size", "i (?:wear|take) (?:a )?size (?P<phrase>\\d+)", "{phrase}"),
    Rule("self.{thing}", f"my|our {_ADJECTIVE}<thing> {_IS} (?:now |actually )?<phrase>", "{phrase}", importance=0.6),
    Rule("self.{thing}", "i|we (?:have |have just |just |recently )?(?:bought|got|switched to|drive|ride|use|traded (?:it|mine) for) (?:myself |ourselves )?an? (?:new )?(?:\\w+ ){0,2}?<thing>", "{thing_phrase}", importance=0.5),
    Rule("self.car", "i|we <now>drive an? <phrase>", "{phrase}", importance=0.6),
    Rule("self.{thing}", "i|we (?:have |have just |just |recently )?(?:changed|replaced|switched|traded|swapped|exchanged) (?:my |our )?<thing>s? ?(?:(?:for|to|with) an? )(?P<phrase>[^,]+)", "{phrase}", importance=0.6),
    Rule("self.{thing}", "i|we (?:have |have just |just |recently )?(?:changed|replaced|switched) (?:my |our )?<thing>s?", "changed", importance=0.5),
    Rule("event.{event}.date", f"my|our (?:\\w+ )?<event> {_IS} (?:now )?(?:on|planned for|scheduled for|set for|moved to|at|in|this|next) <phrase>", "{phrase}"),
    Rule("event.{event}.date", "my|our|the (?:\\w+ )?<event> (?:was postponed to|has been moved to|has been postponed to|was moved to|got moved to|takes place on|got pushed to) <phrase>", "{phrase}"),
    Rule("event.{event}.date", f"my|our <event> {_IS} (?:the )?(?P<phrase>(?:tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april|may|june|july|august|september|october|november|december|\\d)[^,]*)", "{phrase}"),
    Rule("event.{event}.date", "i|we have (?:an?|my|our) (?:\\w+ )?<event> (?:on|at|this|next|tomorrow) ?<phrase>", "{phrase}"),
)  # fmt: skip

PREFERENCES = tuple(
    rule._replace(kind="preference", importance=0.6)
    for rule in (
        Rule("preference.{this}_or_{that}", "i <now>(?:prefer|would rather have|like) (?P<this>[^,]+?) (?:to|over|rather than|than|more than|better than) (?P<that>[^,]+)", "{this}"),
        Rule("preference.favourite.{what}", f"my|our (?:all-time |absolute |new )?(?:favourite|preferred) (?P<what>\\w+(?: \\w+)?) (?:of all time )?{_IS} (?:now |actually |probably )?<phrase>", "{phrase}"),
        Rule("preference.{phrase}", "i (?:do not|no longer|never|have never|did not) (?:really |particularly |actually |much |even )?(?:like|love|enjoy|liked|enjoyed|care for) <phrase>", "dislike"),
        Rule("preference.{phrase}", "i am (?:not|no longer) (?:really )?(?:a (?:big |huge )?fan of|fond of|into|keen on|crazy about) <phrase>", "dislike"),
        Rule("preference.{phrase}", "i (?:<now>)?(?:really |absolutely |totally )?(?:hate|dislike|loathe|despise|detest|can not stand|can not bear|went off|have gone off|am sick of|am fed up with|am tired of) <phrase>", "dislike"),
        Rule("preference.{phrase}", "i (?:<now>)?(?:really |absolutely |totally |quite |do |have come to |started to |have grown to |have started to |learned to )?(?:like|love|enjoy|adore|prefer|am fond of|am keen on|am crazy about|am a (?:big |huge )?fan of|have a soft spot for) <phrase>", "like"),
    )
)  # fmt: skip
ENGLISH = (*NAMES, *OTHERS[:-2], *SELF, *PREFERENCES, *THINGS, *OTHERS[-2:])
