"""The configuration file, read into validated settings (filters.md section 15, web.md section 2).

Loading collects: every problem of a file comes in one :class:`~astrameter.problems.ConfigError`,
each with its line. What differs from AstraMeter 2.x: any bad value refuses the file, also one
that 2.x happened not to read; ``inf``, ``nan`` and ``1_0`` are no numbers; after a number, a
boolean or a choice, `` # ...`` and `` ; ...`` are comments; a byte order mark is accepted; what
nobody knows is a warning instead of silence.
"""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from astrameter import ini
from astrameter.ct.options import CT002, CT003, CtOptions
from astrameter.devices import Clash, DeviceSpec, resolve
from astrameter.general import GENERAL, GeneralOptions
from astrameter.ini import Document, Entry
from astrameter.meters import discovery
from astrameter.meters.interface import MeterKind
from astrameter.meters.options import MeterOptions
from astrameter.meters.options import check as check_meter
from astrameter.options import Option, Section, options_of
from astrameter.problems import ConfigError, Findings, Problem, brief, looks_secret, shown
from astrameter.sections import PARTS, part_of

O = TypeVar("O")  # noqa: E741  the options of one section

COMMAND_LINE = "command line"

_DECIDE_PORTS = frozenset(
    {(GENERAL.name, "DEVICE_TYPE"), (CT002.name, "UDP_PORT"), (CT003.name, "UDP_PORT")}
)
_INLINE_COMMENT = re.compile(r"(^|\s)[#;].*", re.MULTILINE)


@dataclass(frozen=True)
class Overrides:
    """What the command line says instead of ``[GENERAL]`` (filters.md section 16).

    None leaves the file's value. A ``throttle_interval`` of a meter section still wins.
    """

    device_types: tuple[str, ...] | None = None
    device_ids: tuple[str, ...] | None = None
    skip_powermeter_test: bool = False
    throttle_interval: float | None = None

    def values(self) -> dict[str, Any]:
        """The overridden keys of ``[GENERAL]``."""
        given = {
            "DEVICE_TYPE": self.device_types,
            "DEVICE_IDS": self.device_ids,
            "SKIP_POWERMETER_TEST": self.skip_powermeter_test or None,
            "THROTTLE_INTERVAL": self.throttle_interval,
        }
        return {key: value for key, value in given.items() if value is not None}


class Origin(enum.Enum):
    """Where a value comes from."""

    FILE = "file"
    GENERAL = "general"
    DEFAULT = "default"
    COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Setting:
    """The value of one option in one section.

    :ivar line: where it is written; 0 for defaults and the command line.
    """

    option: Option
    value: Any
    origin: Origin
    line: int = 0

    @property
    def text(self) -> str:
        """The value as a file would hold it, secrets as ``***``."""
        return shown(self.option.render(self.value), self.option.secret)


@dataclass(frozen=True)
class ConfiguredSection:
    """One section that counts, with every option that it has.

    :ivar line: of its header; 0 when it is not in the file and all is default.
    :ivar options: an instance of ``declared.options``.
    """

    name: str
    line: int
    declared: Section[Any]
    options: Any
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class ConfiguredMeter:
    """A meter section: everything that is needed to build the meter and its filters."""

    section: str
    kind: MeterKind[Any]
    options: Any


@dataclass(frozen=True)
class Settings:
    """A valid configuration.

    :ivar file: the file's name as given.
    :ivar devices: the meters to emulate, in the order of ``DEVICE_TYPE``.
    :ivar meters: in file order, which decides who serves whom (NETMASK).
    :ivar sections: GENERAL, the CT sections that are written or used, the parts that are
        written (:mod:`astrameter.sections`), then the meters.
    """

    file: str
    general: GeneralOptions
    ct002: CtOptions
    ct003: CtOptions | None
    devices: tuple[DeviceSpec, ...]
    meters: tuple[ConfiguredMeter, ...]
    sections: tuple[ConfiguredSection, ...]
    warnings: tuple[Problem, ...]

    def ct(self, device: str) -> CtOptions:
        """The options of ``ct002`` or ``ct003``: ``[CT003]`` if it exists replaces ``[CT002]``."""
        if device == "ct003" and self.ct003 is not None:
            return self.ct003
        return self.ct002

    def part(self, declared: Section[O]) -> O | None:
        """The options of a part of the appliance; None when the file has no section for it."""
        for section in self.sections:
            if section.declared is declared:
                options: O = section.options
                return options
        return None


