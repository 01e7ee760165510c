"""Settings: what a plugin declares is what people may give, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from refusals import refuses
from support.errors import text_of
from tables import cases

from keywright.errors import ConfigError
from keywright.secret import Secret
from keywright.settings.model import REQUIRED, Fetched, Options, RawValue, Setting, SettingType, is_indirection
from keywright.settings.pointers import exposed
from keywright.settings.values import check_options, parse_setting
from keywright.testing import assert_hidden, everything_in

SIZE = Setting("s", "integer", minimum=128, maximum=8192, multiple_of=8)
COLOUR = Setting("s", "text", choices=("red", "green"))
CIRCLE: list[object] = []
CIRCLE.append(CIRCLE)
INDIRECT = ', or { env = "VARIABLE" }, or { file = "PATH" }'
HIDDEN = "<what it points to>"
SECRET_RULE = 'must be given as { env = "VARIABLE" } or { file = "PATH" }'
TYPES: dict[SettingType, type] = {
    **dict.fromkeys(("text", "path"), str),
    **dict.fromkeys(("table", "values"), dict),
    "integer": int,
    "boolean": bool,
    "duration": timedelta,
    "secret": Secret,
    "list": tuple,
}
WRITTEN_OUT = f"{SECRET_RULE}; everyone who reads the configuration would see a secret written there"
DURATION_RULE = "must be a whole number and a unit (s, m, h, d, w or y), such as 90d"
SIZE_RULE = "must be a whole number that is a multiple of 8 from 128 to 8192"
VALUES_RULE = "must be a table of strings, whole numbers, true or false, and lists and tables of them"


def written(value: object, *, base: str = "/etc") -> RawValue:
    return RawValue(value, "stores.a.s", "file", base)


def typed(text: str) -> RawValue:
    return RawValue(text, "stores.a.s", "--option", "/etc", textual=True)


def refusal(setting: Setting, value: RawValue) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_setting(setting, value)
    return text_of(caught.value)


@cases(
    ("setting", "value", "parsed"),
    {
        "text": (Setting("s", "text"), written("ä b"), "ä b"),
        "text, empty": (Setting("s", "text"), written(""), ""),
        "choice": (COLOUR, written("red"), "red"),
        "integer, lowest": (SIZE, written(128), 128),
        "integer, highest": (SIZE, written(8192), 8192),
        "integer, as text": (SIZE, typed("256"), 256),
        "integer, below nothing": (Setting("s", "integer"), typed("-7"), -7),
        "boolean": (Setting("s", "boolean"), written(value=False), False),
        "boolean, as text": (Setting("s", "boolean"), typed("true"), True),
        "path, relative": (Setting("s", "path"), written("a/../b"), "/etc/b"),
        "path, absolute": (Setting("s", "path"), written("/a"), "/a"),
        "duration": (Setting("s", "duration"), written("90d"), timedelta(days=90)),
        "list": (Setting("s", "list"), written(["a", "b"]), ("a", "b")),
        "list, as text": (Setting("s", "list"), typed(" a, b ,,c"), ("a", "b", "c")),
        "list, as text, empty": (Setting("s", "list"), typed(""), ()),
        "table": (Setting("s", "table"), written({"a": "A"}), {"a": "A"}),
        "table that looks like a pointer": (Setting("s", "table"), written({"env": "A"}), {"env": "A"}),
        "values, none": (Setting("s", "values"), written({}), {}),
        "values": (
            Setting("s", "values"),
            written({"a": ["A", 1, True], "b": {"c": [{"d": -1}]}, "": ""}),
            {"a": ["A", 1, True], "b": {"c": [{"d": -1}]}, "": ""},
        ),
        "values that look like a pointer": (Setting("s", "values"), written({"env": "A"}), {"env": "A"}),
    },
)
def test_a_value_becomes_its_type(setting: Setting, value: RawValue, parsed: object) -> None:
    """A value that keeps the rule comes as the Python type that the setting says."""
    result = parse_setting(setting, value)

    assert result == parsed
    assert type(result) is type(parsed)


@cases(
    ("setting", "rule", "values"),
    {
        "text": (Setting("s", "text"), "must be text", (written(1), written("a\0"))),
        "choice": (COLOUR, "must be one of red, green", (written("blue"), written(1))),
        "integer in bounds": (SIZE, SIZE_RULE, (written(120), written(8200), written(129))),
        "integer": (
            Setting("s", "integer"),
            "must be a whole number",
            (written(value=True), written(1.0), written("1"), typed("1_0"), typed("١"), typed("9" * 5000)),
        ),
        "integer without a maximum": (
            Setting("s", "integer", minimum=1),
            "must be a whole number from 1",
            (typed("0"),),
        ),
        "boolean": (Setting("s", "boolean"), "must be true or false", (written("true"), written(1), typed("yes"))),
        "path": (Setting("s", "path"), "must be a path (a string)", (written(1), written("\0"))),
        "empty path": (Setting("s", "path"), "must be a path (a string), and not empty", (written(""),)),
        "path of no such home": (
            Setting("s", "path"),
            "starts with ~, and no such home directory is known; write the path in full",
            (written("~keywright-absent/a"),),
        ),
        "duration": (Setting("s", "duration"), DURATION_RULE, (written(90), typed("90"))),
        "duration too long": (Setting("s", "duration"), "must be at most 36500d", (written("36501d"),)),
        "secret written out": (Setting("s", "secret"), WRITTEN_OUT, (written("hunter2"), typed("hunter2"))),
        "secret by another pointer": (Setting("s", "secret"), SECRET_RULE, (written({"value": "hunter2"}),)),
        "list": (Setting("s", "list"), "must be a list of strings", (written("a"), written(["a", 1]))),
        "table": (
            Setting("s", "table"),
            "must be a table of strings",
            (written("a"), typed("a=b"), written({"a": 1}), written({1: "a"})),
        ),
        "values": (
            Setting("s", "values"),
            VALUES_RULE,
            (
                written(["a"]),
                typed("{}"),
                written({"a": 1.0}),
                written({"a": None}),
                written({"a": [[date(2030, 1, 1)]]}),
                written({"a": {1: "b"}}),
                written({"a": CIRCLE}),
            ),
        ),
        "pointer": (
            Setting("s", "text"),
            f"must be text{INDIRECT}",
            tuple(map(written, ({}, {"env": ""}, {"env": 1}, {"file": "a\0"}, {"env": "A", "file": "b"}))),
        ),
    },
)
def test_a_value_that_breaks_the_rule_is_refused(setting: Setting, rule: str, values: Sequence[RawValue]) -> None:
    """The message has the source, the path and the rule."""
    for value in values:
        assert refusal(setting, value) == f"{value.source}: stores.a.s {rule}", value.value


@pytest.mark.parametrize(
    ("type", "text", "parsed"),
    [
        ("text", "a", "a"),
        ("integer", "8", 8),
        ("boolean", "false", False),
        ("path", "k", "/etc/k"),
        ("path", "~/keys", "/home/me/keys"),
        ("duration", "1h", timedelta(hours=1)),
        ("list", "a,b", ("a", "b")),
        ("secret", "hunter2", Secret(b"hunter2")),
    ],
)
def test_a_pointer_is_followed_to_variable_and_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type: SettingType, text: str, parsed: object
) -> None:
    """`{ env = … }` and `{ file = … }` give text that is read as the setting's type; one final newline is not part.

    What came through a pointer to text does not show: code that does not know a name says so with its `repr`.
    """
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("KEYWRIGHT_TEST", text)
    (tmp_path / "value").write_text(f"{text}\n")

    for pointer in ({"env": "KEYWRIGHT_TEST"}, {"file": str(tmp_path / "value")}):
        result = parse_setting(Setting("s", type), written(pointer))

        assert result == parsed
        if type in ("text", "list"):
            assert repr(result) == repr(parsed).replace("'a'", HIDDEN).replace("'b'", HIDDEN)


def test_a_secret_keeps_every_byte_but_the_last_newline(tmp_path: Path) -> None:
    """Bytes that are not UTF-8, blanks and inner newlines are part of a secret; the file is relative to the base."""
    (tmp_path / "key").write_bytes(b" \xff\r\n\n")

    secret = parse_setting(Setting("s", "secret"), written({"file": "key"}, base=str(tmp_path)))

    assert secret == Secret(b" \xff\r\n")


def test_a_byte_order_mark_is_no_part_of_a_value(tmp_path: Path) -> None:
    """An editor that adds one would change a passphrase without a trace."""
    path = tmp_path / "key"
    path.write_bytes(b"\xef\xbb\xbfpassphrase\n")

    message = refusal(Setting("s", "secret"), written({"file": str(path)}))

    assert message == (
        f"file: stores.a.s points to the file {path}, which begins with a byte order mark; save it as UTF-8 without one"
    )


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


@cases(
    ("pointer", "rule"),
    {
        "variable": (
            {"env": "KEYWRIGHT_TEST"},
            "points to the environment variable KEYWRIGHT_TEST, which is not set; set it, or change the setting",
        ),
        "variable that may be the secret": (
            {"env": "hunter2"},
            "points to the environment variable, which is not set; set it, or change the setting",
        ),
        "variable that cannot be": (
            {"env": "\ud800"},
            "points to the environment variable, which is not set; set it, or change the setting",
        ),
        "file": (
            {"file": "/none/key"},
            "points to the file /none/key, which cannot be read (No such file or directory); check the path",
        ),
        "file, relative": (
            {"file": "none/key"},
            "points to the file /etc/none/key, which cannot be read (No such file or directory); check the path",
        ),
        "file that may be the secret": (
            {"file": "hunter2"},
            "points to a file in /etc, which cannot be read (No such file or directory); check the path",
        ),
        "file that acts on a terminal": (
            {"file": "/none/\33[2J"},
            "points to a file, which cannot be read (No such file or directory); check the path",
        ),
        "directory": ({"file": "/etc/"}, "points to the file /etc/, which is not a regular file; point it to one"),
        "device": ({"file": "/dev/null"}, "points to the file /dev/null, which is not a regular file; point it to one"),
        "file that cannot be": (
            {"file": "/\ud800"},
            "points to a file, by a name that this system cannot have; correct it",
        ),
        "file that breaks while it is read": pytest.param(
            {"file": "/proc/self/mem"},
            "points to the file /proc/self/mem, which cannot be read (Input/output error); check the path",
            marks=pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="this system has no such file"),
        ),
        "nothing in a variable": ({"env": "KEYWRIGHT_EMPTY"}, "must not be empty"),
    },
)
def test_a_pointer_to_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, pointer: dict[str, str], rule: str) -> None:
    """What a pointer points to is named only where it cannot be the secret itself."""
    monkeypatch.delenv("KEYWRIGHT_TEST", raising=False)
    monkeypatch.setenv("KEYWRIGHT_EMPTY", "")

    assert refusal(Setting("s", "secret"), written(pointer)) == f"file: stores.a.s {rule}"


def test_a_pointer_to_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    """No one waits for a writer who may never come, and no descriptor stays open."""
    os.mkfifo(tmp_path / "pipe")
    before = os.listdir("/dev/fd")

    message = refusal(Setting("s", "text"), written({"file": str(tmp_path / "pipe")}))

    assert (
        message == f"file: stores.a.s points to the file {tmp_path}/pipe, which is not a regular file; point it to one"
    )
    assert os.listdir("/dev/fd") == before


def test_a_list_of_secrets_is_a_list_of_pointers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each item points to one secret; they come in the list's order, and the list may be empty."""
    monkeypatch.setenv("KEYWRIGHT_TEST", "newer")
    (tmp_path / "old").write_text("old\n")
    given = written([{"env": "KEYWRIGHT_TEST"}, {"file": str(tmp_path / "old")}])

    parsed = parse_setting(Setting("s", "secrets"), given)

    assert parsed == (Secret(b"newer"), Secret(b"old"))
    assert Options({"s": parsed}).secrets("s") == parsed
    assert parse_setting(Setting("s", "secrets"), written([])) == ()


