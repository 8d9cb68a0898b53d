"""Loading a configuration: values, defaults, inheritance, and everything that is wrong at once."""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter import config
from astrameter.config import Origin, Overrides, Settings, load_file, load_text
from astrameter.ct.options import CT002
from astrameter.general import GENERAL
from astrameter.ini import MAX_CHARACTERS
from astrameter.meters import discovery
from astrameter.meters.interface import MeterKind
from astrameter.meters.options import MeterOptions
from astrameter.options import Section, choice, number, numbers, option, options_of, port, text
from astrameter.problems import MAX_REPORTED, ConfigError, Problem


@dataclass(frozen=True)
class ProbeOptions(MeterOptions):
    """A meter for these tests, with one option of each sort."""

    host: str = option(text(), default="", required=True, help="Where.")
    port: int = option(port(), default=80, help="Which.")
    password: str = option(text(), default="", secret=True, help="Open sesame.")
    pin: float = option(number(0, 9999), default=0.0, secret=True, help="A secret number.")
    mode: str = option(choice("Fast", "Slow"), default="Fast", help="How.")
    gain: float = option(number(0, 1, clamp=True), default=0.5, help="How much.")
    factors: tuple[float, ...] = option(numbers(), default=(), help="Per phase.")
    old: float = option(number(), default=0.0, help="Was.", no_effect="it does nothing")


def _check(options: ProbeOptions) -> Iterator[tuple[str, str]]:
    if options.mode == "Slow" and options.gain > 0.5:
        yield "GAIN", "slow meters take at most 0.5"
    if options.password == options.host != "":
        yield "PASSWORD", f"{options.password!r} is also the host"
    if options.port == 1:
        yield "MODE", "port 1 needs a mode"


def _build(_reactor: Any, section: str, _options: ProbeOptions) -> str:
    return section


def _kind(name: str) -> MeterKind[ProbeOptions]:
    return MeterKind(Section(name, ProbeOptions, help="A probe.", check=_check), _build)


PROBE = _kind("PROBE")


def _load(text: str, overrides: Overrides | None = None) -> Settings:
    return load_text(text, "config.ini", overrides, [PROBE])


class LoadTestCase(SynchronousTestCase):
    def problems(self, text: str, overrides: Overrides | None = None) -> list[str]:
        """The problems of a file, as people read them."""
        error = self.assertRaises(ConfigError, _load, text, overrides)
        return [str(problem) for problem in error.problems]

    def warnings(self, text: str) -> list[str]:
        """The warnings of a file that is good otherwise."""
        return [str(warning) for warning in _load(text).warnings]

    def probe(self, text: str, overrides: Overrides | None = None) -> ProbeOptions:
        """The options of the only meter of a file."""
        (meter,) = _load(text, overrides).meters
        assert isinstance(meter.options, ProbeOptions)
        return meter.options