def load_file(
    path: str | os.PathLike[str],
    overrides: Overrides | None = None,
    extra_kinds: Sequence[MeterKind[Any]] = (),
) -> Settings:
    """Load a file; one that does not exist means "all defaults", with a warning.

    :param extra_kinds: meters that live outside :mod:`astrameter.meters`.
    :raises ConfigError: with everything that is wrong.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            data = file.read(ini.MAX_CHARACTERS + 1)
    except FileNotFoundError:
        remark = "there is no such file; every setting has its default, and there is no meter"
        return _Loader(name, ini.parse(""), overrides, extra_kinds).load(remark)
    except OSError as error:
        raise ConfigError([_of_file(name, f"cannot be read: {error.strerror}")]) from error
    if len(data) > ini.MAX_CHARACTERS:
        raise ConfigError([_of_file(name, ini.TOO_LARGE)])
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        message = "this line is not UTF-8 text; save the file with that encoding"
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([_of_file(name, message, line)]) from error
    return load_text(text, name, overrides, extra_kinds)


def load_text(
    text: str,
    name: str,
    overrides: Overrides | None = None,
    extra_kinds: Sequence[MeterKind[Any]] = (),
) -> Settings:
    """Load the text of a file called ``name``.

    :raises ConfigError: with everything that is wrong.
    """
    return _Loader(name, ini.parse(text), overrides, extra_kinds).load()


class _Loader:
    """Reads one document, section by section, and notes what is wrong on the way."""

    def __init__(
        self,
        file: str,
        document: Document,
        overrides: Overrides | None,
        extra_kinds: Sequence[MeterKind[Any]],
    ) -> None:
        self._file = file
        self._document = document
        self._overrides = (overrides or Overrides()).values()
        self._extra = {kind.section.name: kind for kind in extra_kinds}
        self._general = document.entries(GENERAL.name)
        self._problems = Findings(file, document)
        self._warnings = Findings(file, document)
        self._failed: set[tuple[str, str]] = set()
        self._known: set[str] = set()

    def load(self, remark: str = "") -> Settings:
        for fault in self._document.faults:
            where = (self._file, fault.line, fault.section, fault.key)
            self._problems.add(Problem(*where, None, fault.message))
        general = self._read(GENERAL.name, GENERAL)
        ct002 = self._read(CT002.name, CT002)
        ct003 = self._read(CT003.name, CT003) if self._document.line_of(CT003.name) else None
        parts = self._read_parts()
        meters = self._read_meters()
        self._warn_of_default_keys()
        self._warn_of_nothing(remark, bool(meters))
        devices = self._resolve(general, ct002, ct003)
        if self._problems:
            raise ConfigError(self._problems.sorted(), self._warnings.sorted())
        shows_ct002 = ct002.line or any(device.ct is ct002.options for device in devices)
        heads = [general, *([ct002] if shows_ct002 else []), *([ct003] if ct003 else [])]
        return Settings(
            self._file,
            general.options,
            ct002.options,
            ct003.options if ct003 else None,
            devices,
            tuple(ConfiguredMeter(read.name, kind, read.options) for kind, read in meters),
            (*heads, *parts, *(read for _, read in meters)),
            self._warnings.sorted(),
        )

    def _read(self, name: str, declared: Section[Any]) -> ConfiguredSection:
        entries = self._document.entries(name)
        by_key = {option.key.lower(): option for option in options_of(declared.options)}
        line = self._document.line_of(name)
        if line:
            self._known |= by_key.keys()
        settings = tuple(
            self._setting(name, option, entries.get(key)) for key, option in by_key.items()
        )
        for key, entry in self._document.own_entries(name).items():
            if key not in by_key and not self._warnings.full:
                self._warn_of_unknown(entry, by_key.values())
        options = declared.options(**{s.option.attribute: s.value for s in settings})
        # Whether options fit together can only be said when each of them is known.
        if not any(section == name for section, _ in self._failed):
            by_name = {setting.option.key: setting for setting in settings}
            for key, message in _misfits(declared, options):
                setting = by_name.get(key)
                secret = setting is not None and setting.option.secret
                general = setting is not None and setting.origin is Origin.GENERAL
                self._problems.of_key(GENERAL.name if general else name, key, message, secret)
        return ConfiguredSection(name, line, declared, options, settings)

    def _read_parts(self) -> list[ConfiguredSection]:
        parts: dict[str, ConfiguredSection] = {}
        for name in self._document.names:
            declared = part_of(name)
            if declared is None:
                continue
            used = parts.get(declared.name)
            if used is None:
                parts[declared.name] = self._read(name, declared)
            else:
                message = f"there is [{used.name}] already, and only the first counts; ignored"
                self._warnings.of_section(name, message)
        return list(parts.values())

    def _read_meters(self) -> list[tuple[MeterKind[Any], ConfiguredSection]]:
        meters = []
        for name in self._document.names:
            if name in (GENERAL.name, CT002.name, CT003.name) or part_of(name) is not None:
                continue
            kind = self._kind(name)
            if kind is not None:
                meters.append((kind, self._read(name, kind.section)))
            elif not self._warnings.full:
                self._warnings.of_section(name, f"unknown section, ignored{self._meant(name)}")
        return meters

    def _kind(self, name: str) -> MeterKind[Any] | None:
        found = discovery.find(name)
        extra = max((x for x in self._extra if name.startswith(x)), key=len, default=None)
        if extra is None or (found is not None and len(found.section.name) > len(extra)):
            return found
        return self._extra[extra]

    def _meant(self, name: str) -> str:
        """What an unknown section probably was to be."""
        parts = tuple(part.name for part in PARTS)
        prefixes = (*discovery.names(), *self._extra, *parts)
        known = (GENERAL.name, CT002.name, CT003.name, ini.DEFAULT, *prefixes)
        capital = name.upper()
        if capital != name and (capital in known or capital.startswith(prefixes)):
            return f"; did you mean [{capital}]?"
        closest = _closest(capital, known)
        return f"; did you mean [{closest}]?" if closest else ""

    def _setting(self, name: str, option: Option, own: Entry | None) -> Setting:
        entry = own
        if name == GENERAL.name or (own is None and option.inherited):
            if option.key in self._overrides:
                return self._overridden(name, option)
            entry = self._general.get(option.key.lower())
        if entry is None:
            if option.required:
                self._failed.add((name, option.key))
                self._problems.of_key(name, option.key, "this key is required")
            return Setting(option, option.default, Origin.DEFAULT)
        origin = Origin.GENERAL if own is None else Origin.FILE
        if option.no_effect:
            message = f"has no effect: {option.no_effect}"
            self._warnings.of_entry(entry, message, option.key, option.secret)
        try:
            value = self._parsed(option, entry)
        except ValueError as error:
            value = option.default
            if not option.no_effect:
                self._failed.add((name, option.key))
                self._problems.of_entry(entry, str(error), option.key, option.secret)
        return Setting(option, value, origin, entry.line)

    def _parsed(self, option: Option, entry: Entry) -> Any:
        kind, raw = option.kind, entry.value
        if kind.inline_comments:
            raw = _INLINE_COMMENT.sub("", raw).strip()
        if option.required and not raw:
            raise ValueError("this key is required")
        try:
            value = kind.parse(raw)
        except ValueError as error:
            # What a kind says may quote the value.
            message = f"{kind.describe} is wanted" if option.secret else str(error)
            hint = "" if raw else "; remove the line to have the default"
            raise ValueError(message + hint) from error
        if kind.clamp is None or kind.clamp(value) == value:
            return value
        clamped = kind.clamp(value)
        if not option.no_effect:
            message = f"{kind.describe} is wanted; {kind.render(clamped)} is used"
            self._warnings.of_entry(entry, message, option.key, option.secret)
        return clamped

    def _overridden(self, name: str, option: Option) -> Setting:
        value = self._overrides[option.key]
        text = option.kind.render(value)
        try:
            option.kind.parse(text)
        except ValueError as error:
            self._failed.add((name, option.key))
            where = (COMMAND_LINE, 0, GENERAL.name, option.key)
            self._problems.add(Problem(*where, brief(text), str(error)))
            value = option.default
        return Setting(option, value, Origin.COMMAND_LINE)

    def _resolve(
        self, general: ConfiguredSection, ct002: ConfiguredSection, ct003: ConfiguredSection | None
    ) -> tuple[DeviceSpec, ...]:
        if self._failed & _DECIDE_PORTS:
            return ()
        devices, clashes = resolve(general.options, ct002.options, ct003.options if ct003 else None)
        if not devices:
            message = "no device to emulate, so there is nothing to do"
            clashes = (*clashes, Clash(GENERAL.name, "DEVICE_TYPE", message, fatal=False))
        for clash in clashes:
            into = self._problems if clash.fatal else self._warnings
            if clash.key in self._overrides:
                where = (COMMAND_LINE, 0, clash.section, clash.key)
                into.add(Problem(*where, None, clash.message))
            else:
                into.of_key(clash.section, clash.key, clash.message)
        return devices

    def _warn_of_unknown(self, entry: Entry, options: Iterable[Option]) -> None:
        by_key = {option.key: option for option in options}
        closest = _closest(entry.key.upper(), by_key)
        nearest = by_key[closest] if closest else None
        message = "unknown key, ignored"
        message += f"; did you mean {nearest.key}?" if nearest else ""
        secret = looks_secret(entry.key) or (nearest is not None and nearest.secret)
        self._warnings.of_entry(entry, message, secret=secret)

    def _warn_of_default_keys(self) -> None:
        for key, entry in self._document.own_entries(ini.DEFAULT).items():
            if key not in self._known:
                message = "no section of this file has such a key; it is ignored"
                self._warnings.of_entry(entry, message, secret=looks_secret(entry.key))

    def _warn_of_nothing(self, remark: str, has_meter: bool) -> None:
        if self._document.faults:
            return
        if not remark and not self._document.blocks:
            remark = "the file is empty; every setting has its default, and there is no meter"
        if not remark and not has_meter:
            remark = "there is no meter section, so no battery will be answered"
        if remark:
            self._warnings.of_file(remark)


def _misfits(declared: Section[Any], options: Any) -> Iterator[tuple[str, str]]:
    """What does not fit together, as (key, what is wrong)."""
    yield from declared.check(options)
    if isinstance(options, MeterOptions):
        yield from check_meter(options)


def _closest(name: str, known: Iterable[str]) -> str | None:
    """Which of the known names was probably meant."""
    from difflib import get_close_matches  # noqa: PLC0415  most files have no such mistake

    return next(iter(get_close_matches(name, list(known), 1)), None)


def _of_file(name: str, message: str, line: int = 0) -> Problem:
    return Problem(name, line, "", "", None, message)
