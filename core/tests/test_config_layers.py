"""What holds when several layers speak: profile over file, variables over profile, options over all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from refusals import refuses
from support.errors import text_of
from tables import cases

from keywright.config.find import Environment
from keywright.config.layers import Layer, document_layer, environment_layer, merged
from keywright.config.load import Config, config_from, load_config
from keywright.errors import ConfigError
from keywright.settings.model import RawValue

FILE = """
default_store = "local"
[stores.local]
backend = "sqlite"
path = "keys.db"
[stores.ci-1]
backend = "env"
variables = { "a" = "A", "b" = "B" }
[stores.prod]
backend = "file"
path = { env = "KEYS_DIR" }
seal = "master"
[seals.master]
seal = "passphrase"
passphrase = { file = "master.key" }
[keys."cache.example.org"]
type = "rsa"
bits = 4096
overlap = "14d"
labels = { team = "build", env = "dev" }
[profiles.empty]
[profiles.ci]
default_store = "ci-1"
stores.ci-1.variables = { b = "BB", c = "C" }
[profiles.swap]
stores.local.backend = "file"
stores.prod.backend = "pkcs11"
stores.prod.module = "hsm.so"
seals.master.seal = "kms"
keys."cache.example.org".type = "ed25519"
keys."cache.example.org".labels = { env = "prod" }
[profiles.same]
stores.local.backend = "sqlite"
[profiles.replace]
stores.ci-1.variables = { env = "X" }
stores.prod.path = "here"
plugins = ["sqlite"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "keywright.toml"
    path.parent.mkdir()
    path.write_text(FILE)
    return path


def read(
    file: Path,
    profile: str | None = None,
    options: tuple[tuple[str, str], ...] = (),
    environ: Mapping[str, str] | None = None,
) -> Config:
    return load_config(str(file), profile=profile, options=options, environ=environ or {}, cwd="/cwd")


def plain(config: Config) -> dict[str, object]:
    return {given.path: given.value for given in config.values()}


def refused(file: Path, **arguments: object) -> str:
    with pytest.raises(ConfigError) as caught:
        read(file, **arguments)  # type: ignore[arg-type]  # the cases below pass what `read` takes
    return text_of(caught.value)


def test_every_value_comes_with_its_source_sorted_by_path(file: Path) -> None:
    """`values` gives each setting once, by path, with where it came from and where relative paths start."""
    config = read(
        file, "ci", (("seals.master.passphrase", "x"),), {"KEYWRIGHT__KEYS__CACHE_EXAMPLE_ORG__OVERLAP": "1d"}
    )

    values = [(given.path, given.source, given.base, given.textual) for given in config.values()]

    etc, ci = str(file.parent), f"{file} (profile ci)"
    by_variable = "environment variable KEYWRIGHT__KEYS__CACHE_EXAMPLE_ORG__OVERLAP"
    assert values == [
        ("default_store", ci, etc, False),
        ('keys."cache.example.org".bits', str(file), etc, False),
        ('keys."cache.example.org".labels', str(file), etc, False),
        ('keys."cache.example.org".overlap', by_variable, "/cwd", True),
        ('keys."cache.example.org".type', str(file), etc, False),
        ("seals.master.passphrase", "--option", "/cwd", True),
        ("seals.master.seal", str(file), etc, False),
        ("stores.ci-1.backend", str(file), etc, False),
        ("stores.ci-1.variables", ci, etc, False),
        ("stores.local.backend", str(file), etc, False),
        ("stores.local.path", str(file), etc, False),
        ("stores.prod.backend", str(file), etc, False),
        ("stores.prod.path", str(file), etc, False),
        ("stores.prod.seal", str(file), etc, False),
    ]


def test_the_tables_are_as_the_file_says(file: Path) -> None:
    """Stores, seals and keys come as tables, their own settings apart from the core's."""
    config = read(file)

    prod, seal, key = config.store("prod"), config.seals["master"], config.key("cache.example.org")
    assert (config.source, config.base, config.profile, config.plugins) == (str(file), str(file.parent), None, None)
    assert config.store(None) is config.stores["local"]
    assert (prod.name, prod.backend, prod.seal, list(prod.given)) == ("prod", "file", "master", ["path"])
    assert (prod.path, prod.source) == ("stores.prod", str(file))
    assert (seal.name, seal.seal, list(seal.given), seal.path) == (
        "master",
        "passphrase",
        ["passphrase"],
        "seals.master",
    )
    assert (key.path, list(key.specific()), key.common().text("type")) == ('keys."cache.example.org"', ["bits"], "rsa")
    assert key.common().table("labels") == {"team": "build", "env": "dev"}


def test_a_key_without_a_table_has_the_defaults(file: Path) -> None:
    """A name that no one configured has an empty table."""
    key = read(file).key("prod/jwt")

    assert (key.path, dict(key.specific()), dict(key.given)) == ('keys."prod/jwt"', {}, {})
    assert dict(key.common()) == {
        **dict.fromkeys(("type", "format", "store", "kid", "rotate_every", "overlap", "expires_in", "activate_in")),
        "labels": {},
        "attributes": {},
    }


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("lcoal", "stores.lcoal is not configured (did you mean 'local'?); available: ci-1, local, prod"),
        ("", 'stores."" is not configured; available: ci-1, local, prod'),
        ("a\tb", "stores.<odd name> is not configured; available: ci-1, local, prod"),
    ],
)
def test_a_store_that_is_not_configured_is_refused(file: Path, name: str, rule: str) -> None:
    """Asking for a store that is not there says what is."""
    config = read(file)

    with refuses(ConfigError, f"{file}: {rule}"):
        config.store(name)