class ValueTests(LoadTestCase):
    """Where a value comes from."""

    def test_defaults(self) -> None:
        loaded = _load("[PROBE]\nHOST = x\n")
        self.assertEqual(loaded.general, GENERAL.options())
        self.assertEqual(loaded.ct002, CT002.options())
        self.assertIs(loaded.ct003, None)
        self.assertEqual(loaded.meters[0].options, ProbeOptions(host="x"))
        self.assertEqual(loaded.warnings, ())

    def test_keys_ignore_case_and_values_keep_theirs(self) -> None:
        options = self.probe("[PROBE]\nhOsT = Name\nMode: SLOW\n")
        self.assertEqual((options.host, options.mode), ("Name", "Slow"))

    def test_text_keeps_quotes_percent_signs_and_comment_signs(self) -> None:
        options = self.probe('[PROBE]\nHOST = "x"\nPASSWORD = 50%(a)s #1 ; 2\n')
        self.assertEqual((options.host, options.password), ('"x"', "50%(a)s #1 ; 2"))

    def test_inline_comments_after_numbers_words_and_lists_are_stripped(self) -> None:
        options = self.probe(
            "[PROBE]\nHOST=x\nPORT = 99 ; web\nMODE=slow # or fast\nGAIN = .25\t#x\n"
            "FACTORS = 1, # first\n   -2 ; second\nWAIT_FOR_NEXT_MESSAGE = no # slow\n"
            "NETMASK = 10.0.0.0/8 # all\n"
        )
        self.assertEqual((options.port, options.mode, options.gain), (99, "Slow", 0.25))
        self.assertEqual(options.factors, (1.0, -2.0))
        self.assertFalse(options.wait_for_next_message)
        self.assertEqual(options.netmask, (ipaddress.IPv4Network("10.0.0.0/8"),))

    def test_section_value_then_general_then_default(self) -> None:
        general = "[GENERAL]\nTHROTTLE_INTERVAL = 3\nWAIT_FOR_NEXT_MESSAGE = no\n"
        loaded = _load(f"[PROBE]\nHOST=x\nTHROTTLE_INTERVAL=0\n[PROBE_2]\nHOST=y\n{general}")
        first, second = (meter.options for meter in loaded.meters)
        self.assertEqual((first.throttle_interval, second.throttle_interval), (0.0, 3.0))
        self.assertEqual((first.wait_for_next_message, first.power_offset), (False, ()))

    def test_general_gives_nothing_that_is_not_declared_inherited(self) -> None:
        self.assertEqual(self.probe("[GENERAL]\nPORT = 7\n[PROBE]\nHOST=x\n").port, 80)

    def test_default_section_counts_in_every_section_and_before_general(self) -> None:
        text = "[DEFAULT]\nTHROTTLE_INTERVAL = 5\nPORT = 7\n[GENERAL]\nTHROTTLE_INTERVAL = 1\n"
        loaded = _load(text + "[PROBE]\nHOST=x\n[CT002]\nUDP_PORT = 1\n")
        self.assertEqual(loaded.general.throttle_interval, 1.0)
        self.assertEqual(loaded.meters[0].options.throttle_interval, 5.0)
        self.assertEqual(loaded.meters[0].options.port, 7)
        self.assertEqual(loaded.warnings, ())

    def test_default_section_does_not_bring_sections_into_being(self) -> None:
        loaded = _load("[DEFAULT]\nDEVICE_TYPE = ct002\nUDP_PORT = 7\n[PROBE]\nHOST=x\n")
        self.assertEqual(loaded.general.device_type, ("shellypro3em",))
        self.assertEqual(loaded.ct002.udp_port, 12345)
        self.assertEqual([warning.line for warning in loaded.warnings], [2, 3])

    def test_empty_lists_and_texts_are_not_set(self) -> None:
        options = self.probe("[PROBE]\nHOST=x\nFACTORS =\nPASSWORD=\nPOWER_OFFSET = # none\n")
        self.assertEqual((options.factors, options.password, options.power_offset), ((), "", ()))

    def test_numbers_out_of_a_clamped_range_are_brought_into_it(self) -> None:
        loaded = _load("[PROBE]\nHOST=x\nGAIN = 7\n")
        self.assertEqual(loaded.meters[0].options.gain, 1.0)
        self.assertEqual(
            str(loaded.warnings[0]),
            "config.ini:3 [PROBE] GAIN = 7: number 0..1 is wanted; 1 is used",
        )

    def test_meters_are_in_file_order_whatever_their_kind(self) -> None:
        extra = [PROBE, _kind("PROBE_X"), _kind("OTHER")]
        text = "[PROBE_2]\nHOST=a\n[OTHER]\nHOST=b\n[PROBE_X1]\nHOST=c\n[PROBEFOO]\nHOST=d\n"
        meters = load_text(text, "f", None, extra).meters
        self.assertEqual(
            [(meter.section, meter.kind.section.name) for meter in meters],
            [
                ("PROBE_2", "PROBE"),
                ("OTHER", "OTHER"),
                ("PROBE_X1", "PROBE_X"),
                ("PROBEFOO", "PROBE"),
            ],
        )

    def test_an_extra_kind_goes_before_a_built_in_one_of_the_same_name(self) -> None:
        (meter,) = load_text("[MQTT]\nHOST=x\n", "f", None, [_kind("MQTT")]).meters
        self.assertIs(meter.kind.section.options, ProbeOptions)

    def test_ct003_takes_its_own_section_wholly_or_that_of_ct002(self) -> None:
        alone = _load("[CT002]\nCT_MAC = a\n")
        self.assertEqual((alone.ct("ct002").ct_mac, alone.ct("ct003").ct_mac), ("a", "a"))
        both = _load("[CT002]\nCT_MAC = a\nUDP_PORT = 1\n[CT003]\nWIFI_RSSI = -1\n")
        self.assertEqual((both.ct("ct003").ct_mac, both.ct("ct003").udp_port), ("", 12345))
        self.assertEqual(both.ct("ct002").ct_mac, "a")

    def test_dedupe_window_of_the_ct_sections_is_inherited_from_general(self) -> None:
        loaded = _load("[GENERAL]\nDEDUPE_TIME_WINDOW = 0.9\n[CT003]\nDEDUPE_TIME_WINDOW = 0\n")
        self.assertEqual(loaded.ct002.dedupe_time_window, 0.9)
        self.assertEqual(loaded.ct("ct003").dedupe_time_window, 0.0)

    def test_byte_order_mark_and_crlf_are_accepted(self) -> None:
        self.assertEqual(self.probe("\ufeff[PROBE]\r\nHOST = x\r\n").host, "x")


