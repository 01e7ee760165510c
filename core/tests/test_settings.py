"""Settings: what a plugin declares is what people may give, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywright.errors import ConfigError
from keywright.secret import Secret
from keywright.settings.model import REQUIRED, Fetched, Given, Options, Setting, SettingType, is_indirection
from keywright.settings.pointers import exposed
from keywright.settings.values import check_options, parse_setting
from keywright.testing import assert_hidden, everything_in
from keywright.text import did_you_mean

SIZE = Setting("s", "integer", minimum=128, maximum=8192, multiple_of=8)
COLOUR = Setting("s", "text", choices=("red", "green"))
CIRCLE: list[object] = []
CIRCLE.append(CIRCLE)
INDIRECT = ', or { env = "VARIABLE" }, or { file = "PATH" }'
SECRET_RULE = 'must be given as { env = "VARIABLE" } or { file = "PATH" }'
TYPES: tuple[SettingType, ...] = ("text", "integer", "boolean", "path", "duration", "secret", "list", "table", "values")
VALUES_RULE = "must be a table of texts, whole numbers, true or false, and lists and tables of them"


def written(value: object, *, base: str = "/etc") -> Given:
    return Given(value, "stores.a.s", "file", base)


def typed(text: str) -> Given:
    return Given(text, "stores.a.s", "--option", "/etc", textual=True)


def refusal(setting: Setting, value: Given) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_setting(setting, value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("setting", "value", "parsed"),
    [
        pytest.param(Setting("s", "text"), written("ä b"), "ä b", id="text"),
        pytest.param(Setting("s", "text"), written(""), "", id="text, empty"),
        pytest.param(COLOUR, written("red"), "red", id="choice"),
        pytest.param(SIZE, written(128), 128, id="integer, lowest"),
        pytest.param(SIZE, written(8192), 8192, id="integer, highest"),
        pytest.param(SIZE, typed("256"), 256, id="integer, as text"),
        pytest.param(Setting("s", "integer"), typed("-7"), -7, id="integer, below nothing"),
        pytest.param(Setting("s", "boolean"), written(value=False), False, id="boolean"),
        pytest.param(Setting("s", "boolean"), typed("true"), True, id="boolean, as text"),
        pytest.param(Setting("s", "path"), written("a/../b"), "/etc/b", id="path, relative"),
        pytest.param(Setting("s", "path"), written("/a"), "/a", id="path, absolute"),
        pytest.param(Setting("s", "duration"), written("90d"), timedelta(days=90), id="duration"),
        pytest.param(Setting("s", "list"), written(["a", "b"]), ("a", "b"), id="list"),
        pytest.param(Setting("s", "list"), typed(" a, b ,,c"), ("a", "b", "c"), id="list, as text"),
        pytest.param(Setting("s", "list"), typed(""), (), id="list, as text, empty"),
        pytest.param(Setting("s", "table"), written({"a": "A"}), {"a": "A"}, id="table"),
        pytest.param(Setting("s", "table"), written({"env": "A"}), {"env": "A"}, id="table that looks like a pointer"),
        pytest.param(Setting("s", "values"), written({}), {}, id="values, none"),
        pytest.param(
            Setting("s", "values"),
            written({"a": ["A", 1, True], "b": {"c": [{"d": -1}]}, "": ""}),
            {"a": ["A", 1, True], "b": {"c": [{"d": -1}]}, "": ""},
            id="values",
        ),
        pytest.param(Setting("s", "values"), written({"env": "A"}), {"env": "A"}, id="values that look like a pointer"),
    ],
)
def test_a_value_becomes_its_type(setting: Setting, value: Given, parsed: object) -> None:
    """A value that keeps the rule comes as the Python type that the setting says."""
    result = parse_setting(setting, value)

    assert result == parsed
    assert type(result) is type(parsed)


@pytest.mark.parametrize(
    ("setting", "value", "rule"),
    [
        pytest.param(Setting("s", "text"), written(1), "must be text", id="text: number"),
        pytest.param(Setting("s", "text"), written("a\0"), "must be text", id="text: NUL"),
        pytest.param(COLOUR, written("blue"), "must be one of red, green", id="choice: other"),
        pytest.param(COLOUR, written(1), "must be one of red, green", id="choice: number"),
        pytest.param(SIZE, written(120), "must be a whole number that is a multiple of 8 from 128 to 8192", id="low"),
        pytest.param(SIZE, written(8200), "must be a whole number that is a multiple of 8 from 128 to 8192", id="high"),
        pytest.param(SIZE, written(129), "must be a whole number that is a multiple of 8 from 128 to 8192", id="odd"),
        pytest.param(Setting("s", "integer"), written(value=True), "must be a whole number", id="integer: boolean"),
        pytest.param(Setting("s", "integer"), written(1.0), "must be a whole number", id="integer: fraction"),
        pytest.param(Setting("s", "integer"), written("1"), "must be a whole number", id="integer: text in a file"),
        pytest.param(Setting("s", "integer", minimum=1), typed("0"), "must be a whole number from 1", id="no maximum"),
        pytest.param(Setting("s", "integer"), typed("1_0"), "must be a whole number", id="integer: underscore"),
        pytest.param(Setting("s", "integer"), typed("١"), "must be a whole number", id="integer: other digits"),
        pytest.param(Setting("s", "integer"), typed("9" * 5000), "must be a whole number", id="integer: 5000 digits"),
        pytest.param(Setting("s", "boolean"), written("true"), "must be true or false", id="boolean: text in a file"),
        pytest.param(Setting("s", "boolean"), written(1), "must be true or false", id="boolean: number"),
        pytest.param(Setting("s", "boolean"), typed("yes"), "must be true or false", id="boolean: yes"),
        pytest.param(Setting("s", "path"), written(1), "must be a path, as text", id="path: number"),
        pytest.param(Setting("s", "path"), written("\0"), "must be a path, as text", id="path: NUL"),
        pytest.param(Setting("s", "path"), written(""), "must be a path, as text, and not empty", id="path: empty"),
        pytest.param(
            Setting("s", "path"),
            written("~keywright-nobody/a"),
            "starts with ~, and no such home directory is known; write the path in full",
            id="path: no such home",
        ),
        pytest.param(
            Setting("s", "duration"),
            written(90),
            "must be a whole number and a unit: s, m, h, d or w, such as 90d",
            id="duration: number",
        ),
        pytest.param(
            Setting("s", "duration"),
            typed("90"),
            "must be a whole number and a unit: s, m, h, d or w, such as 90d",
            id="duration: no unit",
        ),
        pytest.param(Setting("s", "duration"), written("36501d"), "must be at most 36500d", id="duration: too long"),
        pytest.param(
            Setting("s", "secret"),
            written("hunter2"),
            f"{SECRET_RULE}; a secret written out here would be seen by too many",
            id="secret: written out",
        ),
        pytest.param(
            Setting("s", "secret"),
            typed("hunter2"),
            f"{SECRET_RULE}; a secret written out here would be seen by too many",
            id="secret: as text",
        ),
        pytest.param(Setting("s", "secret"), written({"value": "hunter2"}), SECRET_RULE, id="secret: other pointer"),
        pytest.param(Setting("s", "list"), written("a"), "must be a list of texts", id="list: text in a file"),
        pytest.param(Setting("s", "list"), written(["a", 1]), "must be a list of texts", id="list: number inside"),
        pytest.param(Setting("s", "table"), written("a"), "must be a table of texts", id="table: text"),
        pytest.param(Setting("s", "table"), typed("a=b"), "must be a table of texts", id="table: as text"),
        pytest.param(Setting("s", "table"), written({"a": 1}), "must be a table of texts", id="table: number inside"),
        pytest.param(Setting("s", "table"), written({1: "a"}), "must be a table of texts", id="table: number as name"),
        pytest.param(Setting("s", "values"), written(["a"]), VALUES_RULE, id="values: list"),
        pytest.param(Setting("s", "values"), typed("{}"), VALUES_RULE, id="values: as text"),
        pytest.param(Setting("s", "values"), written({"a": 1.0}), VALUES_RULE, id="values: fraction"),
        pytest.param(Setting("s", "values"), written({"a": None}), VALUES_RULE, id="values: nothing"),
        pytest.param(Setting("s", "values"), written({"a": [[date(2030, 1, 1)]]}), VALUES_RULE, id="values: date"),
        pytest.param(Setting("s", "values"), written({"a": {1: "b"}}), VALUES_RULE, id="values: number as name"),
        pytest.param(Setting("s", "values"), written({"a": CIRCLE}), VALUES_RULE, id="values: without end"),
        pytest.param(Setting("s", "text"), written({}), f"must be text{INDIRECT}", id="pointer: empty"),
        pytest.param(Setting("s", "text"), written({"env": ""}), f"must be text{INDIRECT}", id="pointer: to nothing"),
        pytest.param(Setting("s", "text"), written({"env": 1}), f"must be text{INDIRECT}", id="pointer: number"),
        pytest.param(Setting("s", "text"), written({"file": "a\0"}), f"must be text{INDIRECT}", id="pointer: NUL"),
        pytest.param(
            Setting("s", "text"), written({"env": "A", "file": "b"}), f"must be text{INDIRECT}", id="pointer: two"
        ),
    ],
)
def test_a_value_that_breaks_the_rule_is_refused(setting: Setting, value: Given, rule: str) -> None:
    """The message has the source, the path and the rule."""
    assert refusal(setting, value) == f"{value.source}: stores.a.s {rule}"


def test_a_path_may_start_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the home directory, as in a shell."""
    monkeypatch.setenv("HOME", "/home/me")

    assert parse_setting(Setting("s", "path"), written("~/keys")) == "/home/me/keys"