def test_the_only_store_is_the_default(tmp_path: Path) -> None:
    """One store needs no default_store."""
    config = config_from({"stores": {"mine": {"backend": "memory"}}}, base=str(tmp_path))

    assert config.default_store == "mine"
    assert next((given.path, given.source) for given in config.values()) == ("default_store", "the only store")


def test_profiles(file: Path) -> None:
    """An empty profile changes nothing; $KEYWRIGHT_PROFILE chooses one, unless `--profile` does."""
    environ = {"KEYWRIGHT_PROFILE": "ci"}

    assert plain(read(file, "empty")) == plain(read(file))
    assert [read(file, name, environ=environ).profile for name in (None, "swap")] == ["ci", "swap"]


def test_a_profile_merges_tables_and_replaces_the_rest(file: Path) -> None:
    """It reaches into tables, entry by entry; a list, or what reads as `{ env = … }`, is replaced whole."""
    ci, replaced = read(file, "ci"), read(file, "replace")

    assert ci.default_store == "ci-1"
    assert ci.stores["ci-1"].given["variables"].value == {"a": "A", "b": "BB", "c": "C"}
    assert replaced.plugins == ("sqlite",)
    assert replaced.stores["ci-1"].given["variables"].value == {"env": "X"}
    assert replaced.stores["prod"].given["path"].value == "here"


def test_a_change_of_kind_drops_what_belonged_to_the_old_kind(file: Path) -> None:
    """Another backend, seal or type takes no setting of the former one over; what is the core's own stays.

    The same one, given again, keeps its settings.
    """
    config = read(file, "swap")

    prod, key = config.stores["prod"], config.key("cache.example.org")
    assert (config.stores["local"].backend, dict(config.stores["local"].given)) == ("file", {})
    assert (prod.backend, prod.seal, list(prod.given)) == ("pkcs11", "master", ["module"])
    assert prod.source == f"{file} (profile swap)"
    assert (config.seals["master"].seal, dict(config.seals["master"].given)) == ("kms", {})
    assert (dict(key.specific()), key.common().text("type")) == ({}, "ed25519")
    assert key.common().table("labels") == {"team": "build", "env": "prod"}
    assert list(read(file, "same").stores["local"].given) == ["path"]


def test_each_layer_wins_over_those_below(file: Path) -> None:
    """Variables win over profile and file, options over variables."""
    environ = {"KEYWRIGHT__DEFAULT_STORE": "prod", "KEYWRIGHT__STORES__LOCAL__PATH": "by-variable"}
    options = (("stores.local.path", "by-option"),)

    path = [
        read(file).store("local").given["path"].value,
        read(file, "ci", environ=environ).store("local").given["path"].value,
        read(file, "ci", options, environ).store("local").given["path"].value,
    ]

    assert path == ["keys.db", "by-variable", "by-option"]
    assert read(file, "ci", environ=environ).default_store == "prod"
    assert read(file, "ci", (("default_store", "local"),), environ).default_store == "local"