class ProblemTests(LoadTestCase):
    """What refuses a file."""

    def test_ten_mistakes_are_ten_problems_with_their_lines(self) -> None:
        text = (
            "[GENERAL]\n"
            "DEVICE_TYPE = ct001\n"
            "WEB_SERVER_PORT = 99999\n"
            "[CT002]\n"
            "WIFI_RSSI = -50dBm\n"
            "CONSUMER_TTL =\n"
            "ACTIVE_CONTROL = maybe\n"
            "[PROBE]\n"
            "PORT = abc\n"
            "GAIN = 1,5\n"
            "GAIN = 0.5\n"
            "what is this\n"
            "NETMASK = 192.168.1.50/24\n"
            "[PROBE\n"
            "HOST = x\n"
            "MODE = quick\n"
        )
        self.assertEqual(
            self.problems(text),
            [
                (
                    "config.ini:2 [GENERAL] DEVICE_TYPE = ct001: 'ct001' is unknown; choose from "
                    "ct002, ct003, shellypro3em, shellypro3em_old, shellypro3em_new, shellyemg3, "
                    "shellyproem50"
                ),
                "config.ini:3 [GENERAL] WEB_SERVER_PORT = 99999: a port is 1..65535",
                "config.ini:5 [CT002] WIFI_RSSI = -50dBm: this is a whole number",
                (
                    "config.ini:6 [CT002] CONSUMER_TTL is empty: this is a whole number; remove "
                    "the line to have the default"
                ),
                (
                    "config.ini:7 [CT002] ACTIVE_CONTROL = maybe: write yes or no (also 1/0, "
                    "true/false, on/off)"
                ),
                "config.ini:9 [PROBE] PORT = abc: a port is 1..65535",
                "config.ini:10 [PROBE] GAIN = 1,5: write decimals with a point, like 0.5",
                "config.ini:11 [PROBE] GAIN: line 10 sets it already; keep one of the two",
                "config.ini:12 [PROBE]: write KEY = value, or # in front of a comment",
                (
                    "config.ini:13 [PROBE] NETMASK = 192.168.1.50/24: '192.168.1.50/24' is no IPv4 "
                    "network like 192.168.1.0/24 (192.168.1.50/24 has host bits set)"
                ),
                "config.ini:14 [PROBE]: a section is written [NAME]",
                "config.ini:16 [PROBE] MODE = quick: choose one of Fast, Slow",
            ],
        )

    def test_required_keys_are_reported_at_the_header_or_the_empty_line(self) -> None:
        self.assertEqual(
            self.problems("\n[PROBE]\nPORT=1\n[PROBE_2]\nHOST =\n"),
            [
                "config.ini:2 [PROBE] HOST: this key is required",
                "config.ini:5 [PROBE_2] HOST is empty: this key is required",
            ],
        )

    def test_options_that_do_not_fit_together_are_reported_at_their_key(self) -> None:
        self.assertEqual(
            self.problems("[PROBE]\nHOST=x\nMODE=slow\nGAIN=0.7 # much\nPORT=1\n"),
            [
                "config.ini:3 [PROBE] MODE = slow: port 1 needs a mode",
                "config.ini:4 [PROBE] GAIN = 0.7 # much: slow meters take at most 0.5",
            ],
        )
        self.assertEqual(
            self.problems("[PROBE]\nHOST=x\nPORT=1\n"),
            ["config.ini:1 [PROBE] MODE: port 1 needs a mode"],
        )

    def test_options_are_not_compared_while_one_of_them_is_bad(self) -> None:
        self.assertEqual(
            self.problems("[PROBE]\nHOST=x\nMODE=slow\nGAIN=0.7\nPORT=x\n"),
            ["config.ini:5 [PROBE] PORT = x: a port is 1..65535"],
        )

    def test_an_inherited_bad_value_is_reported_once_where_it_stands(self) -> None:
        text = "[GENERAL]\nTHROTTLE_INTERVAL = x\n[PROBE]\nHOST=x\n[PROBE_2]\nHOST=y\n"
        self.assertEqual(
            self.problems(text),
            ["config.ini:2 [GENERAL] THROTTLE_INTERVAL = x: this is a number"],
        )
        text = "[DEFAULT]\nPORT = x\n[PROBE]\nHOST=x\n[PROBE_2]\nHOST=y\n"
        self.assertEqual(
            self.problems(text), ["config.ini:2 [DEFAULT] PORT = x: a port is 1..65535"]
        )

    def test_a_bad_value_refuses_the_file_where_2x_did_not_read_it(self) -> None:
        # filters.md section 13: 2.x found a bad number only where it used it.
        for line in ("WEB_SERVER_PORT = abc", "ENABLE_WEB_SERVER = y", "DEDUPE_TIME_WINDOW = inf"):
            self.assertEqual(len(self.problems(f"[GENERAL]\nDEVICE_TYPE = \n{line}\n")), 1)

    def test_ports_are_not_compared_while_one_of_them_is_bad(self) -> None:
        text = "[GENERAL]\nDEVICE_TYPE=ct002,ct003\n[CT003]\nUDP_PORT=x\n"
        self.assertEqual(
            self.problems(text), ["config.ini:4 [CT003] UDP_PORT = x: a port is 1..65535"]
        )

    def test_a_clash_of_ports_is_reported_with_the_other_problems(self) -> None:
        text = "[GENERAL]\nDEVICE_TYPE=ct002,ct003\n[CT003]\nUDP_PORT=12345\nWIFI_RSSI=x\n"
        self.assertEqual(
            self.problems(text),
            [
                (
                    "config.ini:4 [CT003] UDP_PORT = 12345: ct002 and ct003 would share UDP port "
                    "12345; give [CT003] a UDP_PORT of its own"
                ),
                "config.ini:5 [CT003] WIFI_RSSI = x: this is a whole number",
            ],
        )

    def test_the_error_shows_every_problem(self) -> None:
        error = self.assertRaises(ConfigError, _load, "[PROBE]\nPORT=x\n")
        self.assertEqual(len(str(error).split("\n")), 2)

    def test_a_flood_of_problems_is_cut_short(self) -> None:
        text = "".join(f"[PROBE_{n}]\nPORT = x\nunknown = 1\n" for n in range(MAX_REPORTED))
        error = self.assertRaises(ConfigError, _load, text)
        self.assertEqual(len(error.problems), MAX_REPORTED + 1)
        self.assertEqual(error.problems[-1].message, f"and {MAX_REPORTED} more")
        self.assertEqual(len(error.warnings), MAX_REPORTED)

    @settings(deadline=None, derandomize=True)
    @given(
        st.lists(
            st.sampled_from(["[GENERAL]", "[CT003]", "[PROBE]", "[PROBE2]", "[DEFAULT]", "[X]"])
            | st.tuples(
                st.sampled_from([o.key for o in options_of(ProbeOptions)] + ["DEVICE_TYPE", "X"]),
                st.sampled_from([" = ", ":"]),
                st.text(max_size=5) | st.sampled_from(["1", "yes", "ct002", "9" * 5000]),
            ).map("".join)
        ).map("\n".join)
    )
    def test_no_text_makes_it_raise_anything_else(self, text: str) -> None:
        try:
            loaded = _load(text)
        except ConfigError as error:
            self.assertTrue(all(str(problem) for problem in error.problems))
        else:
            self.assertIsInstance(loaded.warnings, tuple)