@pytest.mark.parametrize(
    ("type", "text", "parsed"),
    [
        ("text", "a", "a"),
        ("integer", "8", 8),
        ("boolean", "false", False),
        ("path", "k", "/etc/k"),
        ("duration", "1h", timedelta(hours=1)),
        ("list", "a,b", ("a", "b")),
        ("secret", "hunter2", Secret(b"hunter2")),
    ],
)
def test_a_pointer_is_followed_to_variable_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type: SettingType, text: str, parsed: object
) -> None:
    """`{ env = … }` and `{ file = … }` give text that is read as the setting's type; one final newline is not part."""
    monkeypatch.setenv("KEYWRIGHT_TEST", text)
    (tmp_path / "value").write_text(f"{text}\n")
    by_variable = Given({"env": "KEYWRIGHT_TEST"}, "p", "f", "/etc")
    by_file = Given({"file": str(tmp_path / "value")}, "p", "f", "/etc")

    assert parse_setting(Setting("s", type), by_variable) == parsed
    assert parse_setting(Setting("s", type), by_file) == parsed


def test_a_secret_keeps_every_byte_but_the_last_newline(tmp_path: Path) -> None:
    """Bytes that are no UTF-8, blanks and inner newlines are part of a secret; the file is relative to the base."""
    (tmp_path / "key").write_bytes(b" \xff\r\n\n")

    secret = parse_setting(Setting("s", "secret"), written({"file": "key"}, base=str(tmp_path)))

    assert secret == Secret(b" \xff\r\n")


