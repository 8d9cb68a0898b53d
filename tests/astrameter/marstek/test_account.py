"""Requests to the account server and the meaning of its answers (marstek-cloud.md part A)."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from astrameter.marstek.account import (
    Account,
    CloudError,
    Listed,
    Patience,
    check_added,
    devices_of,
    document_of,
    managed_among,
    new_id,
    token_of,
)
from astrameter.marstek.managed import Managed
from astrameter.meters.http import Answer, Request
from astrameter.meters.urls import parse_url

BASE = parse_url("https://eu.hamedata.com")
ME = Account(BASE, "user@example.com", "geheim%1", "Europe/Berlin")


def target(request: Request) -> str:
    return request.uri.decode().removeprefix("https://eu.hamedata.com")


def headers(request: Request) -> dict[str, str]:
    return {n.decode(): v[0].decode() for n, v in request.headers.getAllRawHeaders()}


def answer(body: object, status: int = 200, more: dict[str, str] | None = None) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = Headers({name: [value] for name, value in (more or {}).items()})
    return Answer(parse_url("https://eu.hamedata.com/x?mailbox=me"), status, "", sent, content)


class Requests(SynchronousTestCase):
    def test_login(self) -> None:
        self.assertEqual(
            target(ME.login()),
            "/app/Solar/v2_get_device.php?mailbox=user%40example.com"
            "&pwd=7d2d8cf9088238c13cd8d41b8e49c985",
        )

    def test_another_password(self) -> None:
        uri = target(Account(BASE, "m", "p", "").login())
        self.assertTrue(uri.endswith("pwd=83878c91171338902e0fe0fb97a8c47a"))

    def test_device_list(self) -> None:
        request = ME.device_list("TOK123")
        self.assertEqual(
            target(request), "/ems/api/v1/getDeviceList?mailbox=user%40example.com&token=TOK123"
        )
        self.assertEqual(headers(request)["User-Agent"], "Dart/2.19 (dart:io)")

    def test_add(self) -> None:
        request = ME.add("TOK123", "HME-4", "02b250b71db3")
        self.assertEqual(
            target(request),
            "/app/Solar/v2_add_device.php?name=AstraMeter+CT002&mailbox=user%40example.com"
            "&devid=02b250b71db3&mac=02b250b71db3&type=HME-4&token=TOK123&access=1"
            "&bluetooth_name=MST-SMR_1db3&position=%7B%7D&timeZone=Europe%2FBerlin&version=121",
        )
        sent = headers(request)
        self.assertEqual(sent["User-Agent"], "Dart/2.19 (dart:io)")
        self.assertEqual(sent["Content-Type"], "application/json")
        self.assertEqual(sent["Accept"], "application/json")
        self.assertEqual(sent["Token"], "TOK123")

    def test_the_other_type(self) -> None:
        self.assertIn("name=AstraMeter+CT003&", target(ME.add("T", "HME-3", "02b250000001")))

    def test_a_base_with_a_path(self) -> None:
        base = parse_url("https://proxy.example/cloud/")
        uri = Account(base, "m", "p", "").login().uri.decode()
        self.assertTrue(uri.startswith("https://proxy.example/cloud/app/Solar/"))

    def test_accounts_are_told_apart_without_being_named(self) -> None:
        same = Account(BASE, " USER@example.com", "other", "UTC")
        self.assertEqual(ME.fingerprint, same.fingerprint)
        us = Account(parse_url("https://us.hamedata.com"), ME.mailbox, ME.password, "")
        self.assertEqual(len({ME.fingerprint, us.fingerprint}), 2)
        self.assertNotIn("user", ME.fingerprint)


class Refusals(SynchronousTestCase):
    def failing(self, function: Any, *arguments: Any) -> CloudError:
        return self.assertRaises(CloudError, function, *arguments)  # type: ignore[no-any-return]

    def test_wrong_password(self) -> None:
        for message in ("密码错误", "Wrong Password"):
            error = self.failing(token_of, {"code": "4", "msg": message})
            text = f"the account's password is wrong (code 4: {message})"
            self.assertEqual(str(error), text)
            self.assertIs(error.patience, Patience.NEVER)

    def test_other_reasons_of_code_4(self) -> None:
        error = self.failing(token_of, {"code": 4, "msg": "locked"})
        self.assertIs(error.patience, Patience.LATER)
        self.assertEqual(str(error), "the account refuses the login (code 4: locked)")

    def test_another_code_or_no_token(self) -> None:
        for document in (
            {"code": "7", "msg": "no such user"},
            {"code": "2"},
            {"code": "2", "token": ""},
            {"code": "2", "token": 5},
            {},
        ):
            error = self.failing(token_of, document)
            self.assertIs(error.patience, Patience.LATER)
            self.assertIn("the account refuses the login", str(error))

    def test_a_code_may_be_a_number(self) -> None:
        self.assertEqual(token_of({"code": 2, "token": "T"}), "T")

    def test_code_8_wherever_it_comes(self) -> None:
        for status in (200, 403):
            refusal = answer({"code": "8", "msg": "No Access"}, status)
            error = self.failing(document_of, refusal)
            self.assertIs(error.patience, Patience.LATER)
            text = "the cloud refuses access at present (code 8: No Access)"
            self.assertEqual(str(error), text)

    def test_too_many_requests(self) -> None:
        error = self.failing(document_of, answer(b"slow down", 429, {"Retry-After": "90000"}))
        self.assertIs(error.patience, Patience.LATER)
        self.assertEqual(error.after_s, 90000)
        self.assertIn("too many requests (429)", str(error))
        error = self.failing(document_of, answer(b"", 429, {"Retry-After": "tomorrow"}))
        self.assertEqual(error.after_s, 0)

    def test_an_error_of_the_server_with_json(self) -> None:
        error = self.failing(document_of, answer({"code": "2", "msg": "boom"}, 500))
        self.assertIs(error.patience, Patience.SOON)
        self.assertIn("https://eu.hamedata.com/x answers 500: ", str(error))
        self.assertIn("boom", str(error))

    def test_no_json_whatever_the_status(self) -> None:
        for status in (200, 502):
            error = self.failing(document_of, answer(b"<html>" + b"x" * 500, status))
            self.assertIs(error.patience, Patience.SOON)
            self.assertIn(f"answers {status} with something that is not JSON: '<html>", str(error))
            self.assertLess(len(str(error)), 320)

    def test_json_that_is_no_object(self) -> None:
        for body in ([], 7, None, "text"):
            self.failing(document_of, answer(body))

    def test_secrets_are_not_repeated(self) -> None:
        error = self.failing(document_of, answer(b"bad request mailbox=me@x.de pwd=abcdef"))
        self.assertNotIn("abcdef", str(error))
        self.assertNotIn("me@x.de", str(error))

    def test_an_account_that_takes_no_device(self) -> None:
        for code in ("1", "2", 1, 2):
            check_added({"code": code}, "HME-4")
        error = self.failing(check_added, {"code": "3", "msg": "full"}, "HME-3")
        self.assertEqual(str(error), "the account takes no new CT003 (code 3: full)")
        self.assertIs(error.patience, Patience.LATER)


class Lists(SynchronousTestCase):
    def test_both_lists_are_merged(self) -> None:
        first = {
            "data": [
                {"devid": "a", "name": "N", "mac": "", "type": "HME-4"},
                "no object",
                {"devid": "b", "mac": "m"},
                {"devid": 5},
            ]
        }
        second = {
            "data": [
                {"devid": "a", "name": "other", "mac": "M", "version": 121},
                {"devid": "elsewhere", "mac": "x"},
                None,
            ]
        }
        self.assertEqual(
            devices_of(first, second),
            [
                Listed("a", "N", "M", "HME-4", 121),
                Listed("b", "", "m", "", None),
                Listed("5", "", "", "", None),
            ],
        )

    def test_lists_that_are_none_are_empty(self) -> None:
        for data in (None, {}, "x", 5):
            self.assertEqual(devices_of({"data": data}, {"data": data}), [])


def device(**changes: Any) -> Listed:
    known = {"devid": "02B250aa0001", "name": "Renamed", "mac": "02b250AA0001", "type": "HME-4"}
    return Listed(**{**known, "version": 121, **changes})


class Ours(SynchronousTestCase):
    def test_found_by_type_id_and_mac(self) -> None:
        self.assertEqual(managed_among([device()], "HME-4"), Managed("02b250aa0001", 121))

    def test_whatever_else_is_not_ours(self) -> None:
        for one in (
            device(type="HME-3"),
            device(type="hme-4"),
            device(devid="112233445566"),
            device(mac="112233445566"),
            device(mac=""),
        ):
            self.assertIsNone(managed_among([one], "HME-4"))

    def test_the_first_counts(self) -> None:
        others = [device(type="HMG-50"), device(mac="02:b2:50:aa:00:02"), device()]
        self.assertEqual(managed_among(others, "HME-4"), Managed("02b250aa0002", 121))

    def test_a_mac_that_is_none_is_told(self) -> None:
        error = self.assertRaises(CloudError, managed_among, [device(mac="02b250zz")], "HME-4")
        self.assertIn("02b250zz", str(error))
        self.assertIs(error.patience, Patience.LATER)

    def test_versions(self) -> None:
        for version, shown in (
            (121, 121),
            (121.0, 121),
            (" 121 ", 121),
            ("-3", -3),
            (None, 148),
            (True, 148),
            (121.5, 148),
            ("1.5", 148),
            ("v121", 148),
            ("", 148),
        ):
            managed = managed_among([device(version=version)], "HME-4")
            assert managed is not None
            self.assertEqual(managed.version, shown, repr(version))

    def test_a_new_id_is_nobody_elses(self) -> None:
        chance = random.Random(1)
        first = new_id([], chance)
        self.assertRegex(first, r"\A02b250[0-9a-f]{6}\Z")
        taken = [device(devid=first.upper()), device(devid="x", mac=first)]
        self.assertNotEqual(new_id(taken, random.Random(1)), first)

    def test_no_id_is_left(self) -> None:
        class Stuck(random.Random):
            def randrange(self, *_limits: Any) -> int:  # type: ignore[override]
                return 7

        error = self.assertRaises(CloudError, new_id, [device(devid="02b250000007")], Stuck())
        self.assertIn("no free device id", str(error))


class Properties(SynchronousTestCase):
    @settings(deadline=None, derandomize=True)
    @given(st.binary(max_size=80), st.sampled_from([200, 204, 301, 400, 429, 500]))
    def test_no_body_does_anything_but_be_refused(self, body: bytes, status: int) -> None:
        try:
            document_of(answer(body, status))
        except CloudError as error:
            self.assertTrue(str(error))

    json_values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["data", "devid", "mac", "type", "version", "code", "token"]), inner
            )
        ),
        max_leaves=12,
    )

    @settings(deadline=None, derandomize=True)
    @given(st.dictionaries(st.sampled_from(["data", "code", "token", "msg"]), json_values))
    def test_nor_does_any_document(self, document: dict[str, Any]) -> None:
        for work in (
            lambda: token_of(document),
            lambda: check_added(document, "HME-4"),
            lambda: managed_among(devices_of(document, document), "HME-4"),
        ):
            try:
                work()
            except CloudError:
                continue
