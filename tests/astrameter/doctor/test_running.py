"""What a daemon says about itself, and what that means."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.doctor import running
from astrameter.doctor.said import Said, understand
from tests.astrameter.doctor.rig import brief, settings

KEYS = ("version", "uptime_s", "meters", "devices", "batteries", "section", "watts", "id", "port")
DOCUMENT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
    ),
)


def status(**changes: Any) -> dict[str, Any]:
    """What ``/api/status`` serves."""
    meter = {"section": "JSON_HTTP", "watts": [450.0, -5.0, 33.0], "age_s": 0.4, "error": None}
    battery = {
        "id": "02b250000001",
        "type": "VNSE3-0",
        "phase": "A",
        "power_w": 120,
        "reading_w": 30.0,
        "age_s": 0.7,
    }
    device = {"type": "ct002", "id": "device-1", "port": 12345, "batteries": [battery]}
    document = {"version": "3.0", "uptime_s": 7300.0, "meters": [meter], "devices": [device]}
    return {**document, **changes}


def said(**changes: Any) -> Said:
    found = understand(status(**changes))
    assert found is not None
    return found


class Understanding(SynchronousTestCase):
    def test_everything_that_is_served(self) -> None:
        found = said()
        self.assertEqual(found.uptime, "2 hours")
        self.assertEqual(found.meters[0].watts, (450.0, -5.0, 33.0))
        self.assertEqual(found.devices[0].batteries[0].power_w, 120.0)

    def test_uptime_in_words(self) -> None:
        for seconds, words in ((5, "5 seconds"), (600, "10 minutes"), (864000, "10 days")):
            self.assertEqual(said(uptime_s=seconds).uptime, words)

    def test_another_program_s_answer(self) -> None:
        for document in (None, [], "x", {}, {"status": "healthy"}):
            self.assertIsNone(understand(document))

    def test_half_an_answer_is_half_known(self) -> None:
        found = said(meters=[{"watts": [1, None]}, 7], devices=[{"batteries": 3}])
        self.assertEqual([meter.watts for meter in found.meters], [None])
        self.assertEqual(found.devices[0].batteries, ())

    def test_a_number_that_is_none(self) -> None:
        found = said(uptime_s=10**400, meters=[{"watts": [10**400], "age_s": True}])
        self.assertEqual((found.uptime_s, found.meters[0].watts), (0.0, None))

    @profile(deadline=None, derandomize=True)
    @given(DOCUMENT)
    def test_no_document_makes_it_raise(self, document: object) -> None:
        found = understand(document)
        if found is not None:
            list(running.judge([found], settings(), []))

    @profile(deadline=None, derandomize=True)
    @given(DOCUMENT)
    def test_nor_one_within_a_status(self, part: object) -> None:
        for key in ("meters", "devices", "uptime_s", "version"):
            document = json.loads(json.dumps(status(**{key: part})))
            found = understand(document)
            if found is not None:
                list(running.judge([found], settings(), []))


class Judging(SynchronousTestCase):
    def said(self, *moments: Said) -> list[tuple[str, str]]:
        return brief(running.judge(moments or [said()], settings(), ["192.168.1.0/24"]))

    def find(self, words: str, *moments: Said) -> tuple[str, str]:
        found = [one for one in self.said(*moments) if words in one[1]]
        self.assertEqual(len(found), 1, self.said(*moments))
        return found[0]

    def test_a_daemon_that_does_its_work(self) -> None:
        severities = [severity for severity, _ in self.said()]
        self.assertEqual(severities, ["ok", "ok", "note", "ok", "note"])
        self.find("AstraMeter 3.0 has been running here for 2 hours, so its ports (12345)")
        self.find("the daemon reads A 450 W, B -5 W, C 33 W, 0 s old")
        self.find("the house takes 478 W")
        self.find("VNSE3-0 (02b250000001) asks ct002 on UDP port 12345 for phase A")
        self.find("run this again")

    def test_values_that_nobody_fetches_are_no_constant_meter(self) -> None:
        self.assertNotIn("did not change", str(self.said(said(), said(), said())))

    def test_a_meter_that_it_cannot_read(self) -> None:
        meter = {"section": "JSON_HTTP", "watts": None, "age_s": None, "error": "refused"}
        severity, _ = self.find("the daemon cannot read it: refused", said(meters=[meter]))
        self.assertEqual(severity, "problem")

    def test_a_meter_that_it_has_not_read_yet(self) -> None:
        meter = {"section": "JSON_HTTP", "watts": None, "age_s": None, "error": None}
        self.assertEqual(self.find("has not read it yet", said(meters=[meter]))[0], "note")

    def test_a_battery_without_a_phase(self) -> None:
        battery = {"id": "x", "type": "VNSE3-0", "phase": "", "power_w": 0, "age_s": 1.0}
        device = {"type": "ct002", "id": "d", "port": 12345, "batteries": [battery]}
        severity, _ = self.find("does not know its phase", said(devices=[device]))
        self.assertEqual(severity, "warn")

    def test_a_battery_at_a_shelly_has_none(self) -> None:
        battery = {"id": "192.168.1.50", "type": "", "phase": "", "power_w": None, "age_s": 1.0}
        device = {"type": "shellyemg3", "id": "d", "port": 2222, "batteries": [battery]}
        severity, text = self.find("192.168.1.50 asks shellyemg3", said(devices=[device]))
        self.assertEqual(severity, "ok")
        self.assertNotIn("delivers", text)

    def test_nobody_is_a_problem_with_the_usual_reasons(self) -> None:
        device = {"type": "ct002", "id": "d", "port": 12345, "batteries": []}
        severity, text = self.find("no battery has asked anything lately", said(devices=[device]))
        self.assertEqual(severity, "problem")
        self.assertIn("192.168.1.0/24", text)

    def test_a_daemon_with_other_settings_than_the_file(self) -> None:
        device = {"type": "ct003", "id": "d", "port": 12345, "batteries": []}
        severity, text = self.find("uses other settings than this file", said(devices=[device]))
        self.assertEqual(severity, "warn")
        self.assertIn("it emulates ct003 from [JSON_HTTP]", text)
        self.assertIn("systemctl reload", text)