def test_64_kib_are_enough(tmp_path: Path) -> None:
    """A file of exactly 64 KiB is read, one of a byte more is refused."""
    path = tmp_path / "key"
    path.write_bytes(b"a" * 65_536)
    read = parse_setting(Setting("s", "secret"), written({"file": str(path)}))
    path.write_bytes(b"a" * 65_537)

    message = refusal(Setting("s", "secret"), written({"file": str(path)}))

    assert isinstance(read, Secret)
    assert len(read) == 65_536
    assert message == (
        f"file: stores.a.s points to the file {path}, which is over 64 KiB; point it to a file with the value alone"
    )


@pytest.mark.parametrize(
    ("pointer", "rule"),
    [
        pytest.param(
            {"env": "KEYWRIGHT_TEST"},
            "points to the environment variable KEYWRIGHT_TEST, which is not set; set it",
            id="variable",
        ),
        pytest.param(
            {"env": "hunter2"},
            "points to the environment variable, which is not set; set it",
            id="variable that may be the secret",
        ),
        pytest.param(
            {"env": "\ud800"},
            "points to the environment variable, which is not set; set it",
            id="variable that cannot be",
        ),
        pytest.param(
            {"file": "/none/key"},
            "points to the file /none/key, which cannot be read (No such file or directory); check the path",
            id="file",
        ),
        pytest.param(
            {"file": "none/key"},
            "points to the file /etc/none/key, which cannot be read (No such file or directory); check the path",
            id="file, relative",
        ),
        pytest.param(
            {"file": "hunter2"},
            "points to a file in /etc, which cannot be read (No such file or directory); check the path",
            id="file that may be the secret",
        ),
        pytest.param(
            {"file": "/none/\33[2J"},
            "points to a file, which cannot be read (No such file or directory); check the path",
            id="file that acts on a terminal",
        ),
        pytest.param(
            {"file": "/etc/"},
            "points to the file /etc/, which is no regular file; point it to one",
            id="directory",
        ),
        pytest.param(
            {"file": "/dev/null"},
            "points to the file /dev/null, which is no regular file; point it to one",
            id="device",
        ),
        pytest.param(
            {"file": "/\ud800"},
            "points to a file, by a name that this system cannot have; correct it",
            id="file that cannot be",
        ),
    ],
)
def test_a_pointer_to_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, pointer: dict[str, str], rule: str) -> None:
    """What a pointer points to is named only where it cannot be the secret itself."""
    monkeypatch.delenv("KEYWRIGHT_TEST", raising=False)

    assert refusal(Setting("s", "secret"), written(pointer)) == f"file: stores.a.s {rule}"