class SecretTests(LoadTestCase):
    """What nobody may read over the owner's shoulder."""

    def test_a_bad_secret_shows_neither_in_value_nor_in_message(self) -> None:
        self.assertEqual(
            self.problems("[PROBE]\nHOST=x\nPIN = 12,34\n"),
            ["config.ini:3 [PROBE] PIN = ***: number 0..9999 is wanted"],
        )

    def test_findings_about_a_secret_do_not_quote_it(self) -> None:
        (problem,) = self.problems("[PROBE]\nHOST=hunter2\nPASSWORD=hunter2\n")
        self.assertEqual(problem, "config.ini:3 [PROBE] PASSWORD = ***: '***' is also the host")

    def test_unknown_keys_that_look_or_nearly_are_secret_are_hidden(self) -> None:
        for key in ("PASWORD", "passwort", "AccessToken", "API_KEY", "CLIENT_SECRET", "PI", "PIN2"):
            (warning,) = _load(f"[PROBE]\nHOST=x\n{key} = hunter2\n").warnings
            self.assertEqual(warning.value, "***", key)
            self.assertNotIn("hunter2", str(warning))
        (warning,) = _load(
            "[DEFAULT]\nPASS = hunter2\n[GENERAL]\n[CT002]\n[PROBE]\nHOST=x"
        ).warnings
        self.assertEqual(warning.value, "***")

    def test_credentials_in_addresses_are_hidden_everywhere(self) -> None:
        (warning,) = _load("[PROBE]\nHOST=x\nWHERE = http://me:hunter2@h/?token=abc\n").warnings
        self.assertEqual(warning.value, "http://***:***@h/?token=***")
        (section,) = (s for s in _load("[PROBE]\nHOST=mqtt://me:hunter2@h\n").sections if s.line)
        self.assertNotIn("hunter2", str([setting.text for setting in section.settings]))

    def test_lines_that_are_no_settings_are_not_quoted(self) -> None:
        self.assertNotIn("hunter2", str(self.problems("[PROBE]\nHOST=x\nPASSWORD\nhunter2\n")))

    def test_values_are_shown_on_one_short_line_without_control_characters(self) -> None:
        (problem,) = self.problems(f"[PROBE]\nHOST=x\nPORT = a\x1b[2Jb\n   c{'x' * 200}\n")
        self.assertIn("PORT = a\ufffd[2Jb cxxx", problem)
        self.assertIn("xxx…: a port", problem)
        self.assertLess(len(problem), 160)
        (problem,) = self.problems("[PROBE]\nHOST=x\n[PROBE\x1b[2J]\n")
        self.assertNotIn("\x1b", problem)


