"""What a daemon loads: only what its configuration uses, because it lives in small computers."""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.web.client import Agent, readBody

from tests.astrameter.test_process import ProcessCase
from tests.process import Watched

PROGRAM = """
import atexit, sys
atexit.register(lambda: print("loaded:", *sorted(sys.modules), ":end", flush=True))
from astrameter.cli import main
sys.exit(main(sys.argv[1:]))
"""

NOT_NEEDED = (
    # terminals, and whoever shows something there
    *("twisted.conch", "urwid", "wcwidth", "astrameter.console", "astrameter.doctor", "simulator"),
    # brokers, buses, databases, figures
    *("paho", "astrameter.mqtt", "astrameter.insights.service"),
    *("pymodbus", "serial", "smllib", "jsonpath_ng", "astrameter.modbus"),
    *("txredisapi", "astrameter.store.redisstore", "astrameter.store.redislink"),
    *("prometheus_client", "astrameter.metrics.exposition", "astrameter.metrics.figures"),
    # orders of the owner
    *("astrameter.controlsocket.orders", "astrameter.controlsocket.explaining"),
    *("astrameter.insights.commands", "astrameter.insights.topics", "astrameter.web.page"),
    # the vendor's cloud
    *("astrameter.marstek.account", "astrameter.marstek.registration"),
    *("astrameter.marstek.report", "astrameter.marstek.reporting"),
    # other meters, and those that are emulated
    *("astrameter.shelly", "astrameter.meters.mqtt", "astrameter.meters.sml"),
    # the parts of Twisted and of Python that weigh most and are easily taken in by the way
    *("treq", "twisted.mail", "twisted.names", "twisted.trial", "twisted.words", "twisted.spread"),
    *("twisted.web.server", "twisted.web.resource", "twisted.web.template", "twisted.web.static"),
    *("decimal", "difflib", "multiprocessing", "sqlite3", "unittest", "xml", "xmlrpc"),
)


class Loaded(ProcessCase):
    async def modules(self) -> set[str]:
        """What was loaded at the end of a daemon that has answered a battery and a watchdog."""
        state = self.directory / "state"
        state.mkdir()
        # With a file that knows of nothing, nobody waits for Redis.
        (state / "state.json").write_text('{"astrameter_state": 1, "entries": {}}')
        command = [sys.executable, "-c", PROGRAM, "-c", str(self.config)]
        daemon = self.watch(Watched(command, {"STATE_DIRECTORY": str(state)}))
        await daemon.line("works")
        await self.battery.ask(self.ct_port)
        url = f"http://127.0.0.1:{self.web_port}/health".encode()
        await readBody(await Agent(reactor).request(b"GET", url))
        daemon.signal("TERM")
        await daemon.line(":end")
        await daemon.ended()
        return set(daemon.output.partition("loaded:")[2].split())

    def unneeded(self, modules: set[str]) -> list[str]:
        """Those of other parts, but for what every daemon has: their options, and their doors."""
        doors = {one for one in modules if one.endswith((".options", ".console.ssh.branch"))}
        packages = {one.rpartition(".")[0] for one in doors}
        packages |= {one.rpartition(".")[0] for one in packages}
        return sorted(
            one
            for one in modules - doors - packages
            if any(f"{one}.".startswith(f"{two}.") for two in NOT_NEEDED)
        )

    async def test_a_plain_configuration_takes_in_nothing_that_it_does_not_use(self) -> None:
        self.write_config(active=True)
        modules = await self.modules()
        self.assertIn("astrameter.steering.controller", modules)
        self.assertIn("astrameter.store.filestore", modules)
        self.assertEqual(self.unneeded(modules), [])
        # Some 560; each costs about 50 kB.
        self.assertLess(len(modules), 620)

    async def test_what_is_configured_is_taken_in(self) -> None:
        """Or else a name above may be wrong."""
        self.write_config(
            more="[MQTT_INSIGHTS]\nBROKER = 127.0.0.1\nPORT = 9\n"
            "[STATE]\nURI = redis://127.0.0.1:9\n"
            "[MARSTEK]\nENABLE = yes\nMAILBOX = a\nPASSWORD = b\nBASE_URL = http://127.0.0.1:9\n"
        )
        found = self.unneeded(await self.modules())
        for name in (
            "paho.mqtt.client",
            "astrameter.insights.service",
            "txredisapi",
            "astrameter.store.redislink",
            "astrameter.marstek.registration",
        ):
            self.assertIn(name, found)


class Names(ProcessCase):
    def test_our_own_parts_are_where_they_are_looked_for(self) -> None:
        root = Path(__file__).parents[2]
        for name in NOT_NEEDED:
            path = root.joinpath(*name.split("."))
            if name.startswith(("astrameter", "simulator")):
                self.assertTrue(path.is_dir() or path.with_suffix(".py").is_file(), name)
