"""The lossless INI document, with configparser as the oracle of its dialect."""

from __future__ import annotations

import configparser
import io

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from astrameter.ini import MAX_CHARACTERS, MAX_FAULTS, Document, EditError, parse

PROFILE = settings(deadline=None, derandomize=True)

Content = dict[str, dict[str, str]]

_INDENTS = st.sampled_from(["", "", "", " ", "  ", "\t", "    ", "\x0c", "\u00a0"])
_ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r"])
_HEADERS = st.sampled_from(
    ["[A]", "[B]", "[C]", "[DEFAULT]", "[a]", "[ A ]", "[A]]", "[A] x", "[A] # [B]", "[A]=b"]
)
_BAD = st.sampled_from(["[", "[]", "[A", "]", "nothing", "= v", ": v", "[]=x", "[A=", "\ufeff"])
_KEYS = st.sampled_from(["k", "K", "l", "m", "k l", "url", "[x", "ß", "İ", "k\x1f"])
_DELIMITERS = st.sampled_from(["=", " = ", ":", ": ", " :", "==", "=:", "\t=\t", "= "])
_VALUES = st.sampled_from(
    ["", "v", "# x", "; x", "a ; b", "a # b", "x = y", "x: y", "[A]", "%(x)s", "'q'", "a\x1cb"]
)
_COMMENTS = st.sampled_from(["# c", "; c", "#", "#k = v", ";[A]"])
_BLANKS = st.sampled_from(["", " ", "\t", "\x1c", "\u2028"])
_OPTIONS = st.tuples(_KEYS, _DELIMITERS, _VALUES).map("".join)
_BODIES = st.one_of(_HEADERS, _OPTIONS, _OPTIONS, _OPTIONS, _COMMENTS, _BLANKS, _VALUES, _BAD)