class WarningTests(LoadTestCase):
    """What is mentioned and does no harm."""

    def test_unknown_keys_with_the_nearest_known_name(self) -> None:
        self.assertEqual(
            self.warnings("[PROBE]\nHOST=x\nPROT=1\nZZZ=2\n[GENERAL]\nDEVICE_TYPES=ct002\n"),
            [
                "config.ini:3 [PROBE] PROT = 1: unknown key, ignored; did you mean PORT?",
                "config.ini:4 [PROBE] ZZZ = 2: unknown key, ignored",
                (
                    "config.ini:6 [GENERAL] DEVICE_TYPES = ct002: unknown key, ignored; did you "
                    "mean DEVICE_TYPE?"
                ),
            ],
        )

    def test_unknown_sections_with_the_nearest_known_name(self) -> None:
        text = "[PROBE]\nHOST=x\n[general]\n[ct002]\n[probe_2]\n[CT004]\n[PROVE]\n[QQQ]\n[mqtt_x]\n"
        ignored = "unknown section, ignored"
        self.assertEqual(
            self.warnings(text),
            [
                f"config.ini:3 [general]: {ignored}; did you mean [GENERAL]?",
                f"config.ini:4 [ct002]: {ignored}; did you mean [CT002]?",
                f"config.ini:5 [probe_2]: {ignored}; did you mean [PROBE_2]?",
                f"config.ini:6 [CT004]: {ignored}; did you mean [CT003]?",
                f"config.ini:7 [PROVE]: {ignored}; did you mean [PROBE]?",
                f"config.ini:8 [QQQ]: {ignored}",
                f"config.ini:9 [mqtt_x]: {ignored}; did you mean [MQTT_X]?",
            ],
        )

    def test_a_name_that_only_begins_like_a_kind_is_not_suggested_itself(self) -> None:
        self.patch(discovery, "names", lambda: ("INTERFACE",))
        (warning,) = self.warnings("[PROBE]\nHOST=x\n[INTERFACE_OF_MINE]\n")
        self.assertNotIn("did you mean [INTERFACE_OF_MINE]", warning)

    def test_sections_of_2x_that_are_no_meters_are_none(self) -> None:
        loaded = _load("[PROBE]\nHOST=x\n[MQTT_INSIGHTS]\nBROKER=h\n[MARSTEK]\nENABLE = no\n")
        self.assertEqual([meter.section for meter in loaded.meters], ["PROBE"])
        self.assertEqual(loaded.warnings, ())

    def test_keys_without_effect_say_why_and_refuse_nothing(self) -> None:
        text = (
            "[PROBE]\nHOST=x\nOLD = rubbish\n[CT002]\nBALANCE_GAIN = 9\n[GENERAL]\nPOLL_INTERVAL=\n"
        )
        self.assertEqual(
            self.warnings(text),
            [
                "config.ini:3 [PROBE] OLD = rubbish: has no effect: it does nothing",
                (
                    "config.ini:5 [CT002] BALANCE_GAIN = 9: has no effect: the "
                    "controller needs no tuning"
                ),
                (
                    "config.ini:7 [GENERAL] POLL_INTERVAL is empty: has no effect: meters are read "
                    "when a battery asks; see THROTTLE_INTERVAL"
                ),
            ],
        )

    def test_a_key_in_default_that_no_section_knows(self) -> None:
        self.assertEqual(
            self.warnings("[DEFAULT]\nHOST=x\nCOLOUR=red\n[PROBE]\n[PROBE_2]\n"),
            [
                (
                    "config.ini:3 [DEFAULT] COLOUR = red: no section of this file has such a key; "
                    "it is ignored"
                )
            ],
        )

    def test_a_file_without_meters(self) -> None:
        self.assertEqual(
            self.warnings("[GENERAL]\n"),
            ["config.ini: there is no meter section, so no battery will be answered"],
        )

    def test_no_device_at_all(self) -> None:
        loaded = _load("[GENERAL]\nDEVICE_TYPE = ,\n[PROBE]\nHOST=x\n")
        self.assertEqual(loaded.devices, ())
        self.assertEqual(
            [str(warning) for warning in loaded.warnings],
            [
                (
                    "config.ini:2 [GENERAL] DEVICE_TYPE = ,: no device to emulate, so there is "
                    "nothing to do"
                )
            ],
        )

    def test_warnings_come_with_the_problems_too(self) -> None:
        error = self.assertRaises(ConfigError, _load, "[PROBE]\nPROT=1\n")
        self.assertEqual([warning.key for warning in error.warnings], ["PROT"])


