"""The file format of recorded meters, and writing it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from astrameter.reading import MAX_READING_W, Sample
from astrameter.recording import MAX_PHASES, MAX_T_S, Recorded, Recorder, from_line, to_line

NOON = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


class FormatTests(SynchronousTestCase):
    def test_a_line(self) -> None:
        line = to_line(Recorded(12.0014, (120.5, -3.0), "MQTT"), NOON)
        self.assertEqual(
            line,
            '{"t_s": 12.001, "time": "2026-01-31T12:00:00.123Z", "section": "MQTT", '
            '"watts": [120.5, -3.0]}',
        )
        self.assertEqual(from_line(line), Recorded(12.001, (120.5, -3.0), "MQTT"))

    def test_the_time_is_told_in_utc(self) -> None:
        local = NOON.astimezone(timezone(timedelta(hours=2)))
        self.assertIn("T12:00:00.123Z", to_line(Recorded(0, (1.0,)), local))

    def test_a_line_needs_no_more_than_time_and_watts(self) -> None:
        self.assertEqual(from_line('{"watts": [1], "t_s": 5, "more": {}}'), Recorded(5.0, (1.0,)))

    def test_columns(self) -> None:
        self.assertEqual(from_line("5,120.5\n"), Recorded(5.0, (120.5,)))
        self.assertEqual(from_line(" 5 , 1, -2 ,3e1"), Recorded(5.0, (1.0, -2.0, 30.0)))

    def test_comments_and_blank_lines(self) -> None:
        for line in ("", "  \r\n", "# 1,2", "  # 1,2"):
            self.assertIs(from_line(line), None)

    def test_what_is_no_line(self) -> None:
        for line in (
            "t_s,watts",
            "5",
            "5,",
            "5;1",
            "5,nan",
            "5,inf",
            "nan,5",
            f"5,{MAX_READING_W * 2}",
            f"{MAX_T_S * 2},5",
            "5" + ",1" * (MAX_PHASES + 1),
            "{",
            "{}",
            '{"t_s": 1}',
            '{"t_s": 1, "watts": []}',
            '{"t_s": 1, "watts": 5}',
            '{"t_s": 1, "watts": [null]}',
            '{"t_s": 1, "watts": [true]}',
            '{"t_s": true, "watts": [1]}',
            '{"t_s": 1, "watts": [NaN]}',
            '{"t_s": 1, "watts": [1e999]}',
            '{"t_s": 1, "watts": [' + "9" * 400 + "]}",
            '{"t_s": 1, "watts": [[1]]}',
            '{"watts": [1]}',
            '{"t_s": 1, "watts": [1], "section": 5}',
            '{"t_s": 1, "watts": ' + "[" * 3000,
        ):
            with self.assertRaises(ValueError, msg=line[:40]):
                from_line(line)

    def test_what_is_written_is_read(self) -> None:
        numbers = st.floats(-MAX_READING_W, MAX_READING_W)

        @settings(deadline=None, derandomize=True)
        @given(
            st.floats(0, 1e9),
            st.lists(numbers, min_size=1, max_size=MAX_PHASES).map(tuple),
            st.text(max_size=20),
        )
        def check(t_s: float, watts: tuple[float, ...], section: str) -> None:
            line = to_line(Recorded(t_s, watts, section), NOON)
            self.assertNotIn("\n", line)
            self.assertEqual(from_line(line), Recorded(round(t_s, 3), watts, section))

        check()

    def test_any_line_is_a_sample_or_a_value_error(self) -> None:
        words = st.sampled_from(["{", "}", '"watts":', '"t_s":', "[", "]", ",", "1", "-2.5", '"x"'])

        @settings(deadline=None, derandomize=True, max_examples=300)
        @given(st.lists(words | st.text(max_size=3)).map("".join))
        def check(line: str) -> None:
            try:
                found = from_line(line)
            except ValueError as error:
                self.assertTrue(str(error))
            else:
                self.assertIsInstance(found, Recorded | None)

        check()


class WritingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.clock = Clock()
        self.clock.advance(1000.0)
        self.now = NOON

    def recorder(self) -> Recorder:
        recorder = Recorder(self.path, self.clock, lambda: self.now)
        self.addCleanup(recorder.close)
        return recorder

    def lines(self) -> list[Recorded | None]:
        text = self.path.read_text()
        self.assertTrue(text.endswith("\n"))
        return [from_line(line) for line in text.splitlines()]

    def test_every_new_sample_is_in_the_file_at_once(self) -> None:
        recorder = self.recorder()
        for watts in (1.0, 2.0):
            self.assertTrue(recorder.add("A", Sample((watts,), self.clock.seconds())))
            self.clock.advance(1.5)
        self.assertEqual(self.lines(), [Recorded(0.0, (1.0,), "A"), Recorded(1.5, (2.0,), "A")])

    def test_the_same_sample_is_recorded_once(self) -> None:
        recorder = self.recorder()
        sample = Sample((1.0,), 1000.0)
        added = [recorder.add(section, sample) for section in "AABA"]
        self.assertEqual(added, [True, False, True, False])
        # Constant is not stale: a new measurement of the same value is a new sample.
        self.assertTrue(recorder.add("A", Sample((1.0,), 1001.0)))
        self.assertEqual(len(self.lines()), 3)

    def test_the_clock_on_the_wall_may_be_set(self) -> None:
        recorder = self.recorder()
        recorder.add("A", Sample((1.0,), 1000.0))
        self.now -= timedelta(hours=1)
        self.clock.advance(1.0)
        recorder.add("A", Sample((2.0,), 1001.0))
        self.assertEqual([line and line.t_s for line in self.lines()], [0.0, 1.0])
        self.assertEqual(json.loads(self.path.read_text().splitlines()[1])["time"][11:13], "11")

    def test_what_is_in_the_file_stays(self) -> None:
        for content in ("0,1\n", "0,1", ""):
            self.path.write_text(content)
            recorder = Recorder(self.path, self.clock, lambda: self.now)
            recorder.add("A", Sample((2.0,), 0.0))
            recorder.add("A", Sample((3.0,), 1.0))
            recorder.close()
            watts = [line and line.watts for line in self.lines()]
            self.assertEqual(watts, [(1.0,)] * bool(content) + [(2.0,), (3.0,)])

    def test_two_may_append_to_one_file(self) -> None:
        first, second = self.recorder(), self.recorder()
        for i in range(4):
            (first, second)[i % 2].add("A", Sample((float(i),), float(i)))
        self.assertEqual(
            [line and line.watts for line in self.lines()], [(float(i),) for i in range(4)]
        )

    def test_a_pipe_will_do(self) -> None:
        os.mkfifo(self.path)
        reader = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        self.recorder().add("A", Sample((2.0,), 0.0))
        self.assertEqual(from_line(os.read(reader, 4096).decode()), Recorded(0.0, (2.0,), "A"))

    def test_where_nothing_can_be_written(self) -> None:
        self.path.mkdir()
        with self.assertRaises(OSError):
            self.recorder()
        recorder = Recorder(Path("/dev/full"), self.clock, lambda: self.now)
        self.addCleanup(recorder.close)
        with self.assertRaises(OSError):
            recorder.add("A", Sample((2.0,), 0.0))