def test_a_pointer_to_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    """Nobody waits for a writer who may never come, and no descriptor stays open."""
    os.mkfifo(tmp_path / "pipe")
    before = os.listdir("/dev/fd")

    message = refusal(Setting("s", "text"), written({"file": str(tmp_path / "pipe")}))

    assert message == f"file: stores.a.s points to the file {tmp_path}/pipe, which is no regular file; point it to one"
    assert os.listdir("/dev/fd") == before


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file whose first byte cannot be read")
def test_a_file_that_breaks_while_it_is_read_is_refused() -> None:
    """An I/O error after opening is told with the system's reason."""
    assert refusal(Setting("s", "text"), written({"file": "/proc/self/mem"})) == (
        "file: stores.a.s points to the file /proc/self/mem, which cannot be read (Input/output error); check the path"
    )


@pytest.mark.parametrize(
    ("type", "text", "parsed"),
    [("text", "hunter2", "hunter2"), ("list", "hunter2, b", ("hunter2", "b"))],
)
@pytest.mark.parametrize("where", ["env", "file"])
def test_what_was_fetched_is_text_that_does_not_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, type: SettingType, text: str, parsed: object
) -> None:
    """Whoever does not know a name says so with its `repr`, which leaves out what came through a pointer."""
    monkeypatch.setenv("KEYWRIGHT_TEST", text)
    (tmp_path / "value").write_text(text)
    pointer = {"env": {"env": "KEYWRIGHT_TEST"}, "file": {"file": str(tmp_path / "value")}}[where]

    result = parse_setting(Setting("s", type), written(pointer))

    assert result == parsed
    assert "hunter2" not in repr(result)
    assert repr(Fetched("hunter2")) == "<what it points to>"


def test_a_list_of_secrets_is_a_list_of_pointers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each item points to one secret; they come in the list's order, and the list may be empty."""
    monkeypatch.setenv("KEYWRIGHT_TEST", "newer")
    (tmp_path / "old").write_text("old\n")
    given = written([{"env": "KEYWRIGHT_TEST"}, {"file": str(tmp_path / "old")}])

    parsed = parse_setting(Setting("s", "secrets"), given)

    assert parsed == (Secret(b"newer"), Secret(b"old"))
    assert Options({"s": parsed}).secrets("s") == parsed
    assert parse_setting(Setting("s", "secrets"), written([])) == ()


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(written({"file": "hunter2"}), id="a pointer outside a list"),
        pytest.param(written(["hunter2"]), id="a secret written out"),
        pytest.param(written([{"file": "/etc/hostname"}, {"path": "hunter2"}]), id="a table that is no pointer"),
        pytest.param(typed("hunter2"), id="text of a variable"),
        pytest.param(written("hunter2"), id="text"),
    ],
)
def test_a_list_of_secrets_holds_pointers_alone(given: Given) -> None:
    """Anything else is refused by one sentence, which shows nothing of it."""
    assert refusal(Setting("s", "secrets"), given) == (
        f'{given.source}: stores.a.s must be a list of {{ env = "VARIABLE" }} and {{ file = "PATH" }}, one for '
        "each secret"
    )