class OverrideTests(LoadTestCase):
    """What the command line says instead of [GENERAL]."""

    def test_device_types_and_ids_replace_those_of_the_file(self) -> None:
        text = "[GENERAL]\nDEVICE_TYPE = nonsense\nDEVICE_IDS = a, b\n"
        loaded = _load(text, Overrides(device_types=("shellyemg3", "ct003")))
        self.assertEqual(
            [(d.type, d.device_id) for d in loaded.devices], [("shellyemg3", "a"), ("ct003", "b")]
        )
        loaded = _load(text, Overrides(device_types=("shellyemg3",), device_ids=("x",)))
        self.assertEqual([device.device_id for device in loaded.devices], ["x"])

    def test_unknown_device_types_are_problems_of_the_command_line(self) -> None:
        (problem,) = self.problems("", Overrides(device_types=("ct002", "foo")))
        self.assertTrue(
            problem.startswith("command line [GENERAL] DEVICE_TYPE = ct002, foo: 'foo'")
        )

    def test_clashes_of_given_types_are_problems_of_the_command_line(self) -> None:
        text = "[GENERAL]\nDEVICE_TYPE = ct002\n"
        (problem,) = self.problems(text, Overrides(device_types=("ct002", "ct003")))
        self.assertTrue(problem.startswith("command line [GENERAL] DEVICE_TYPE: ct002 and ct003"))

    def test_the_test_can_be_skipped_but_not_forced(self) -> None:
        self.assertTrue(
            _load("", Overrides(skip_powermeter_test=True)).general.skip_powermeter_test
        )
        text = "[GENERAL]\nSKIP_POWERMETER_TEST = yes\n"
        self.assertTrue(_load(text, Overrides()).general.skip_powermeter_test)

    def test_throttle_replaces_generals_but_not_the_sections(self) -> None:
        text = "[GENERAL]\nTHROTTLE_INTERVAL=1\n[PROBE]\nHOST=x\n"
        text += "[PROBE_2]\nHOST=x\nTHROTTLE_INTERVAL=5\n"
        loaded = _load(text, Overrides(throttle_interval=2.5))
        self.assertEqual(loaded.general.throttle_interval, 2.5)
        self.assertEqual([m.options.throttle_interval for m in loaded.meters], [2.5, 5.0])

    def test_throttle_works_without_a_general_section(self) -> None:
        options = self.probe("[PROBE]\nHOST=x\n", Overrides(throttle_interval=0.1))
        self.assertEqual(options.throttle_interval, 0.1)

    def test_a_throttle_that_is_no_number_is_refused(self) -> None:
        (problem,) = self.problems("[PROBE]\nHOST=x\n", Overrides(throttle_interval=float("nan")))
        self.assertEqual(
            problem, "command line [GENERAL] THROTTLE_INTERVAL = nan: this is a number"
        )


