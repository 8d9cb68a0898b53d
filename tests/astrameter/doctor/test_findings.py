"""How findings are shown."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from astrameter.doctor.findings import Finding, Group, Severity, as_text, exit_status, verdict

GOOD = Finding(Group.PORTS, Severity.OK, "UDP port 12345", "free, for ct002")
NOTE = Finding(Group.METERS, Severity.NOTE, "[A]", "says 0 W", ("look",))
WARN = Finding(Group.NETWORK, Severity.WARN, "", "odd", ("first", "second"))
BAD = Finding(Group.METERS, Severity.PROBLEM, "[B]", "is dead")


class Text(SynchronousTestCase):
    def lines(self, *findings: Finding, width: int = 0, colours: bool = False) -> list[str]:
        return list(as_text(findings, width, colours=colours))

    def test_by_group_in_a_fixed_order_and_the_verdict_last(self) -> None:
        self.assertEqual(
            self.lines(WARN, GOOD, BAD, NOTE),
            [
                "Meters",
                "  problem  [B]: is dead",
                "  note     [A]: says 0 W",
                "           -> look",
                "",
                "Ports",
                "  ok       UDP port 12345: free, for ct002",
                "",
                "Network",
                "  warn     odd",
                "           1. first",
                "           2. second",
                "",
                "Verdict: 1 problem to mend, 1 warning.",
            ],
        )

    def test_lines_are_wrapped_to_the_terminal_under_their_text(self) -> None:
        long = Finding(Group.PORTS, Severity.OK, "", "word " * 20, ("mend " * 20,))
        lines = self.lines(long, width=40)[1:-2]
        self.assertGreater(len(lines), 6)
        self.assertLessEqual(max(map(len, lines)), 40)
        for line in lines[1:]:
            self.assertTrue(line.startswith(" " * 11), line)

    def test_a_line_is_never_wrapped_without_a_width(self) -> None:
        long = Finding(Group.PORTS, Severity.OK, "", "word " * 100)
        self.assertEqual(len(self.lines(long)), 4)

    def test_colours_only_when_asked_for(self) -> None:
        self.assertNotIn("\x1b", "".join(self.lines(BAD, WARN, GOOD)))
        coloured = self.lines(BAD, NOTE, colours=True)
        self.assertEqual(coloured[1], "\x1b[1;31m  problem  \x1b[0m[B]: is dead")
        self.assertNotIn("\x1b", coloured[2])

    def test_what_devices_say_cannot_move_the_cursor_nor_show_a_secret(self) -> None:
        evil = Finding(
            Group.METERS, Severity.OK, "[A]", "x\x1b[2J\ny http://u:hunter2@h/", ("\x07z",)
        )
        text = "\n".join(self.lines(evil))
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\x07", text)
        self.assertNotIn("hunter2", text)
        self.assertNotIn("hunter2", evil.as_json())


class Json(SynchronousTestCase):
    def test_one_object_with_a_list_of_mends(self) -> None:
        self.assertEqual(
            json.loads(WARN.as_json()),
            {
                "group": "network",
                "severity": "warn",
                "where": "",
                "what": "odd",
                "mend": ["first", "second"],
            },
        )


class Verdict(SynchronousTestCase):
    def test_only_a_problem_makes_the_exit_status_1(self) -> None:
        self.assertEqual(exit_status([GOOD, NOTE, WARN]), 0)
        self.assertEqual(exit_status([GOOD, BAD]), 1)

    def test_in_words(self) -> None:
        self.assertEqual(verdict([GOOD, NOTE]), "Verdict: all is well.")
        self.assertEqual(verdict([WARN, WARN]), "Verdict: it works; 2 warnings to look at.")
        self.assertEqual(verdict([BAD, BAD]), "Verdict: 2 problems to mend, no warnings.")