def test_a_variable_may_change_the_backend_and_its_settings(file: Path) -> None:
    """Settings of one layer belong together: a new backend keeps what came with it."""
    environ = {"KEYWRIGHT__STORES__LOCAL__BACKEND": "file", "KEYWRIGHT__STORES__LOCAL__ROOT": "/keys"}

    store = read(file, environ=environ).stores["local"]

    assert (store.backend, {name: given.value for name, given in store.given.items()}) == ("file", {"root": "/keys"})
    assert store.source == "environment variable KEYWRIGHT__STORES__LOCAL__BACKEND"


def test_a_variable_reaches_the_built_in_store(tmp_path: Path) -> None:
    """Without any file the built-in store's path can be set."""
    config = load_config(environ={"HOME": "/h", "KEYWRIGHT__STORES__DEFAULT__PATH": "x.db"}, cwd=str(tmp_path))

    given = config.store(None).given["path"]
    assert (given.value, given.base, given.textual) == ("x.db", str(tmp_path), True)


def test_a_variable_is_spelt_with_underscores_in_any_case(file: Path) -> None:
    """Hyphens, dots and slashes of names are underscores in a variable, whose case does not matter."""
    for variable, path in {
        "KEYWRIGHT__STORES__CI_1__PREFIX": "stores.ci-1.prefix",
        "keywright__stores__ci_1__prefix": "stores.ci-1.prefix",
        "KEYWRIGHT__KEYS__CACHE_EXAMPLE_ORG__ROTATE_EVERY": 'keys."cache.example.org".rotate_every',
        "KEYWRIGHT__SEALS__MASTER__PASSPHRASE": "seals.master.passphrase",
        "KEYWRIGHT__PLUGINS": "plugins",
    }.items():
        assert plain(read(file, environ={variable: "1d"}))[path] == "1d", variable


def memory_stores(*names: str) -> Layer:
    """A file with these stores."""
    document = {"stores": {name: {"backend": "memory"} for name in names}, "default_store": names[0]}
    return document_layer(RawValue(document, "", "file", "/"), None)


def test_underscores_next_to_each_other_are_told_apart() -> None:
    """The last double underscore parts the setting from names that hold or end in some."""
    expected = {"a": "A__PATH", "a_": "A___PATH", "a__b": "A__B__PATH"}
    environment = Environment({f"KEYWRIGHT__STORES__{name}": name for name in expected.values()})

    layer = environment_layer(environment, memory_stores("a", "a_", "a__b"), "/")

    assert {name: table["path"].value for name, table in layer.tables["stores"].items()} == expected


SPELT = "use KEYWRIGHT__STORES__NAME__SETTING (or SEALS, KEYS), or KEYWRIGHT__DEFAULT_STORE"
TABLES = 'available: keys."cache.example.org", seals.master, stores.ci-1, stores.local, stores.prod'


UNREACHED = f"matches no configured table; {SPELT}; {TABLES}"
NO_NAME = "names no setting of stores.local; add __ and the setting's name"


@cases(
    ("variable", "shown", "rule"),
    {
        "near": (
            "STORES__LOCLA__PATH",
            "STORES__LOCLA__PATH",
            UNREACHED.replace("; use", " (did you mean 'LOCAL'?); use"),
        ),
        "a new store": ("STORES__NEW__BACKEND", "STORES__NEW__BACKEND", UNREACHED),
        "no setting": ("STORES__LOCAL", "STORES__LOCAL", NO_NAME),
        "nothing": ("", "", UNREACHED),
        "profile": ("PROFILES__CI__DEFAULT_STORE", "PROFILES__CI__DEFAULT_STORE", UNREACHED),
        "not ASCII": ("STORES__LOCAL__PATſ", "…", UNREACHED),
        "terminal": ("X\33[2J", "…", UNREACHED),
        "empty setting": ("STORES__LOCAL__", "STORES__LOCAL__", NO_NAME),
        "setting with a hyphen": ("STORES__LOCAL__A-B", "…", NO_NAME),
        "twice": ("stores__local__size", "stores__local__size", "stores.local.size is given twice; pass it once"),
    },
)
def test_a_variable_that_sets_nothing_is_refused(file: Path, variable: str, shown: str, rule: str) -> None:
    """With our prefix it is a mistake, and the message says what there is; so are two that differ in case only."""
    message = refused(file, environ={"KEYWRIGHT__STORES__LOCAL__SIZE": "x", f"KEYWRIGHT__{variable}": "x"})

    assert message == f"environment variable KEYWRIGHT__{shown}: {rule}"