class OriginTests(LoadTestCase):
    """For show-config: each value of each section, and where it is from."""

    def _settings(self, loaded: Settings, section: str) -> dict[str, tuple[Any, Origin, int]]:
        (found,) = (s for s in loaded.sections if s.name == section)
        return {s.option.key: (s.value, s.origin, s.line) for s in found.settings}

    def test_every_origin_with_its_line(self) -> None:
        text = "[DEFAULT]\nPORT=7\n[GENERAL]\nTHROTTLE_INTERVAL=3\n[PROBE]\nHOST=x\n"
        loaded = _load(text, Overrides(device_ids=("a",)))
        probe = self._settings(loaded, "PROBE")
        self.assertEqual(probe["PORT"], (7, Origin.FILE, 2))
        self.assertEqual(probe["HOST"], ("x", Origin.FILE, 6))
        self.assertEqual(probe["THROTTLE_INTERVAL"], (3.0, Origin.GENERAL, 4))
        self.assertEqual(probe["MODE"], ("Fast", Origin.DEFAULT, 0))
        general = self._settings(loaded, "GENERAL")
        self.assertEqual(general["THROTTLE_INTERVAL"], (3.0, Origin.FILE, 4))
        self.assertEqual(general["DEVICE_IDS"], (("a",), Origin.COMMAND_LINE, 0))

    def test_sections_that_are_written_or_used(self) -> None:
        def names(text: str) -> list[str]:
            return [section.name for section in _load(text).sections]

        self.assertEqual(names(""), ["GENERAL"])
        self.assertEqual(names("[GENERAL]\nDEVICE_TYPE=ct003\n"), ["GENERAL", "CT002"])
        text = "[PROBE]\nHOST=x\n[CT003]\nUDP_PORT=1\n[GENERAL]\nDEVICE_TYPE=ct003\n"
        self.assertEqual(names(text), ["GENERAL", "CT003", "PROBE"])
        self.assertEqual(names("[CT002]\n"), ["GENERAL", "CT002"])

    def test_secrets_have_no_text(self) -> None:
        loaded = _load("[PROBE]\nHOST=x\nPASSWORD=hunter2\n[PROBE_2]\nHOST=x\n")
        texts = [
            {setting.option.key: setting.text for setting in section.settings}
            for section in loaded.sections
        ]
        self.assertEqual((texts[1]["PASSWORD"], texts[2]["PASSWORD"]), ("***", ""))
        self.assertEqual((texts[1]["GAIN"], texts[1]["NETMASK"]), ("0.5", "0.0.0.0/0"))


