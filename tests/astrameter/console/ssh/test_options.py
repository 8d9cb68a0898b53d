"""What [CONSOLE] can say."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from astrameter.config import Settings, load_file
from astrameter.console.ssh.options import CONSOLE, SshOptions
from astrameter.problems import ConfigError


class Section(SynchronousTestCase):
    def load(self, text: str) -> Settings:
        path = Path(self.mktemp())
        path.write_text(text)
        return load_file(str(path))

    def test_nothing_is_served_unless_it_is_wanted(self) -> None:
        self.assertIsNone(self.load("").part(CONSOLE))
        options = self.load("[CONSOLE]\n").part(CONSOLE)
        assert options is not None
        self.assertFalse(options.enable)
        self.assertEqual((options.host, options.port), ("127.0.0.1", 2222))

    def test_all_of_it(self) -> None:
        options = self.load(
            "[CONSOLE]\nENABLE = yes\nHOST = ::\nPORT = 2200\nAUTHORIZED_KEYS = /etc/keys\n"
            "HOST_KEY = /etc/host\nIDLE_TIMEOUT = 60\nMAX_SESSIONS = 2\n"
        ).part(CONSOLE)
        self.assertEqual(options, SshOptions(True, "::", 2200, "/etc/keys", "/etc/host", 60.0, 2))

    def test_every_mistake_is_told(self) -> None:
        with self.assertRaises(ConfigError) as raised:
            self.load(
                "[CONSOLE]\nENABLE = yes\nHOST = localhost\nPORT = 0\nAUTHORIZED_KEYS = /k\n"
                "IDLE_TIMEOUT = -1\nMAX_SESSIONS = 0\n"
            )
        told = str(raised.exception)
        for words in (
            "HOST = localhost: this is an address of this computer",
            "PORT = 0: a port is 1..65535",
            "IDLE_TIMEOUT = -1",
            "MAX_SESSIONS = 0",
        ):
            self.assertIn(words, told)

    def test_a_server_without_keys_is_a_mistake(self) -> None:
        with self.assertRaises(ConfigError) as raised:
            self.load("[CONSOLE]\nENABLE = yes\n")
        self.assertIn("name the file with the keys that may log in", str(raised.exception))
