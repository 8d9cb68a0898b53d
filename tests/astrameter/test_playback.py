"""Recordings, read again."""

from __future__ import annotations

import io
import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.playback import BREATHE_EVERY, MAX_LINE, Lines, Timetable, open_recording
from astrameter.recording import Recorded


def samples(text: str | bytes, section: str = "") -> list[float]:
    """The first watts of each sample."""
    data = text.encode() if isinstance(text, str) else text
    found = Lines(io.BytesIO(data), section)
    return [recorded.watts[0] for recorded in found if recorded is not None]


def line(t_s: float, watts: float, section: str) -> str:
    return f'{{"t_s": {t_s}, "section": "{section}", "watts": [{watts}]}}\n'


class LineTests(SynchronousTestCase):
    def test_columns_with_names_and_comments(self) -> None:
        for head in (
            "",
            "t_s,watts\n",
            "# from the cellar\nt_s,a,b\n",
            "\ufefft_s,watts\n\n",
            "\ufeff",
        ):
            self.assertEqual(samples(head + "0,1\n# gap\n1,2\n\n2,3"), [1.0, 2.0, 3.0], head)

    def test_names_of_columns_are_no_bad_line(self) -> None:
        lines = Lines(io.BytesIO(b"# x\nt_s,watts\n0,1\n"))
        self.assertEqual(list(lines), [Recorded(0.0, (1.0,))])
        self.assertEqual(lines.first_bad, "")

    def test_the_first_meter_of_several(self) -> None:
        text = line(0, 1, "B") + line(0, 2, "A") + line(1, 3, "B")
        self.assertEqual(samples(text), [1.0, 3.0])
        self.assertEqual(samples(text, "A"), [2.0])
        self.assertEqual(samples(text, "C"), [])

    def test_each_time_from_the_beginning_and_the_same_meter(self) -> None:
        lines = Lines(io.BytesIO((line(0, 1, "B") + line(0, 2, "A")).encode()))
        for _ in range(2):
            self.assertEqual([one and one.watts for one in lines], [(1.0,)])

    def test_bad_lines_are_left_out_and_the_first_is_named(self) -> None:
        lines = Lines(io.BytesIO(b"0,1\n1,x\n2,y\n\xff\xfe\n3,2\n"))
        self.assertEqual([one and one.watts for one in lines], [(1.0,), (2.0,)])
        self.assertTrue(lines.first_bad.startswith("line 2: "), lines.first_bad)

    def test_a_bad_first_line_of_json_is_named(self) -> None:
        lines = Lines(io.BytesIO(b'{"watts": []}\n'))
        self.assertEqual(list(lines), [])
        self.assertTrue(lines.first_bad.startswith("line 1: "), lines.first_bad)

    def test_long_lines_are_left_out_whole(self) -> None:
        for length in (MAX_LINE - 1, MAX_LINE, MAX_LINE + 1, 5 * MAX_LINE):
            lines = Lines(io.BytesIO(b"0,1\n" + b"5,".ljust(length, b" ") + b"\n1,2\n"))
            self.assertEqual([one and one.watts for one in lines], [(1.0,), (2.0,)])
            self.assertTrue(lines.first_bad.startswith("line 2: "))
        tail = io.BytesIO(b"0,1\n1,2\n" + b"7" * 3 * MAX_LINE + b",5\n2,3\n4,x\n")
        lines = Lines(tail)
        self.assertEqual([one and one.watts[0] for one in lines], [1.0, 2.0, 3.0])
        self.assertEqual(lines.first_bad, "line 3: the line is too long")

    def test_it_takes_a_breath_however_much_there_is_to_skip(self) -> None:
        for data in (
            line(0, 1, "A") * 10 * BREATHE_EVERY,
            "\n" * 10 * BREATHE_EVERY,
            "x" * MAX_LINE * 10 * BREATHE_EVERY,
        ):
            file = io.BytesIO(data.encode())
            self.assertEqual(list(Lines(file, "B")), [None] * 10)

    def test_any_bytes_raise_nothing(self) -> None:
        pieces = st.sampled_from([b"\n", b"0,1", b"{", b'{"t_s": 1, "watts": [1]}', b"#", b","])

        @settings(deadline=None, derandomize=True)
        @given(st.lists(pieces | st.binary(max_size=8)).map(b"".join))
        def check(data: bytes) -> None:
            for recorded in Lines(io.BytesIO(data)):
                self.assertIsInstance(recorded, Recorded)

        check()


class FileTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def test_a_file(self) -> None:
        self.path.write_text("0,1\n")
        with open_recording(self.path) as file:
            self.assertEqual(file.read(), b"0,1\n")

    def test_what_is_no_file(self) -> None:
        with self.assertRaises(FileNotFoundError):
            open_recording(self.path)
        os.mkfifo(self.path)
        for path in (self.path, Path("/dev/zero"), Path("/")):
            with self.assertRaises(OSError) as caught:
                open_recording(path)
            self.assertIn("no regular file", str(caught.exception))


class TimetableTests(SynchronousTestCase):
    def due(self, *times: float) -> list[float]:
        table = Timetable()
        return [table.next(t_s) for t_s in times]

    def test_the_first_sample_is_due_at_once(self) -> None:
        self.assertEqual(self.due(1767225600.0, 1767225601.5), [0.0, 1.5])
        self.assertEqual(self.due(-5.0, 0.0), [0.0, 5.0])

    def test_another_recording_follows_after_the_interval_seen_last(self) -> None:
        self.assertEqual(self.due(0.0, 2.0, 4.0, 0.0, 2.0), [0.0, 2.0, 4.0, 6.0, 8.0])
        self.assertEqual(self.due(9.0, 0.0), [0.0, 1.0])

    def test_samples_of_one_moment(self) -> None:
        self.assertEqual(self.due(0.0, 2.0, 2.0, 0.0), [0.0, 2.0, 2.0, 4.0])

    def test_from_the_beginning(self) -> None:
        table = Timetable()
        for at in (0.0, 5.0):
            self.assertEqual([table.next(t_s) for t_s in (7.0, 9.5)], [at, at + 2.5])
            table.rewind()

    def test_a_single_sample_is_repeated_every_second(self) -> None:
        table = Timetable()
        found = []
        for _ in range(3):
            found.append(table.next(7.0))
            table.rewind()
        self.assertEqual(found, [0.0, 1.0, 2.0])