class FileTests(SynchronousTestCase):
    """From a file on disk."""

    def _write(self, data: bytes) -> str:
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(data)
        return path

    def _problem(self, path: str) -> Problem:
        error = self.assertRaises(ConfigError, load_file, path)
        (problem,) = error.problems
        assert isinstance(problem, Problem)
        self.assertEqual(problem.file, path)
        return problem

    def test_a_file_is_read_and_named_as_given(self) -> None:
        path = self._write(b"[PROBE]\nHOST = m\xc3\xbcller\nPROT=1\n")
        loaded = load_file(path, None, [PROBE])
        self.assertEqual(loaded.meters[0].options.host, "müller")
        self.assertEqual((loaded.file, loaded.warnings[0].file), (path, path))

    def test_a_missing_file_is_all_defaults_and_one_warning(self) -> None:
        path = self.mktemp()
        loaded = load_file(path)
        self.assertEqual([device.udp_port for device in loaded.devices], [1010, 2220])
        (warning,) = loaded.warnings
        self.assertTrue(str(warning).startswith(f"{path}: there is no such file"))

    def test_an_empty_file_is_all_defaults_and_one_warning(self) -> None:
        path = self._write(b"# nothing\n\n")
        (warning,) = load_file(path).warnings
        self.assertTrue(str(warning).startswith(f"{path}: the file is empty"))

    def test_overrides_count_without_a_file(self) -> None:
        loaded = load_file(self.mktemp(), Overrides(device_types=("ct002",)))
        self.assertEqual([device.type for device in loaded.devices], ["ct002"])

    def test_a_directory_is_one_clear_problem(self) -> None:
        path = self.mktemp()
        os.mkdir(path)
        self.assertEqual(self._problem(path).message, "cannot be read: Is a directory")

    def test_a_path_through_a_file_is_one_clear_problem(self) -> None:
        path = os.path.join(self._write(b""), "config.ini")
        self.assertIn("cannot be read: Not a directory", str(self._problem(path)))

    def test_a_file_that_may_not_be_read_is_one_clear_problem(self) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        with mock.patch.object(config, "open", refuse, create=True):
            problem = self._problem("secret.ini")
        self.assertEqual(problem.message, "cannot be read: Permission denied")

    def test_bytes_that_are_not_utf_8_are_one_problem_with_their_line(self) -> None:
        problem = self._problem(self._write(b"[A]\r\n# ok\r\nk = M\xfcller\r\n"))
        self.assertEqual(problem.line, 3)
        self.assertIn("not UTF-8", problem.message)

    def test_a_huge_file_is_one_problem(self) -> None:
        problem = self._problem(self._write(b"#" * (MAX_CHARACTERS + 1)))
        self.assertIn("larger than 1 MiB", problem.message)


class ImportTests(SynchronousTestCase):
    """What a small computer need not load."""

    def test_loading_imports_only_the_kinds_that_are_used(self) -> None:
        program = (
            "import sys\n"
            "import astrameter.config as config\n"
            "config.load_text('[GENERAL]\\n[ACME]\\n[CT002]\\n', 'x')\n"
            "heavy = ('treq', 'paho', 'jsonpath_ng', 'twisted.web', 'astrameter.meters.mqtt',\n"
            "         'astrameter.meters.json_http', 'configparser', 'twisted.internet.reactor')\n"
            "print([name for name in sys.modules if name.startswith(heavy)])\n"
        )
        root = Path(config.__file__).parents[1]
        command = [sys.executable, "-c", program]
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, check=False, timeout=60
        )
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout.strip(), "[]")
