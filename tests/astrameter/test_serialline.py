"""Serial lines that are listened to, over real pseudo terminals."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import serial
from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from astrameter import serialline
from astrameter.serialline import ListeningLine, SerialLineError, listen
from tests.pseudoterminal import Adapter, until


class LineTests(TestCase):
    timeout = 240

    def setUp(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        self.adapter = Adapter(directory.resolve() / "ttyUSB0")
        self.addCleanup(self.adapter.unplug)
        self.received = b""

    def take(self, data: bytes) -> None:
        self.received += data

    def open(self) -> ListeningLine:
        line = listen(reactor, str(self.adapter.path), self.take)
        self.addCleanup(line.close)
        return line

    async def test_bytes_arrive_as_they_are(self) -> None:
        self.open()
        data = bytes(range(256))
        self.adapter.send(data)
        await until(lambda: len(self.received) == len(data))
        self.assertEqual(self.received, data)

    async def test_a_closed_line_says_so_and_brings_nothing_more(self) -> None:
        line = self.open()
        line.close()
        await line.gone
        line.close()
        line.dataReceived(b"late")
        self.assertEqual(self.received, b"")

    async def test_a_pulled_adapter_is_noticed(self) -> None:
        line = self.open()
        self.adapter.unplug()
        await line.gone
        line.close()
        line.connectionLost()

    async def test_a_line_can_be_opened_again(self) -> None:
        for _ in range(3):
            line = self.open()
            self.adapter.send(b"x")
            await until(lambda: self.received)
            line.close()
            self.received = b""

    async def test_a_line_in_use(self) -> None:
        self.open()
        self.assertEqual(self.why(str(self.adapter.path)), "is in use by another program")

    def test_what_cannot_be_opened(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        file = directory / "file"
        file.write_text("no line")
        for path, words in (
            (str(directory / "nothing"), "does not exist; is the adapter plugged in?"),
            (str(file), "cannot be used as a serial line: "),
            (str(directory), "cannot be used as a serial line: "),
            ("/dev/null", "cannot be used as a serial line: "),
            ("", "does not exist"),
        ):
            self.assertIn(words, self.why(path), path)

    def why(self, path: str) -> str:
        opened = len(os.listdir("/proc/self/fd"))
        with self.assertRaises(SerialLineError) as caught:
            listen(reactor, path, self.take)
        self.assertEqual(len(os.listdir("/proc/self/fd")), opened, "left open")
        return str(caught.exception)


class ReasonTests(SynchronousTestCase):
    def test_without_the_right(self) -> None:
        def refuse(*_arguments: object, **_keywords: object) -> None:
            raise serial.SerialException(errno.EACCES, "Permission denied")

        self.patch(serialline._Port, "_serialFactory", refuse)
        with self.assertRaises(SerialLineError) as caught:
            listen(reactor, "/dev/ttyUSB0", lambda _data: None)
        self.assertEqual(
            str(caught.exception), "may not be opened by this user; the group dialout usually may"
        )

    def test_a_world_without_serial_lines(self) -> None:
        with self.assertRaises(SerialLineError) as caught:
            listen(Clock(), "/dev/ttyUSB0", lambda _data: None)
        self.assertIn("this world has no serial lines", str(caught.exception))
