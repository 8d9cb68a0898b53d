"""The checkout itself: commands, links, the README's promises, the unit file."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import types
from pathlib import Path

from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from astrameter.config import load_text
from astrameter.meters.http import Answer, HttpClient, Request
from astrameter.problems import ConfigError

ROOT = Path(__file__).parents[1]
TARGETS = ("venv", "demo", "test", "lint", "bench", "docs", "clean", "help")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


class Commands(SynchronousTestCase):
    def test_every_target_has_a_rule_and_is_no_file(self) -> None:
        makefile = read("Makefile")
        phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
        assert phony is not None
        for target in TARGETS:
            self.assertRegex(makefile, rf"(?m)^{target}:.* ## \w")
            self.assertIn(target, phony[1].split())

    def test_ci_runs_lint_and_tests(self) -> None:
        self.assertTrue(os.access(ROOT / ".ci/run", os.X_OK))
        script = read(".ci/run")
        self.assertIn("make lint", script)
        self.assertIn("make test", script)

    def test_tools_may_be_run(self) -> None:
        for tool in (ROOT / "tools").iterdir():
            self.assertTrue(os.access(tool, os.X_OK), tool)

    def test_packages_are_marked_as_typed(self) -> None:
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg", encoding="utf-8")
        for package in ("astrameter", "simulator"):
            self.assertTrue((ROOT / package / "py.typed").is_file())
            self.assertIn("py.typed", setup["options.package_data"][package])


class Documents(SynchronousTestCase):
    def test_every_link_leads_somewhere(self) -> None:
        lost = []
        for document in DOCUMENTS:
            for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8")):
                if "://" not in target and not (document.parent / target).exists():
                    lost.append(f"{document.name}: {target}")
        self.assertEqual(lost, [])

    def test_configuration_of_the_readme_is_valid(self) -> None:
        found = re.search(r"```ini\n(.*?)```", read("README.md"), re.DOTALL)
        assert found is not None
        settings = load_text(found[1], "README.md")
        self.assertEqual(settings.warnings, ())
        self.assertEqual([device.type for device in settings.devices], ["ct002"])
        self.assertEqual([meter.section for meter in settings.meters], ["JSON_HTTP"])
        self.assertEqual(len(settings.meters[0].options.json_paths), 3)

    def test_commands_of_the_readme_exist(self) -> None:
        for target in re.findall(r"\bmake ([a-z]+)", read("README.md")):
            self.assertIn(target, TARGETS)


class ExampleMeter(SynchronousTestCase):
    """The meter that CONTRIBUTING.md shows, as it stands."""

    def setUp(self) -> None:
        found = re.search(r"```python\n(.*?)```", read("CONTRIBUTING.md"), re.DOTALL)
        assert found is not None
        module = types.ModuleType("acme")
        sys.modules["acme"] = module
        self.addCleanup(sys.modules.pop, "acme")
        exec(compile(found[1], "acme.py", "exec"), module.__dict__)
        self.kind = module.KIND

    def test_reads(self) -> None:
        asked = []

        def send(_client: HttpClient, request: Request) -> Deferred[Answer]:
            asked.append(request.uri)
            body = b'{"power": {"total": -123.4}}'
            return succeed(Answer(request.url, 200, "OK", Headers(), body))

        self.patch(HttpClient, "send", send)
        settings = load_text("[ACME_2]\nIP = 10.0.0.9\n", "c.ini", None, [self.kind])
        (meter,) = settings.meters
        service = meter.kind.build(MemoryReactorClock(), meter.section, meter.options)
        service.startService()
        self.assertEqual(self.successResultOf(service.read()).watts, (-123.4,))
        self.assertEqual(asked, [b"http://10.0.0.9/power"])
        self.successResultOf(service.stopService())

    def test_says_what_is_missing(self) -> None:
        error = self.assertRaises(ConfigError, load_text, "[ACME]\n", "c.ini", None, [self.kind])
        self.assertIn("IP", str(error))


class Unit(SynchronousTestCase):
    def setUp(self) -> None:
        unit = configparser.RawConfigParser(strict=False)
        unit.optionxform = str  # type: ignore[assignment, method-assign]
        unit.read(ROOT / "etc/systemd/astrameter.service", encoding="utf-8")
        self.service = dict(unit["Service"])

    def test_speaks_with_systemd(self) -> None:
        self.assertEqual(self.service["Type"], "notify")
        self.assertEqual(self.service["NotifyAccess"], "main")
        self.assertEqual(self.service["ExecReload"], "/bin/kill -HUP $MAINPID")
        self.assertEqual(self.service["Restart"], "always")
        self.assertGreater(int(self.service["WatchdogSec"]), 0)

    def test_may_open_port_1010_and_nothing_else(self) -> None:
        self.assertEqual(self.service["AmbientCapabilities"], "CAP_NET_BIND_SERVICE")
        self.assertEqual(self.service["CapabilityBoundingSet"], "CAP_NET_BIND_SERVICE")
        self.assertEqual(self.service["NoNewPrivileges"], "yes")
        self.assertEqual(self.service["ProtectSystem"], "strict")


class RunTests(SynchronousTestCase):
    """The line that machines read, and the exit status."""

    def run_on(self, *methods: str) -> tuple[int, str]:
        folder = Path(self.mktemp())
        folder.mkdir()
        lines = [f"    def {method}" for method in methods] or ["    pass"]
        head = "from twisted.trial.unittest import SynchronousTestCase\n\n\nclass T"
        text = f"{head}(SynchronousTestCase):\n" + "\n".join(lines) + "\n"
        (folder / "test_sample.py").write_text(text, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, ROOT / "tools/run-tests", "test_sample"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout.splitlines()[-1]

    def test_all_pass(self) -> None:
        done = self.run_on("test_a(self): pass", "test_b(self): pass")
        self.assertEqual(done, (0, "2 passed, 0 failed"))

    def test_some_fail(self) -> None:
        done = self.run_on("test_a(self): pass", "test_b(self): self.fail()", "test_c(self): 1/0")
        self.assertEqual(done, (1, "1 passed, 2 failed"))

    def test_skips_are_named(self) -> None:
        done = self.run_on(
            "test_a(self): pass", "test_b(self): raise __import__('unittest').SkipTest"
        )
        self.assertEqual(done, (0, "1 passed, 0 failed, 1 skipped"))

    def test_nothing_to_run_is_a_failure(self) -> None:
        self.assertEqual(self.run_on(), (1, "0 passed, 1 failed"))

    def test_broken_module_is_a_failure(self) -> None:
        self.assertEqual(self.run_on("!")[0], 1)


class Tools(SynchronousTestCase):
    """The shell scripts, with a PATH that holds only what a test puts there."""

    def setUp(self) -> None:
        self.bin = Path(self.mktemp()).absolute()
        self.bin.mkdir()
        for name in ("sh", "env", "mktemp", "rm", "tail", "dirname", "cat", "true"):
            found = next(p for p in (Path("/bin", name), Path("/usr/bin", name)) if p.exists())
            (self.bin / name).symlink_to(found)

    def fake(self, name: str, script: str) -> Path:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def call(self, tool: Path, *arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            ["/bin/sh", tool, *arguments],
            env={"PATH": str(self.bin)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def test_who_may_not_install_is_told_in_one_line(self) -> None:
        self.fake("id", "echo 1000")
        self.fake("apt-get", "echo must not be called >&2")
        code, out, err = self.call(ROOT / "tools/apt-install", "the tests", "mosquitto")
        self.assertEqual((code, out), (1, ""))
        self.assertEqual(
            err,
            "For the tests, please install: mosquitto "
            "(on Debian: sudo apt-get install mosquitto)\n",
        )

    def test_root_installs_without_questions(self) -> None:
        self.fake("id", "echo 0")
        log = self.bin / "log"
        self.fake("apt-get", f'echo "$DEBIAN_FRONTEND $*" >> "{log}"')
        code, out, err = self.call(ROOT / "tools/apt-install", "the tests", "a", "b")
        self.assertEqual((code, out, err), (0, "Installing for the tests: a b\n", ""))
        self.assertEqual(
            log.read_text(encoding="utf-8").splitlines(),
            [" update -q", "noninteractive install -q -y --no-install-recommends a b"],
        )

    def test_failed_installation_says_why_and_what(self) -> None:
        self.fake("id", "echo 0")
        self.fake("apt-get", "echo no network; exit 100")
        code, _out, err = self.call(ROOT / "tools/apt-install", "the tests", "a")
        self.assertEqual(code, 1)
        self.assertIn("no network", err)
        self.assertIn("please install: a", err)

    def wanting(self, programs: str) -> str:
        """tools/test-packages, which wants other programs."""
        script = read("tools/test-packages")
        return re.sub(r'(?s)(?<=wanted="\n).*?(?=\n")', programs, script)

    def test_missing_program_is_installed_by_its_package(self) -> None:
        script = self.wanting("sh dash\nno-such-program-here its-package")
        copy = self.fake("test-packages", script)
        self.fake("apt-install", 'echo "$@"')
        self.assertEqual(self.call(copy), (0, "the tests its-package\n", ""))

    def test_nothing_missing_is_quiet(self) -> None:
        script = self.wanting("sh dash")
        copy = self.fake("test-packages", script)
        self.assertEqual(self.call(copy), (0, "", ""))

    def test_no_python(self) -> None:
        code, _out, err = self.call(ROOT / "tools/make-venv", "python3", "nowhere")
        self.assertEqual((code, len(err.splitlines())), (1, 1))
        self.assertIn("sudo apt-get install python3 python3-venv", err)

    def test_old_python(self) -> None:
        self.fake("python3", '[ "$1" = -V ] && echo "Python 3.9.2" && exit; exit 1')
        code, _out, err = self.call(ROOT / "tools/make-venv", "python3", "nowhere")
        self.assertEqual((code, len(err.splitlines())), (1, 1))
        self.assertIn("is Python 3.9.2", err)
