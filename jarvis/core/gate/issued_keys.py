"""Keys by the shape their issuers give them, and logins by the place they stand in: URLs, headers, command lines.

The shapes are those the issuers document and public secret scanners search for. Every search is linear in the text:
a match begins only where a run of such characters begins, or has bounded repetitions after fixed text.
"""
# ruff: noqa: E501 - a pattern is read whole, on one line

import re

_SHAPES = re.compile(
    r"""(?<![\w-])(?:
      (?:sk|pk|rk)[-_](?=[\w-]*\d)[\w-]{16,}                        # OpenAI, Anthropic, Stripe
    | jvk_\w{8}_[\w-]{20,} | jrt_[\w-]{20,}                         # Jarvis' own
    | gh[opsur]_\w{20,} | github_pat_\w{20,}                        # GitHub
    | gl(?:pat|ptt|dt|rt|cbt|soat|ft|agent|oas|imt)-[\w.-]{16,}     # GitLab
    | dckr_[po]at_[\w-]{16,} | npm_\w{20,} | pypi-[\w-]{30,}        # Docker, npm, PyPI
    | rubygems_[0-9a-f]{32,} | cio\w{32}\b | CLOJARS_\w{40,}        # RubyGems, crates.io, Clojars
    | hf_\w{20,} | gsk_\w{20,} | r8_\w{20,} | pplx-\w{20,} | xai-\w{20,}  # Hugging Face, Groq, Replicate, Perplexity, xAI
    | (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}                           # AWS
    | AIza[\w-]{30,} | ya29\.[\w-]{20,} | GOCSPX-[\w-]{20,} | 1//0[\w-]{30,}  # Google
    | \w{3}\dQ~[\w.~-]{31,40}                                       # Azure
    | xox[a-z][-.][\w-]{10,} | xapp-[\w-]{10,}                      # Slack
    | SG\.[\w-]{16,}\.[\w-]{16,} | whsec_\w{16,}                    # SendGrid, Stripe
    | (?:SK|AC)[0-9a-f]{32}\b | key-[0-9a-f]{32}\b | [0-9a-f]{32}-us\d{1,2}\b  # Twilio, Mailgun, Mailchimp
    | xkeysib-[\w-]{30,} | PMAK-[\w-]{20,} | NRAK-\w{20,} | sntry[su]_\S{20,}  # Brevo, Postman, New Relic, Sentry
    | do[opr]_v1_[0-9a-f]{32,} | dapi[0-9a-f]{32} | dp\.[a-z]{2,5}\.\w{20,}    # DigitalOcean, Databricks, Doppler
    | shp(?:at|ca|pa|ss)_\w{24,} | sq0[a-z]{3}-[\w-]{20,} | EAA[A-Z]\w{60,}    # Shopify, Square, Meta
    | lin_api_\w{20,} | ntn_\w{30,} | figd_[\w-]{20,} | AT(?:ATT3|BB)[\w=-]{20,}  # Linear, Notion, Figma, Atlassian
    | gl(?:sa|c)_\w{20,} | hv[sbr]\.[\w-]{20,} | \w{14}\.atlasv1\.[\w-]{20,}   # Grafana, HashiCorp
    | pscale_\w{2,6}_[\w.-]{20,} | sbp_[0-9a-f]{30,} | nfp_\w{30,} | dt0[cs]\d\d\.\w{20,}  # PlanetScale, Supabase, Netlify, Dynatrace
    | pat\w{14}\.[0-9a-f]{60,} | sl\.[\w-]{60,} | HRKU-[\w-]{30,} | LTAI\w{12,26}\b  # Airtable, Dropbox, Heroku, Alibaba
    | [MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}                       # Discord
    | eyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*                               # JSON Web Token
    | \d{8,10}:AA[\w-]{30,}                                         # Telegram
    | AGE-SECRET-KEY-1\w{20,} | [xyz]prv[1-9A-HJ-NP-Za-km-z]{100,} | [5KL][1-9A-HJ-NP-Za-km-z]{50,51}\b  # age, Bitcoin
    )""",
    re.VERBOSE,
)
_PLACES = re.compile(
    r"""-----BEGIN\ [A-Z0-9 ]{0,30}PRIVATE\ KEY | PuTTY-User-Key-File-\d
    | hooks\.slack\.com/services/T\w{6,}/B\w{6,}/\w{10,}
    | discord(?:app)?\.com/api/webhooks/\d{15,20}/[\w-]{20,}
    | \.webhook\.office\.com/webhookb2/[\w@-]{20,}
    | (?:AccountKey|SharedAccessKey|SharedAccessSignature)\s?=\s?[\w+/%=&?-]{20,} | [?&;]sig=[\w%+/]{20,}
    | ://[^\s/:@]{0,64}:(?![$<{*])[^\s/:@]{3,128}@
    | (?i:\bauthorization["']?\s?[:=]\s?["']?(?:basic|bearer|token|digest)\ [\w+/=.~-]{8,})
    | (?i:\bbasic)\ [A-Za-z0-9+/]{10,200}={1,2}(?!\S) | (?i:\bbearer)\ (?=[\w.~-]{0,40}\d)[\w.~+/-]{16,}
    | (?<!\S)(?:-u|--user)[ =]["']?(?![$<{])[^\s:"']{1,64}:(?![$<{])[^\s"']{3,}
    """,
    re.VERBOSE,
)


def holds_issued_key(text: str) -> bool:
    return bool(_SHAPES.search(text) or _PLACES.search(text))
