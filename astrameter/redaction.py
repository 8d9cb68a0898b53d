"""Takes passwords and tokens out of text that other people may read (web.md section 8).

People paste their logs into forums. What is caught is a little more than the predecessor's
three patterns: also ``pwd``, ``Authorization`` headers, bearer tokens, and whole values with
blanks where a line is nothing but ``PASSWORD = a b c``. When in doubt, more is hidden.
"""

from __future__ import annotations

import re

HIDDEN = "***"

_KEY = r"(?:password|passwd|pwd|\bpass|secret|token|api[_-]?key|username|mailbox)"

# The user's part may not hold the characters that end an authority; the password may hold
# them when somebody forgot to percent-encode it, unless what follows the colon is a port.
_USERINFO = re.compile(
    r"""([a-z][a-z0-9+.-]{0,30}://)
    (?: [^\s/?\#"'<>@:]*:[^\s/?\#"'<>]*@
      | [^\s/?\#"'<>@:\[]+:(?![0-9]+(?:[/?\#\s]|\Z))[^\s"'<>]{0,200}@ )""",
    re.IGNORECASE | re.VERBOSE,
)
_AUTHORIZATION = re.compile(
    r"""(\bauthorization[ \t:="'\[({\\]{1,10}(?:b["'])?(?:(?:bearer|basic|token)[ \t]+)?)
    (?: digest[ \t][^\n]* | [^\s"',\])}\\]+ )""",
    re.IGNORECASE | re.VERBOSE,
)
_BEARER = re.compile(r"(\bbearer\s+)[a-z0-9._~+/=-]{8,}", re.IGNORECASE)
# Quotes may be escaped, as in JSON within the repr of a string.
_QUOTED_PAIR = re.compile(
    rf"""({_KEY}(?P<q>\\*["'])[ \t]*:\s*)
    (?: b?(?P<v>\\*["'])(?:.*?(?<!\\)(?P=v)|[^\n]*) | [^\s"',\]}}]+ )""",
    re.IGNORECASE | re.VERBOSE,
)
_LINE = re.compile(
    rf"((?:^|\]\s)[ \t]*[\w.-]{{0,64}}{_KEY}[ \t]*=[ \t]*)(?!\*\*\*)\S[^\n]*",
    re.IGNORECASE | re.MULTILINE,
)
_PAIR = re.compile(
    rf"""({_KEY}[ \t]*[=:][ \t]*)(?!\*\*\*)
    (?: b?(?P<v>["']).*?(?<!\\)(?P=v)\S* | \S+ )""",
    re.IGNORECASE | re.VERBOSE,
)


def redact(text: str) -> str:
    """``text`` with the values of secrets replaced by ``***``; redacting twice changes nothing.

    Patterns, in order: userinfo of URIs with a password, ``Authorization`` and bearer tokens,
    JSON-like pairs, whole lines ``KEY = value``, and ``key=value`` / ``key: value`` up to the
    next blank. A key counts when it ends in password, passwd, pwd, secret, token, api_key,
    apikey, api-key, username or mailbox, or is the word pass; case does not matter.
    """
    text = _USERINFO.sub(rf"\1{HIDDEN}:{HIDDEN}@", text)
    text = _AUTHORIZATION.sub(rf"\g<1>{HIDDEN}", text)
    text = _BEARER.sub(rf"\g<1>{HIDDEN}", text)
    text = _QUOTED_PAIR.sub(_hide_quoted, text)
    text = _LINE.sub(rf"\g<1>{HIDDEN}", text)
    return _PAIR.sub(rf"\g<1>{HIDDEN}", text)


def _hide_quoted(found: re.Match[str]) -> str:
    quote = found["v"] or found["q"]
    return f"{found[1]}{quote}{HIDDEN}{quote}"