def test_a_pointer_to_nothing_in_a_list_is_told_by_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of them it is, and nothing of what stands there if it may be the secret; locals show it neither."""
    monkeypatch.setenv("KEYWRIGHT_TEST", "newer")
    given = written([{"env": "KEYWRIGHT_TEST"}, {"file": "hunter2"}])

    with pytest.raises(ConfigError) as caught:
        parse_setting(Setting("s", "secrets"), given)

    assert str(caught.value) == (
        "file: stores.a.s, number 2, points to a file in /etc, which cannot be read (No such file or directory); check "
        "the path"
    )
    caught.value.__traceback__ = caught.value.__traceback__ and caught.value.__traceback__.tb_next
    assert_hidden(Secret(b"hunter2"), everything_in(caught.value))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(
    ("owner", "mode", "is_link", "is_told"),
    [
        pytest.param(65534, 0o600, False, False, id="its owner's alone"),
        pytest.param(65534, 0o604, False, True, id="everybody's"),
        pytest.param(65534, 0o640, False, True, id="a group's"),
        pytest.param(65534, 0o444, True, True, id="everybody's, by a link"),
        pytest.param(0, 0o644, False, True, id="root's, which root could mend"),
        pytest.param(0, 0o644, True, False, id="root's, by a link, as containers have it"),
        pytest.param(0, 0o444, False, False, id="root's, not to be written, as containers have it"),
    ],
)
def test_a_secret_that_others_may_read_is_told(
    tmp_path: Path, owner: int, mode: int, is_link: bool, is_told: bool
) -> None:
    """A sentence for each such file of a pointer or a list of them; none for secrets that a container was given."""
    file, link = tmp_path / "secret", tmp_path / "link"
    file.write_text("hunter2")
    os.chown(file, owner, owner)
    file.chmod(mode)
    link.symlink_to(file)
    path = str(link if is_link else file)
    sentence = (
        f"stores.a.s points to the file {path}, which other users may read; run `chmod go-r` on it, and replace what "
        "it holds if others may have read it"
    )

    found = [*exposed(written({"file": path})), *exposed(written([{"env": "PATH"}, {"file": path}]))]

    assert found == [sentence] * (2 if is_told else 0)


@pytest.mark.parametrize("value", [{"env": "PATH"}, {"file": "/none/key"}, {"file": "\0"}, {"file": 7}, "hunter2", [7]])
def test_what_points_to_no_file_is_no_matter_of_permissions(value: object) -> None:
    """Whoever follows the pointer says what is wrong with it."""
    assert list(exposed(written(value))) == []


def test_an_empty_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set to nothing holds no secret."""
    monkeypatch.setenv("KEYWRIGHT_TEST", "")

    assert refusal(Setting("s", "secret"), written({"env": "KEYWRIGHT_TEST"})) == "file: stores.a.s must not be empty"


def test_options_are_checked_and_completed() -> None:
    """What was not given has its default, which nobody can change for others."""
    shared: dict[str, str] = {}
    declared = (SIZE._replace(name="bits"), Setting("labels", "table", shared), Setting("comment", "text", None))

    options = check_options({"bits": written(128)}, declared, owner="x", path="p", source="f")

    assert dict(options) == {"bits": 128, "labels": {}, "comment": None}
    assert options["labels"] is not shared
    assert (options.integer("bits"), options.optional_text("comment"), len(options)) == (128, None, 3)
    assert repr(options) == "<options bits, labels, comment>"
    assert repr(Options()) == "<options none>"


def test_options_are_read_by_type() -> None:
    """Each method gives the value of its type."""
    values = {"t": "a", "b": True, "d": timedelta(1), "s": Secret(b"x"), "l": ("a",), "m": {"a": "b"}, "v": {"a": [1]}}
    options = Options(values)

    read = (options.text("t"), options.boolean("b"), options.duration("d"), options.secret("s"))

    assert (*read, options.texts("l"), options.table("m"), options.mapping("v")) == tuple(values.values())
    with pytest.raises(KeyError):
        options.text("undeclared")


def test_an_unknown_setting_is_refused() -> None:
    """What is not declared is refused, with the near name and all there are."""
    with pytest.raises(ConfigError) as near:
        check_options({"bit": written(1)}, (SIZE._replace(name="bits"),), owner="key type 'rsa'", path="p", source="f")
    with pytest.raises(ConfigError) as none:
        check_options({"bit": written(1)}, (), owner="key type 'x'", path="p", source="f")

    assert str(near.value) == "file: stores.a.s is no setting of key type 'rsa' (did you mean 'bits'?); it has: bits"
    assert str(none.value) == "file: stores.a.s is no setting of key type 'x'; it has: none"


def test_a_missing_setting_is_named() -> None:
    """A required setting that nobody gave is named with its place, its owner and its rule."""
    with pytest.raises(ConfigError) as caught:
        check_options({}, (SIZE._replace(name="bits"),), owner="key type 'oct'", path="keys.a", source="f")

    assert str(caught.value) == (
        "f: keys.a.bits is missing: key type 'oct' needs it, a whole number that is a multiple of 8 from 128 to 8192"
    )
    assert repr(REQUIRED) == "REQUIRED"