@cases(
    "given",
    {
        "a pointer outside a list": written({"file": "hunter2"}),
        "a secret written out": written(["hunter2"]),
        "a table that is not a pointer": written([{"file": "/etc/hostname"}, {"path": "hunter2"}]),
        "text of a variable": typed("hunter2"),
        "text": written("hunter2"),
    },
)
def test_a_list_of_secrets_holds_pointers_alone(given: RawValue) -> None:
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

    assert text_of(caught.value) == (
        "file: stores.a.s, number 2, points to a file in /etc, which cannot be read (No such file or directory); check "
        "the path"
    )
    caught.value.__traceback__ = caught.value.__traceback__ and caught.value.__traceback__.tb_next
    assert_hidden(Secret(b"hunter2"), everything_in(caught.value))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@cases(
    ("owner", "mode", "is_link", "is_told"),
    {
        "its owner's alone": (65534, 0o600, False, False),
        "everybody's": (65534, 0o604, False, True),
        "a group's": (65534, 0o640, False, True),
        "everybody's, by a link": (65534, 0o444, True, True),
        "root's, which root could fix": (0, 0o644, False, True),
        "root's, by a link, as containers have it": (0, 0o644, True, False),
        "root's, not to be written, as containers have it": (0, 0o444, False, False),
    },
)
def test_a_secret_that_others_may_read_is_told(
    tmp_path: Path, owner: int, mode: int, is_link: bool, is_told: bool
) -> None:
    """A message and a hint for each such file of a pointer or a list of them; none for secrets that a container was "
    "given."""
    file, link = tmp_path / "secret", tmp_path / "link"
    file.write_text("hunter2")
    os.chown(file, owner, owner)
    file.chmod(mode)
    link.symlink_to(file)
    path = str(link if is_link else file)
    problem = (
        f"stores.a.s points to the file {path}, which other users may read",
        "run `chmod go-r` on it, and replace the secret if others may have read it",
    )

    found = [*exposed(written({"file": path})), *exposed(written([{"env": "PATH"}, {"file": path}]))]

    assert found == [problem] * (2 if is_told else 0)