def _file(bodies: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    line = st.tuples(_INDENTS, bodies, _ENDS).map("".join)
    body = st.lists(line, max_size=12).map("".join)
    return st.tuples(
        st.sampled_from(["", "[A]\n", "[A]\nk = v\n"]), body, _BODIES | st.just("")
    ).map("".join)


FILES = _file(_BODIES)
GOOD_FILES = _file(st.one_of(_HEADERS, _OPTIONS, _OPTIONS, _COMMENTS, _BLANKS)).filter(
    lambda text: not parse(text).faults
)
NEW_KEYS = st.sampled_from(["k", "K", "new", "l"]) | st.text(max_size=4)
NEW_VALUES = _VALUES | st.text(max_size=8) | st.lists(_VALUES, max_size=3).map("\n".join)


def _oracle(text: str) -> Content | None:
    """What configparser reads from a file with this text; None when it refuses."""
    parser = configparser.RawConfigParser(strict=True, interpolation=None)
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error:
        return None
    content = {name: dict(parser.items(name)) for name in parser.sections()}
    return {**content, "DEFAULT": dict(parser.defaults())}


def _ours(document: Document) -> Content:
    content = {
        name: {key: entry.value for key, entry in document.entries(name).items()}
        for name in document.names
    }
    defaults = document.own_entries("DEFAULT")
    return {**content, "DEFAULT": {key: entry.value for key, entry in defaults.items()}}


def _bare(document: Document) -> list[str]:
    return [line.rstrip("\r\n") for line in document.lines]


class DialectTests(SynchronousTestCase):
    """Everything configparser says about a text, we say, too."""

    @settings(PROFILE, max_examples=1500)
    @given(FILES | st.text(max_size=60))
    def test_agrees_with_configparser(self, text: str) -> None:
        assume(not text.startswith("\ufeff"))
        expected = _oracle(text)
        document = parse(text)
        if expected is None:
            self.assertTrue(document.faults, text)
        else:
            self.assertEqual(document.faults, ())
            self.assertEqual(_ours(document), expected)
            self.assertEqual(document.names, tuple(name for name in expected if name != "DEFAULT"))

    @settings(PROFILE, max_examples=500)
    @given(FILES | st.text(max_size=60))
    def test_renders_every_text_byte_for_byte(self, text: str) -> None:
        self.assertEqual(parse(text).render(), text)

    @PROFILE
    @given(FILES)
    def test_byte_order_mark_changes_nothing(self, text: str) -> None:
        assume(not text.startswith("\ufeff"))
        plain, marked = parse(text), parse("\ufeff" + text)
        self.assertEqual(marked.blocks, plain.blocks)
        self.assertEqual(marked.faults, plain.faults)
        self.assertEqual(marked.render(), "\ufeff" + text)

    @PROFILE
    @given(FILES)
    def test_entry_lines_are_where_the_keys_stand(self, text: str) -> None:
        document = parse(text)
        for block in document.blocks:
            for entry in block.entries.values():
                self.assertIn(entry.key, document.lines[entry.line - 1])
                last = entry.value.split("\n")[-1]
                self.assertIn(last, document.lines[entry.last_line - 1])

    def test_line_numbers_of_sections_and_keys(self) -> None:
        document = parse(
            "# head\r\n[A]\r\nk = 1\r\n    2\r\n\r\n    3\r\n\r\n; x\r\nl: 4\r\n[B]\r\n"
        )
        self.assertEqual((document.line_of("A"), document.line_of("B")), (2, 10))
        entry = document.entries("A")["k"]
        self.assertEqual((entry.value, entry.line, entry.last_line), ("1\n2\n\n3", 3, 6))
        self.assertEqual(document.entries("A")["l"].line, 9)

    def test_inline_comments_and_percent_signs_belong_to_the_value(self) -> None:
        document = parse("[A]\npassword = 50%(x)s # no; comment\n")
        self.assertEqual(document.entries("A")["password"].value, "50%(x)s # no; comment")

    def test_default_entries_appear_in_every_section_and_name_their_own(self) -> None:
        document = parse("[A]\n[DEFAULT]\nk = 1\n[B]\nk = 2\n[DEFAULT]\nl = 3\n")
        found = document.entries("A")
        self.assertEqual([(e.section, e.value, e.line) for e in found.values()], [
            ("DEFAULT", "1", 3), ("DEFAULT", "3", 7)])  # fmt: skip
        self.assertEqual(document.entries("B")["k"].value, "2")
        self.assertEqual(document.entries("C"), {})
        self.assertEqual(document.names, ("A", "B"))


class FaultTests(SynchronousTestCase):
    """All that is wrong, with its line, in one go."""

    def _faults(self, text: str) -> list[tuple[int, str, str]]:
        return [(fault.line, fault.section, fault.key) for fault in parse(text).faults]

    def test_all_faults_of_a_file_are_collected(self) -> None:
        text = (
            "stray\n[A]\nk = 1\nK = 2\nnothing\n= 3\n[B\nl = 4\n[A]\nk = 5\n[DEFAULT]\n[DEFAULT]\n"
        )
        self.assertEqual(
            self._faults(text),
            [
                (1, "", ""),
                (4, "A", "K"),
                (5, "A", ""),
                (6, "A", ""),
                (7, "B", ""),
                (9, "A", ""),
                (10, "A", "k"),
            ],
        )

    def test_messages_name_the_other_line_and_the_mend(self) -> None:
        faults = parse("[A]\nk = 1\nk = 2\n[A]\n").faults
        self.assertEqual(
            [fault.message for fault in faults],
            [
                "line 2 sets it already; keep one of the two",
                "line 1 has this section already; merge the two",
            ],
        )

    def test_first_of_two_values_and_its_continuation_stand(self) -> None:
        document = parse("[A]\nk = 1\nk = 2\n  3\n")
        self.assertEqual(document.entries("A")["k"].value, "1")

    def test_keys_below_a_bad_header_belong_to_the_section_it_was_to_be(self) -> None:
        document = parse("[A]\n[MQTT\nport = 1\n")
        self.assertEqual(document.entries("MQTT")["port"].value, "1")
        self.assertEqual(len(document.faults), 1)

    def test_text_before_the_first_section_is_one_fault(self) -> None:
        self.assertEqual(self._faults("a = 1\nb = 2\n  c\n[A]\n"), [(1, "", "")])

    def test_lines_indented_below_a_faulty_line_are_no_faults_of_their_own(self) -> None:
        self.assertEqual(self._faults("[A]\nnothing\n   more\n   more\n"), [(2, "A", "")])

    def test_a_file_of_rubbish_has_a_bounded_number_of_faults(self) -> None:
        faults = parse("[A]\n" + "rubbish\n" * 5000).faults
        self.assertEqual(len(faults), MAX_FAULTS + 1)
        self.assertIn("there may be more", faults[-1].message)

    def test_a_file_that_is_too_large_is_one_fault_and_renders(self) -> None:
        text = "[A]\n" + "# x\n" * (MAX_CHARACTERS // 4)
        document = parse(text)
        self.assertIn("larger than 1 MiB", document.faults[0].message)
        self.assertEqual((len(document.faults), document.blocks), (1, ()))
        self.assertEqual(document.render(), text)


class EditTests(SynchronousTestCase):
    """Edits touch the lines they are about, and no other."""

    @settings(PROFILE, max_examples=800)
    @given(GOOD_FILES, st.data())
    def test_set_reads_back_and_leaves_everything_else(
        self, text: str, data: st.DataObject
    ) -> None:
        old = parse(text)
        assume(old.blocks)
        section = data.draw(st.sampled_from([block.name for block in old.blocks]))
        key, value = data.draw(NEW_KEYS), data.draw(NEW_VALUES)
        try:
            new = old.set(section, key, value)
        except EditError:
            return
        expected = _oracle(text)
        assert expected is not None
        own = {name: dict(old.own_entries(name)) for name in (*old.names, "DEFAULT")}
        entry = own[section].get(key.lower())
        for name, entries in own.items():
            for other, was in entries.items():
                if (name, other) != (section, key.lower()):
                    self.assertEqual(new.own_entries(name)[other].value, was.value)
        self.assertEqual(new.own_entries(section)[key.lower()].value, value)
        self.assertEqual(_ours(new), _oracle(new.render().removeprefix("\ufeff")))
        before, after = _bare(old), _bare(new)
        written = new.own_entries(section)[key.lower()]
        start = written.line - 1
        self.assertEqual(after[:start], before[:start])
        if entry is None:
            self.assertEqual(after[written.last_line :], before[start:])
        else:
            untouched = before[entry.last_line :]
            self.assertEqual(after[len(after) - len(untouched) :], untouched)

    @PROFILE
    @given(GOOD_FILES, st.data())
    def test_set_always_works_where_nothing_is_indented(
        self, text: str, data: st.DataObject
    ) -> None:
        document = parse("".join(line.lstrip(" \t\x0c\u00a0") for line in parse(text).lines))
        assume(document.blocks and not document.faults)
        section = data.draw(st.sampled_from([block.name for block in document.blocks]))
        key = data.draw(st.sampled_from(["k", "K", "new"]))
        value = data.draw(_VALUES)
        entry = document.set(section, key, value).own_entries(section)[key.lower()]
        self.assertEqual(entry.value, value)

    @PROFILE
    @given(GOOD_FILES, st.data())
    def test_remove_takes_the_lines_of_the_key_and_no_other(
        self, text: str, data: st.DataObject
    ) -> None:
        old = parse(text)
        entries = [entry for block in old.blocks for entry in block.entries.values()]
        assume(entries)
        entry = data.draw(st.sampled_from(entries))
        try:
            new = old.remove(entry.section, entry.key.upper())
        except EditError:
            self.assertTrue(any(line != line.lstrip() for line in old.lines), text)
            return
        self.assertNotIn(entry.key.lower(), new.own_entries(entry.section))
        self.assertEqual(new.lines, old.lines[: entry.line - 1] + old.lines[entry.last_line :])

    @PROFILE
    @given(GOOD_FILES)
    def test_add_section_appends_and_remove_section_takes_it_away(self, text: str) -> None:
        old = parse(text)
        new = old.add_section("NEW").set("NEW", "k", "v")
        self.assertEqual(new.entries("NEW")["k"].value, "v")
        self.assertEqual(_bare(new)[: len(old.lines)], _bare(old))
        self.assertEqual(_ours(new.remove_section("NEW")), _ours(old))

    @PROFILE
    @given(GOOD_FILES, st.data())
    def test_remove_section_leaves_the_others(self, text: str, data: st.DataObject) -> None:
        old = parse(text)
        assume(old.blocks)
        name = data.draw(st.sampled_from([block.name for block in old.blocks]))
        try:
            new = old.remove_section(name)
        except EditError:
            self.assertTrue(any(line != line.lstrip() for line in old.lines), text)
            return
        for other in (*old.names, "DEFAULT"):
            expected = {} if other == name else old.own_entries(other)
            values = {key: entry.value for key, entry in new.own_entries(other).items()}
            self.assertEqual(values, {key: entry.value for key, entry in expected.items()})

    def test_the_same_value_changes_no_byte(self) -> None:
        document = parse("[A]\nurl=http://x\nK  :   v\n")
        self.assertIs(document.set("A", "URL", "http://x"), document)

    def test_a_changed_key_keeps_its_spelling_and_delimiter(self) -> None:
        text = "[A]\nurl=http://x\n  Key  :  v\r\nempty =\n"
        document = parse("[A]\nurl=http://x\nKey  :  v\r\nempty =\nbare=\n")
        document = document.set("A", "URL", "http://y").set("A", "key", "w")
        document = document.set("A", "empty", "now").set("A", "bare", "x")
        self.assertEqual(document.render(), "[A]\nurl=http://y\nKey  :  w\r\nempty = now\nbare=x\n")
        self.assertEqual(parse(text).entries("A")["url"].value, "http://x\nKey  :  v")

    def test_a_new_key_goes_below_the_last_key_not_below_the_comments(self) -> None:
        # web.md section 10.1: the predecessor put it below the comment that introduces [MQTT].
        text = "[JSON_HTTP]\nurl = x\n#OLD = 1\n\n# for MQTT\n[MQTT]\n"
        self.assertEqual(
            parse(text).set("JSON_HTTP", "NETMASK", "10.0.0.0/8").render(),
            "[JSON_HTTP]\nurl = x\nNETMASK = 10.0.0.0/8\n#OLD = 1\n\n# for MQTT\n[MQTT]\n",
        )

    def test_a_new_key_goes_below_a_value_of_several_lines(self) -> None:
        new = parse("[A]\nk = 1,\n  2\n\n# x\n").set("A", "n", "3")
        self.assertEqual(new.render(), "[A]\nk = 1,\n  2\nn = 3\n\n# x\n")

    def test_a_new_key_is_written_like_the_one_above(self) -> None:
        self.assertEqual(
            parse("[A]\r\nk=1\r\n").set("A", "n", "2").render(), "[A]\r\nk=1\r\nn=2\r\n"
        )
        self.assertEqual(parse("[A]\nk: 1\n").set("A", "n", "2").render(), "[A]\nk: 1\nn: 2\n")
        self.assertEqual(
            parse("[A]\n  k   =  1\n").set("A", "n", "2").render(), "[A]\n  k   =  1\n  n = 2\n"
        )

    def test_a_new_key_in_an_empty_section_above_an_indented_header(self) -> None:
        new = parse("[A]\n  [B]\n").set("A", "k", "v")
        self.assertEqual(new.render(), "[A]\n  k = v\n  [B]\n")

    def test_a_missing_final_newline_stays_missing(self) -> None:
        self.assertEqual(parse("[A]\nk = 1").set("A", "k", "2").render(), "[A]\nk = 2")
        self.assertEqual(parse("[A]\nk = 1").set("A", "n", "2").render(), "[A]\nk = 1\nn = 2")
        self.assertEqual(parse("[A]\nk = 1\nn = 2").remove("A", "n").render(), "[A]\nk = 1\n")

    def test_byte_order_mark_and_line_ends_survive_edits(self) -> None:
        text = "\ufeff[A]\r\nk = 1\r\n[B]\r\n"
        document = parse(text).set("A", "k", "2").add_section("C")
        self.assertEqual(document.render(), "\ufeff[A]\r\nk = 2\r\n[B]\r\n\r\n[C]\r\n")
        self.assertEqual(parse(text).remove_section("A").render(), "\ufeff[B]\r\n")
        self.assertEqual(parse("\ufeff[A]\n").remove_section("A").render(), "\ufeff")

    def test_values_of_several_lines(self) -> None:
        new = parse("[A]\nk = 1\nl = 2\n").set("A", "k", "\n$.a,\n\n$.b")
        self.assertEqual(new.render(), "[A]\nk =\n    $.a,\n\n    $.b\nl = 2\n")
        self.assertEqual(new.entries("A")["k"].value, "\n$.a,\n\n$.b")
        self.assertEqual(new.set("A", "k", "1").render(), "[A]\nk = 1\nl = 2\n")

    def test_comments_inside_a_changed_value_are_kept(self) -> None:
        text = "[A]\nk = 1,\n    # second\n    2\nl = 3\n"
        self.assertEqual(
            parse(text).set("A", "k", "4").render(), "[A]\nk = 4\n    # second\nl = 3\n"
        )

    def test_removing_a_section_keeps_the_comment_of_the_next_one(self) -> None:
        text = "# file\n[A]\nk = 1\n#OLD = 1\n\n# about B\n# more\n[B]\nl = 2\n"
        self.assertEqual(
            parse(text).remove_section("A").render(), "# file\n# about B\n# more\n[B]\nl = 2\n"
        )
        self.assertEqual(
            parse(text).remove_section("B").render(),
            "# file\n[A]\nk = 1\n#OLD = 1\n\n# about B\n# more\n",
        )

    def test_default_in_several_places_is_one_section(self) -> None:
        document = parse("[DEFAULT]\na = 1\n[A]\n[DEFAULT]\nb = 2\n")
        self.assertEqual(
            document.set("DEFAULT", "a", "3").set("DEFAULT", "c", "4").render(),
            "[DEFAULT]\na = 3\n[A]\n[DEFAULT]\nb = 2\nc = 4\n",
        )
        self.assertEqual(document.remove_section("DEFAULT").render(), "[A]\n")

    def test_what_a_file_cannot_hold_is_refused(self) -> None:
        document = parse("[A]\nk = 1\n")
        for value in (" x", "x ", "x\n", "a\n b", "a\n# b", "a\n;b", "a\rb", "a\r\nb"):
            self.assertRaises(EditError, document.set, "A", "k", value)
        for key in ("", " k", "k ", "a=b", "a:b", "#k", ";k", "[k", "a\nb", "a\rb"):
            self.assertRaises(EditError, document.set, "A", key, "v")
        for name in ("", " A", "B]", "B\n", "A"):
            self.assertRaises(EditError, document.add_section, name)
        self.assertRaises(EditError, document.set, "B", "k", "v")
        self.assertRaises(EditError, document.remove, "A", "nothing")
        self.assertRaises(EditError, document.remove_section, "B")
        self.assertRaises(EditError, document.set, "A", "k", "x" * MAX_CHARACTERS)

    def test_a_first_line_may_look_like_a_comment(self) -> None:
        new = parse("[A]\nk = 1\n").set("A", "k", "# not one")
        self.assertEqual(new.entries("A")["k"].value, "# not one")

    def test_an_edit_that_would_change_other_lines_is_refused(self) -> None:
        # Without [A] in between, the indented header would continue the value of k.
        document = parse("[Z]\nk = v\n[A]\n  [B]\n")
        error = self.assertRaises(EditError, document.remove_section, "A")
        self.assertIn("indented", str(error))

    def test_a_faulty_file_cannot_be_edited(self) -> None:
        document = parse("[A]\nk = 1\nrubbish\n")
        error = self.assertRaises(EditError, document.set, "A", "k", "2")
        self.assertIn("line 3", str(error))
        self.assertRaises(EditError, document.add_section, "B")
        self.assertRaises(EditError, document.remove_section, "A")