def test_a_given_value_does_not_show() -> None:
    """A secret that was written where it does not belong is in no repr."""
    assert repr(written("hunter2")) == "<given stores.a.s by file>"


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("where", ["written", "typed", "env", "file", "elsewhere"])
def test_a_value_shows_in_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type: SettingType, where: str
) -> None:
    """Whatever type refuses it and wherever it stands, a value is in no frame that the error passes through."""
    from traceback import TracebackException

    (tmp_path / "key").write_text("canary-4711\0")
    monkeypatch.setenv("KEYWRIGHT_TEST", "canary-4711")
    value = {
        "written": written(["canary-4711", 1]),
        "typed": typed("canary-4711\0"),
        "env": written({"env": "canary-4711"}),
        "file": written({"file": str(tmp_path / "key")}),
        "elsewhere": written({"canary-4711": "canary-4711", "x": 1}),
    }[where]
    setting = Setting("s", type)
    right = {("list", "typed"), ("list", "file"), ("secret", "file"), ("table", "env"), ("table", "file")}
    right |= {("values", "env"), ("values", "file"), ("values", "elsewhere")}

    try:
        parse_setting(setting, value)
    except ConfigError as error:
        caught: BaseException | None = error
    else:
        assert (type, where) in right
        return
    shown: list[str] = []
    while caught is not None:
        shown += TracebackException.from_exception(caught, capture_locals=True).format()
        caught = caught.__cause__ or caught.__context__

    assert "canary-4711" not in "".join(shown)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"env": "A"}, True),
        ({"file": 1}, True),
        ({"env": "A", "file": "B"}, False),
        ({"a": "A"}, False),
        ({}, False),
        ("env", False),
    ],
)
def test_a_pointer_has_one_entry(value: object, expected: bool) -> None:
    """`{ env = … }` and `{ file = … }` are pointers, and nothing else is."""
    assert is_indirection(value) is expected


def test_a_near_word_is_proposed() -> None:
    """The nearest known word is proposed; a far or an endless one gets none."""
    known = {"sqlite": 1, "file": 2}

    assert did_you_mean("sqlit", known) == " (did you mean 'sqlite'?)"
    assert did_you_mean("postgres", known) == ""
    assert did_you_mean("sqlite" * 20, known) == ""


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["env", "file", "a"]), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(st.sampled_from(TYPES), anything, st.booleans())
def test_any_value_is_its_type_or_a_config_error(type: SettingType, value: object, textual: bool) -> None:
    """Nothing but ConfigError comes of any value."""
    expected = {
        "text": str,
        "integer": int,
        "boolean": bool,
        "path": str,
        "duration": timedelta,
        "secret": Secret,
        "list": tuple,
        "table": dict,
        "values": dict,
    }[type]

    message, parsed = "", None
    try:
        parsed = parse_setting(Setting("s", type), Given(value, "p", "f", "/", textual and isinstance(value, str)))
    except ConfigError as error:
        message = str(error)

    assert message.startswith("f: p ") or isinstance(parsed, expected)
    assert type != "path" or message or os.path.isabs(str(parsed))


@pytest.mark.parametrize("wrap", [lambda inner: {"a": inner}, lambda inner: [inner]], ids=["tables", "lists"])
def test_values_nest_eight_deep(wrap: Callable[[object], object]) -> None:
    """Eight tables and lists in each other are a value, nine are none."""
    setting = Setting("s", "values")
    inner: object = "x"
    for _ in range(7):
        inner = wrap(inner)

    assert parse_setting(setting, written({"a": inner})) == {"a": inner}
    assert refusal(setting, written({"a": wrap(inner)})) == f"file: stores.a.s {VALUES_RULE}"


def test_what_there_is_is_listed() -> None:
    """The message for an unknown setting lists those there are, a comma between them."""
    declared = [Setting("size", "integer"), Setting("colour", "text")]

    with pytest.raises(ConfigError) as caught:
        check_options({"zzz": written("1")}, declared, owner="key type 'rsa'", path="p", source="f")

    assert str(caught.value) == "file: stores.a.s is no setting of key type 'rsa'; it has: size, colour"


def test_only_words_are_compared_with_words() -> None:
    """A word of up to 100 characters may be a slip; nothing longer is looked at, for that takes ever longer."""
    known = "a" * 100

    assert did_you_mean("b" + known[1:], [known]) == f" (did you mean '{known}'?)"
    assert did_you_mean("b" + known, [known]) == ""