@pytest.mark.parametrize("variable", ["KEYWRIGHT_STORES__LOCAL__PATH", "keywright_plugin__audit__path"])
def test_a_variable_with_one_underscore_is_refused(file: Path, variable: str) -> None:
    """It was meant to set something, and would be ignored."""
    expected = f"environment variable {variable}: has one underscore after KEYWRIGHT; write two: KEYWRIGHT__…"

    assert refused(file, environ={variable: "x"}) == expected


def test_a_variable_that_could_mean_two_tables_is_refused() -> None:
    """Two names that a variable spells alike are told apart by --option only."""
    with refuses(
        ConfigError,
        "environment variable KEYWRIGHT__STORES__A_B__PATH: could mean stores.a-b and stores.a_b; "
        "use --option, which is not ambiguous",
    ):
        environment_layer(Environment({"KEYWRIGHT__STORES__A_B__PATH": "x"}), memory_stores("a_b", "a-b"), "/")


def test_an_option_is_a_dotted_path_as_in_toml(file: Path) -> None:
    """Parts of an option's path may be quoted, in either way, with blanks around the dots."""
    for option, path in {
        "stores.local.path": "stores.local.path",
        ' stores . "local" .path ': "stores.local.path",
        "stores.ci-1.variables": "stores.ci-1.variables",
        'keys."cache.example.org".overlap': 'keys."cache.example.org".overlap',
        "keys.'cache.example.org'.kid": 'keys."cache.example.org".kid',
    }.items():
        assert plain(read(file, options=((option, "2d"),)))[path] == "2d", option


NO_SETTING = (
    "write default_store, plugins, or TABLE.NAME.SETTING, where TABLE is stores, seals or keys, and quote a NAME that "
    "has dots"
)
NO_PATH = 'the setting is a dotted path, such as stores.local.path or keys."example.org".overlap'


@cases(
    ("options", "rule"),
    {
        "empty": ([""], NO_PATH),
        "ends in a dot": (["stores.local."], NO_PATH),
        "starts with a dot": ([".stores"], NO_PATH),
        "two dots": (["stores..path"], NO_PATH),
        "newline": (["stores.local.path\n"], NO_PATH),
        "open quote": (['keys."a.b'], NO_PATH),
        "escape": ([r'keys."\u0061".kid'], NO_PATH),
        "blank": (["stores.local path"], NO_PATH),
        "a table": (["stores.local"], f"stores.local is not a setting; {NO_SETTING}"),
        "near": (["store.local.path"], f"store.local.path is not a setting (did you mean 'stores'?); {NO_SETTING}"),
        "profile": (["profiles.ci.x"], f"profiles.ci.x is not a setting; {NO_SETTING}"),
        "dot not quoted": (["keys.a.b.kid"], f"keys.a.b.kid is not a setting; {NO_SETTING}"),
        "capital": (["stores.local.Path"], f"stores.local.Path is not a setting; {NO_SETTING}"),
        "store, near": (
            ["stores.locla.path"],
            "stores.locla is not configured (did you mean 'local'?); available: ci-1, local, prod",
        ),
        "new key": (["keys.new.kid"], "keys.new is not configured; available: cache.example.org"),
        "twice": (["plugins", "plugins"], "plugins is given twice; pass it once"),
        "again": (["stores.local.path", 'stores."local".path'], "stores.local.path is given twice; pass it once"),
    },
)
def test_an_option_that_reaches_nothing_is_refused(file: Path, options: list[str], rule: str) -> None:
    """An option reaches one setting of a configured table, once, or is refused."""
    message = refused(file, options=tuple((option, "x") for option in options))

    assert message == f"--option: {rule}"