@pytest.mark.parametrize("value", [{"env": "PATH"}, {"file": "/none/key"}, {"file": "\0"}, {"file": 7}, "hunter2", [7]])
def test_what_points_to_no_file_is_no_matter_of_permissions(value: object) -> None:
    """Anyone who follows the pointer says what is wrong with it."""
    assert list(exposed(written(value))) == []


def test_options_are_checked_and_completed() -> None:
    """What was not given has its default, which no one can change for others."""
    shared: dict[str, str] = {}
    declared = (SIZE._replace(name="bits"), Setting("labels", "table", shared), Setting("comment", "text", None))

    options = check_options({"bits": written(128)}, declared, owner="x", path="p", source="f")

    assert dict(options) == {"bits": 128, "labels": {}, "comment": None}
    assert options["labels"] is not shared
    assert (options.integer("bits"), options.optional_text("comment"), len(options)) == (128, None, 3)
    assert [Options({"age": age}).optional_duration("age") for age in (None, timedelta(1))] == [None, timedelta(1)]
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


BITS = SIZE._replace(name="bits")
NO = "file: stores.a.s is not a setting of X"


@cases(
    ("given", "declared", "message"),
    {
        "near": ({"bit": written(1)}, (BITS,), f"{NO} (did you mean 'bits'?); X has: bits"),
        "far": ({"zzz": written("1")}, (BITS, Setting("colour", "text", None)), f"{NO}; X has: bits, colour"),
        "none": ({"bit": written(1)}, (), f"{NO}; remove it"),
        "missing": (
            {},
            (BITS,),
            "f: keys.a.bits is missing; X needs it: a whole number that is a multiple of 8 from 128 to 8192",
        ),
    },
)
def test_settings_that_are_not_declared_or_not_given(
    given: dict[str, RawValue], declared: tuple[Setting, ...], message: str
) -> None:
    """An unknown setting is refused with the near name and all there are, a missing one with owner and rule."""
    with refuses(ConfigError, message):
        check_options(given, declared, owner="X", path="keys.a", source="f")


