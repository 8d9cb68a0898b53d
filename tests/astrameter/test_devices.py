"""Which meters are emulated: all `resolve` vectors, then what they do not cover."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from astrameter.config import load_text
from astrameter.ct.options import CtOptions
from astrameter.devices import CT_FRAME_TYPES, SHELLY_PORTS, DeviceSpec, resolve
from astrameter.general import DEVICE_TYPES, GeneralOptions
from astrameter.problems import ConfigError
from tests.vectors import each, load

DIFFERENT = {
    # The predecessor gave the second half of one meter a surplus id, by accident.
    "more_ids_than_types_misaligns_pro3em_new": ["id-a", "id-a"],
}
"""Optional vectors where we differ, with the device ids that we have instead."""


def _described(spec: DeviceSpec) -> dict[str, Any]:
    """A device in the words of the vectors."""
    found: dict[str, Any] = {
        "type": spec.type,
        "device_id": spec.device_id,
        "udp_port": spec.udp_port,
        "dedupe_time_window": spec.dedupe_window_s,
    }
    if spec.ct is not None:
        found["ct_type"] = spec.ct_type
        for name in ("ct_mac", "wifi_rssi", "consumer_ttl", "active_control"):
            found[name] = getattr(spec.ct, name)
    return found


class VectorTests(SynchronousTestCase):
    """Configuration texts with the devices, or the error, that AstraMeter 2.2.3 made of them."""

    def _check(self, case: dict[str, Any]) -> None:
        devices = case.get("devices", [])
        # In the predecessor a bad value hit when its device started; here it refuses the file.
        if "error" in case or any("error" in device for device in devices):
            error = self.assertRaises(ConfigError, load_text, case["config_ini"], "config.ini")
            (problem,) = error.problems
            self.assertTrue(problem.line)
            return
        found = [_described(spec) for spec in load_text(case["config_ini"], "config.ini").devices]
        if case["name"] in DIFFERENT:
            self.assertTrue(case["optional"])
            ids = DIFFERENT[case["name"]]
            devices = [
                {**device, "device_id": name} for device, name in zip(devices, ids, strict=True)
            ]
        self.assertEqual(found, devices)

    @each(load("ct-protocol")["resolve"])
    def ct(self, case: dict[str, Any]) -> None:
        self._check(case)

    @each(load("shelly")["resolve"])
    def shelly(self, case: dict[str, Any]) -> None:
        self._check(case)

    def test_different_vectors_exist(self) -> None:
        names = {case["name"] for case in load("shelly")["resolve"]}
        self.assertEqual(set(DIFFERENT) - names, set())


class ResolveTests(SynchronousTestCase):
    """What is decided besides."""

    def _devices(self, types: str, ids: str = "", more: str = "") -> list[tuple[str, str, int]]:
        text = f"[GENERAL]\nDEVICE_TYPE={types}\nDEVICE_IDS={ids}\n{more}"
        specs = load_text(text, "config.ini").devices
        return [(spec.type, spec.device_id, spec.udp_port) for spec in specs]

    def test_every_type_has_a_port(self) -> None:
        known = {*SHELLY_PORTS, *CT_FRAME_TYPES, "shellypro3em"}
        self.assertEqual(known, set(DEVICE_TYPES))

    def test_command_line_example_of_the_specification(self) -> None:
        # web.md section 13.
        self.assertEqual(
            self._devices("shellyemg3, shellypro3em", "A, B"),
            [
                ("shellyemg3", "A", 2222),
                ("shellypro3em_old", "B", 1010),
                ("shellypro3em_new", "B", 2220),
            ],
        )

    def test_made_up_ids_of_the_two_forms_of_the_pro_3em(self) -> None:
        self.assertEqual(
            [name for _, name, _ in self._devices("shellypro3em_new,shellypro3em_old")],
            ["shellypro3em-ec4609c439c1", "shellypro3em-ec4609c439c2"],
        )

    def test_negative_dedupe_windows_are_off(self) -> None:
        text = "[GENERAL]\nDEVICE_TYPE=ct002,shellyemg3\nDEDUPE_TIME_WINDOW=-1\n"
        windows = [spec.dedupe_window_s for spec in load_text(text, "config.ini").devices]
        self.assertEqual(windows, [0.0, 0.0])

    def test_the_options_of_a_ct_come_along(self) -> None:
        text = "[GENERAL]\nDEVICE_TYPE=ct003\n[CT003]\nWIFI_RSSI=-1\n"
        loaded = load_text(text, "config.ini")
        (spec,) = loaded.devices
        self.assertIs(spec.ct, loaded.ct003)
        self.assertEqual(spec.ct_type, "HME-3")

    def test_ct_clashes_name_the_section_that_can_mend_them(self) -> None:
        general = GeneralOptions(device_type=("ct002", "ct003"))
        one, other = CtOptions(), CtOptions()
        _, (without,) = resolve(general, one, None)
        _, (with_own,) = resolve(general, one, other)
        self.assertEqual((without.section, without.key), ("GENERAL", "DEVICE_TYPE"))
        self.assertEqual((with_own.section, with_own.key), ("CT003", "UDP_PORT"))
        self.assertTrue(without.fatal and with_own.fatal)
        _, (twice,) = resolve(GeneralOptions(device_type=("ct002", "ct002")), one, None)
        self.assertIn("ct002 can stand there only once", twice.message)

    def test_a_shelly_whose_port_is_used_is_left_out_with_a_warning(self) -> None:
        # shelly.md section 9: the predecessor's second one failed to bind, and the rest ran.
        text = "[GENERAL]\nDEVICE_TYPE=shellyemg3,shellyemg3,shellypro3em,shellypro3em_old\n"
        loaded = load_text(text, "config.ini")
        self.assertEqual(
            [spec.type for spec in loaded.devices],
            ["shellyemg3", "shellypro3em_old", "shellypro3em_new"],
        )
        messages = [w.message for w in loaded.warnings if w.key == "DEVICE_TYPE"]
        self.assertEqual(
            messages,
            [
                "UDP port 2222 is used by shellyemg3; this shellyemg3 is left out",
                "UDP port 1010 is used by shellypro3em_old; this shellypro3em_old is left out",
            ],
        )

    def test_a_ct_on_the_port_of_a_shelly_is_left_out_with_a_warning(self) -> None:
        specs, (clash,) = resolve(
            GeneralOptions(device_type=("shellyemg3", "ct002")), CtOptions(udp_port=2222), None
        )
        self.assertEqual([spec.type for spec in specs], ["shellyemg3"])
        self.assertFalse(clash.fatal)

    def test_specs_are_values(self) -> None:
        text = "[GENERAL]\nDEVICE_TYPE=ct002\n"
        self.assertEqual(load_text(text, "a").devices, load_text(text, "b").devices)
        self.assertTrue(json.dumps(_described(load_text(text, "a").devices[0])))