def test_settings_given_by_a_program_listen_to_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`config_from` reads neither a file nor KEYWRIGHT variables."""
    monkeypatch.setenv("KEYWRIGHT__STORES__M__PATH", "x")
    monkeypatch.setenv("KEYWRIGHT_PROFILE", "p")
    monkeypatch.setenv("KEYWRIGHT_CONFIG", "none")
    monkeypatch.chdir(tmp_path)

    config = config_from({"stores": {"m": {"backend": "memory"}}}, options=[("stores.m.size", "3")])

    values = [(given.value, given.source, given.base) for given in config.stores["m"].given.values()]
    assert (config.source, config.base, config.profile) == ("given settings", str(tmp_path), None)
    assert values == [("3", "--option", str(tmp_path))]


NO_STORE_NAME = "is not a valid store name: it may have a-z, 0-9, '_' and '-', and begins with a letter or digit"


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        ({1: 2}, "given settings: the whole must have text as names"),
        ({"stores": {1: {}}}, "given settings: stores must have text as names"),
        ({"stores": {"\ud800": {}}}, f"given settings: stores.<odd name> {NO_STORE_NAME}"),
        ({"stores": {"a": {b"x": 1}}}, "given settings: stores.a must have text as names"),
        ([], "given settings: the whole must be a table"),
    ],
)
def test_what_toml_cannot_say_is_refused_all_the_same(document: Mapping[str, object], rule: str) -> None:
    """A program may give names that no file could hold."""
    with refuses(ConfigError, rule):
        config_from(document)


def test_attributes_hold_more_than_texts(tmp_path: Path) -> None:
    """What a key carries may be lists and tables; a profile goes over it entry by entry, a list whole."""
    (tmp_path / "keywright.toml").write_text(
        '[stores.a]\nbackend = "env"\n[keys.a]\nattributes = { use = "sig", key_ops = ["sign"], ext = true }\n'
        '[profiles.ci.keys.a]\nattributes = { key_ops = ["sign", "verify"], x = { y = 1 } }\n'
    )

    attributes = load_config(profile="ci", environ={}, cwd=str(tmp_path)).key("a").common().mapping("attributes")

    assert attributes == {"use": "sig", "key_ops": ["sign", "verify"], "ext": True, "x": {"y": 1}}


def test_what_a_key_points_to_is_read_when_the_key_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that one key needs stops no other key's command."""
    monkeypatch.delenv("KEYWRIGHT_TEST_OVERLAP", raising=False)
    config = config_from({"keys": {"a": {"overlap": {"env": "KEYWRIGHT_TEST_OVERLAP"}}}})

    with refuses(
        ConfigError,
        "given settings: keys.a.overlap points to the environment variable KEYWRIGHT_TEST_OVERLAP, which is "
        "not set; set it, or change the setting",
    ):
        config.key("a").common()


# Laws. Small alphabets, so that layers meet.
settings = st.dictionaries(
    st.sampled_from(["path", "seal", "variables", "labels"]),
    st.sampled_from(["x", "y"])
    | st.dictionaries(st.sampled_from(["env", "file", "a"]), st.sampled_from(["x", "y"]), max_size=2),
)
kinds = st.none() | st.sampled_from(["sqlite", "file"])
stores = st.builds(lambda kind, rest: {**rest, **({"backend": kind} if kind else {})}, kinds, settings)
labels = st.dictionaries(st.sampled_from(["env", "file", "a"]), st.sampled_from(["x", "y"]), max_size=2)
key_settings = st.fixed_dictionaries(
    {}, optional={"labels": labels, "kid": st.sampled_from(["x", "y"]), "bits": st.integers(1, 2)}
)
keys = st.builds(lambda kind, rest: {**rest, **({"type": kind} if kind else {})}, kinds, key_settings)
layers = st.builds(
    lambda default, stores, keys: document_layer(
        RawValue({**default, "stores": stores, "keys": keys}, "", "", ""), None
    ),
    st.dictionaries(st.just("default_store"), st.sampled_from(["a", "b"])),
    st.dictionaries(st.sampled_from(["a", "b"]), stores),
    st.dictionaries(st.sampled_from(["a", "b"]), keys),
)


