"""web.md section 8: what must not be read in a log."""

from __future__ import annotations

import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.redaction import redact
from tests.vectors import each, load

_SAMPLES = load("mqtt")["pure_functions"]["log_redaction"]
KEYS = ("password", "Passwd", "pwd", "SECRET", "access_token", "api_key", "apikey", "Api-Key")
secrets = st.text("abcXYZ019.:;,!$%&@#+*()[]{}", min_size=4, max_size=20).map("s3c".__add__)
deterministic = settings(deadline=None, derandomize=True)


HIDDEN_TOO = {
    "token=abc def": "token=***",
    "Authorization: Bearer abc": "Authorization: Bearer ***",
    "pwd=abc": "pwd=***",
    "Password = a b c": "Password = ***",
}
"""What 2.x showed, or a part of it."""


class Samples(SynchronousTestCase):
    @each([{**case, "name": str(i)} for i, case in enumerate(_SAMPLES)])
    def as_before(self, case: dict[str, Any]) -> None:
        wanted = HIDDEN_TOO.get(case["input"], case["result"])
        self.assertEqual(redact(case["input"]), wanted)


class Patterns(SynchronousTestCase):
    def check(self, text: str, expected: str) -> None:
        self.assertEqual(redact(text), expected)

    def test_userinfo(self) -> None:
        self.check("mqtt://user:pass@host/x", "mqtt://***:***@host/x")

    def test_userinfo_with_a_password_that_should_have_been_encoded(self) -> None:
        self.check("mqtt://u:p@w@host/x", "mqtt://***:***@host/x")
        self.check("mqtt://u:p/w@host", "mqtt://***:***@host")

    def test_user_without_password_is_kept(self) -> None:
        self.check("mqtt://user@host:1883/x", "mqtt://user@host:1883/x")

    def test_addresses_with_a_port_are_kept(self) -> None:
        self.check("http://h:80/x?to=b@c", "http://h:80/x?to=b@c")
        self.check("http://[::1]:80/x@y", "http://[::1]:80/x@y")

    def test_json_pairs(self) -> None:
        self.check('{"password": "abc"}', '{"password": "***"}')
        self.check('{"mailbox":"a@b","x":1}', '{"mailbox":"***","x":1}')
        self.check('{"token": 12, "b": 3}', '{"token": "***", "b": 3}')
        self.check('{"token": "cut in the midd', '{"token": "***"')

    def test_json_within_a_string(self) -> None:
        self.check(r"{\"token\": \"a\\\"bc\", \"x\": 1}", r"{\"token\": \"***\", \"x\": 1}")

    def test_python_pairs(self) -> None:
        self.check("{'password': b'a b', 'x': 1}", "{'password': '***', 'x': 1}")
        self.check("Options(password='a b', url='x')", "Options(password=*** url='x')")

    def test_value_up_to_the_next_blank(self) -> None:
        self.check("url?mailbox=a@b&x=123 next", "url?mailbox=*** next")
        self.check("got username: joe here", "got username: *** here")

    def test_pwd(self) -> None:
        self.check("login?pwd=12 failed", "login?pwd=*** failed")

    def test_whole_line_of_a_configuration(self) -> None:
        self.check("[MQTT]\nPassword = a b c\nPORT = 1", "[MQTT]\nPassword = ***\nPORT = 1")
        self.check("c.ini:3 [MQTT] PASSWORD = a b c", "c.ini:3 [MQTT] PASSWORD = ***")
        self.check("PASS = a b", "PASS = ***")

    def test_authorization(self) -> None:
        self.check("Authorization: Bearer abc.def", "Authorization: Bearer ***")
        self.check("{b'Authorization': [b'Basic abc=']}", "{b'Authorization': [b'Basic ***']}")
        self.check('Authorization: Digest username="x", y="z"', "Authorization: ***")

    def test_bearer_alone(self) -> None:
        self.check("sent Bearer abcdefgh.ijk", "sent Bearer ***")

    def test_prose_is_kept(self) -> None:
        for text in ("the token expired", "3 passwords: two old", "bypass: 3", "bearer of news"):
            self.check(text, text)


class Properties(SynchronousTestCase):
    @deterministic
    @given(st.sampled_from(KEYS), secrets, st.text(max_size=30))
    def test_no_form_of_a_pair_shows_its_value(self, key: str, secret: str, noise: str) -> None:
        for text in (
            f"{noise} {key}={secret} {noise}",
            f"{noise} {key}: {secret}",
            f'{noise} {{"{key}": "{secret}"}} {noise}',
            f"\n{key} = a {secret} b\n",
            f"{noise} mqtt://u:{secret.replace('@', '')}@host/ {noise}",
        ):
            self.assertNotIn(secret, redact(text))

    @deterministic
    @given(st.text("pasword\"'=:\\ /@*[]{}\nBeart", max_size=60))
    def test_never_raises_and_is_stable(self, text: str) -> None:
        once = redact(text)
        self.assertEqual(redact(once), once)

    def test_long_hostile_text_takes_linear_time(self) -> None:
        started = time.process_time()
        for piece in ("password='", "a://b:", '"token": "', "authorization ", "a" * 10, "token ="):
            redact(piece * 5000)
        self.assertLess(time.process_time() - started, 5.0)