def test_what_shows() -> None:
    """A secret that was written where it does not belong is in no repr."""
    assert repr(written("hunter2")) == "<given stores.a.s by file>"
    assert repr(Fetched("hunter2")) == HIDDEN
    assert repr(REQUIRED) == "REQUIRED"


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


def test_a_pointer_has_one_entry() -> None:
    """`{ env = … }` and `{ file = … }` are pointers, and nothing else is."""
    assert all(map(is_indirection, ({"env": "A"}, {"file": 1})))
    assert not any(map(is_indirection, ({"env": "A", "file": "B"}, {"a": "A"}, {}, "env")))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["env", "file", "a"]), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(st.sampled_from([*TYPES]), anything, st.booleans())
def test_any_value_is_its_type_or_a_config_error(type: SettingType, value: object, textual: bool) -> None:
    """Nothing but ConfigError comes of any value."""
    message, parsed = "", None
    try:
        parsed = parse_setting(Setting("s", type), RawValue(value, "p", "f", "/", textual and isinstance(value, str)))
    except ConfigError as error:
        message = text_of(error)

    assert message.startswith("f: p ") or isinstance(parsed, TYPES[type])
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


def test_options_of_settings_have_their_defaults() -> None:
    """Tests of a plugin name what they set, and get the rest as a user would."""
    settings = (Setting("path", "path"), Setting("timeout", "duration", timedelta(seconds=5)))

    assert dict(Options.of(settings, path="keys")) == {"path": "keys", "timeout": timedelta(seconds=5)}
    for values in ({}, {"path": "keys", "paht": "keys"}):
        with pytest.raises(TypeError, match="not a setting, or required: pa"):
            Options.of(settings, **values)