def content(layer: Layer) -> tuple[dict[str, RawValue], dict[str, dict[str, dict[str, RawValue]]]]:
    return layer.top, layer.tables


@given(layers, layers)
def test_the_laws_of_merging(lower: Layer, upper: Layer) -> None:
    """The empty layer changes nothing; merging is idempotent; what the upper layer says holds; neither is changed."""
    before = deepcopy((content(lower), content(upper)))

    result = merged(lower, upper)

    assert (content(lower), content(upper)) == before
    assert content(merged(lower, Layer())) == content(merged(Layer(), lower)) == content(merged(lower, lower))
    assert content(merged(lower, lower)) == content(lower)
    assert content(merged(result, upper)) == content(result)
    for section, tables in upper.tables.items():
        for name, table in tables.items():
            for setting, value in table.items():
                found = result.tables[section][name][setting].value
                assert found == value.value or (
                    isinstance(found, dict) and isinstance(value.value, dict) and found.items() >= value.value.items()
                )


names = st.sampled_from(
    ["default_store", "plugins", "stores", "seals", "keys", "profiles", "local", "backend", "seal", "env", "kid", "p"]
) | st.text(max_size=3)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates() | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)
documents = st.dictionaries(names, values, max_size=5) | st.fixed_dictionaries(
    {},
    optional={
        "default_store": values,
        "plugins": values,
        "stores": st.dictionaries(st.just("local"), st.dictionaries(names, values, max_size=4)),
        "seals": st.dictionaries(st.just("local"), st.dictionaries(names, values, max_size=4)),
        "keys": st.dictionaries(
            st.just("local"),
            st.dictionaries(st.sampled_from(["type", "kid", "store", "overlap", "labels"]) | names, values, max_size=4),
        ),
        "profiles": st.dictionaries(st.just("p"), values),
    },
)


def outcome(read: Callable[[], Config]) -> Config | str:
    """What was read, or the message of the ConfigError."""
    try:
        return read()
    except ConfigError as error:
        return text_of(error)


@given(documents, st.none() | st.just("p"))
def test_any_document_is_a_configuration_or_a_config_error(document: dict[str, object], profile: str | None) -> None:
    """Nothing but ConfigError comes of any document, and its message is one line."""
    result = outcome(lambda: config_from(document, profile=profile, base="/"))

    if isinstance(result, str):
        assert result.isprintable()
    else:
        paths = [given.path for given in result.values()]
        assert result.store(None).name == result.default_store
        assert paths == sorted(set(paths))


@given(st.text(max_size=20), st.text(max_size=5))
def test_any_option_or_variable_is_a_setting_or_a_config_error(name: str, value: str) -> None:
    """Nothing but ConfigError comes of any option or variable."""
    by_option = outcome(lambda: config_from({"stores": {"a": {"backend": "memory"}}}, options=[(name, value)]))
    by_variable = outcome(lambda: load_config(environ={"HOME": "/h", f"KEYWRIGHT__{name}": value}, cwd="/"))

    for result in (by_option, by_variable):
        assert not isinstance(result, str) or result.isprintable()


@cases(
    ("lower", "upper"),
    {
        "a pointer below": ({"env": "A"}, {"x": "1"}),
        "a pointer above": ({"x": "1"}, {"env": "A"}),
        "two pointers": ({"file": "a"}, {"env": "A"}),
        "two pointers, turned": ({"env": "A"}, {"file": "a"}),
    },
)
def test_a_pointer_is_not_mixed_with_a_table(lower: dict[str, str], upper: dict[str, str]) -> None:
    """What reads as `{ env = … }` or `{ file = … }` stands for the whole value, below as well as above."""
    places = (("stores", "variables"), ("keys", "type"), ("keys", "kid"))
    for section, setting in places if "x" not in {**lower, **upper} else places[:1]:
        one, two = (
            document_layer(RawValue({section: {"a": {setting: value}}}, "", "a file", "/"), None)
            for value in (lower, upper)
        )

        assert merged(one, two).tables[section]["a"][setting].value == upper, setting
