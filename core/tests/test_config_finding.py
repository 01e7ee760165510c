"""Which file is read, which files are refused, and what holds where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from keywright.config.find import find_config
from keywright.config.load import load_config
from keywright.errors import ConfigError

STORE = '[stores.local]\nbackend = "sqlite"\npath = "keys.db"\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    directory = tmp_path / "home"
    directory.mkdir()
    return directory


def written(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(STORE)
    return str(path)


def refusal(path: Path | str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(str(path), environ={})
    return str(caught.value)


def test_the_named_file_wins_over_every_other(tmp_path: Path, home: Path) -> None:
    """`--config` goes before $KEYWRIGHT_CONFIG, that before the current directory, that before the user's own."""
    named, by_variable = written(tmp_path / "named.toml"), written(tmp_path / "variable.toml")
    here, mine = written(tmp_path / "here" / "keywright.toml"), written(home / ".config/keywright/keywright.toml")
    environ, cwd = {"HOME": str(home)}, str(tmp_path / "here")
    pointing = {**environ, "KEYWRIGHT_CONFIG": by_variable}

    found = [
        find_config(named, environ=pointing, cwd=cwd),
        find_config(environ=pointing, cwd=cwd),
        find_config(environ=environ, cwd=cwd),
        find_config(environ=environ, cwd=str(home)),
    ]

    assert found == [named, by_variable, here, mine]


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    """KEYWRIGHT_CONFIG and KEYWRIGHT_PROFILE that are empty are as good as not there."""
    here = written(tmp_path / "keywright.toml")

    config = load_config(environ={"KEYWRIGHT_CONFIG": "", "KEYWRIGHT_PROFILE": ""}, cwd=str(tmp_path))

    assert (config.source, config.profile) == (here, None)


def test_a_relative_path_starts_from_the_current_directory(tmp_path: Path) -> None:
    """`--config` and $KEYWRIGHT_CONFIG are relative to where the user stands."""
    found = [find_config("a.toml", environ={}, cwd=str(tmp_path))]
    found += [find_config(environ={"KEYWRIGHT_CONFIG": "a.toml"}, cwd=str(tmp_path))]

    assert found == [str(tmp_path / "a.toml")] * 2


@pytest.mark.parametrize("marker", ["directory", "file"])
def test_a_repository_is_searched_upwards_to_its_root(tmp_path: Path, marker: str) -> None:
    """The nearest keywright.toml between here and the directory with .git (a file in a worktree) is found."""
    root = tmp_path / "repository"
    far, near = written(root / "keywright.toml"), written(root / "a" / "b" / "keywright.toml")
    git = root / ".git"
    git.mkdir() if marker == "directory" else git.touch()
    (root / "a" / "b" / "c" / "d").mkdir(parents=True)

    found = [find_config(environ={}, cwd=str(root / place)) for place in ("a/b/c/d", "a/b", "a", "")]

    assert found == [near, near, far, far]


def test_the_search_ends_at_the_repository_root(tmp_path: Path) -> None:
    """A file above the repository is not this repository's."""
    written(tmp_path / "keywright.toml")
    (tmp_path / "repository" / ".git").mkdir(parents=True)

    assert find_config(environ={}, cwd=str(tmp_path / "repository")) is None


def test_outside_a_repository_only_the_current_directory_counts(tmp_path: Path) -> None:
    """Without a repository nothing above the current directory is trusted."""
    here = written(tmp_path / "keywright.toml")
    (tmp_path / "below").mkdir()

    found = [find_config(environ={}, cwd=str(tmp_path / place)) for place in ("", "below")]

    assert found == [here, None]


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        pytest.param("XDG_CONFIG_HOME", "{tmp}/xdg", "{tmp}/xdg/keywright/keywright.toml", id="absolute"),
        pytest.param("XDG_CONFIG_HOME", "xdg", "{tmp}/home/.config/keywright/keywright.toml", id="relative: ignored"),
        pytest.param("XDG_CONFIG_HOME", "", "{tmp}/home/.config/keywright/keywright.toml", id="empty: ignored"),
    ],
)
def test_the_users_file_is_where_xdg_says(tmp_path: Path, home: Path, variable: str, value: str, expected: str) -> None:
    """The user's configuration directory follows the XDG Base Directory Specification."""
    written(tmp_path / "xdg/keywright/keywright.toml")
    written(home / ".config/keywright/keywright.toml")
    environ = {"HOME": str(home), variable: value.replace("{tmp}", str(tmp_path))}

    found = find_config(environ=environ, cwd=str(home))

    assert found == expected.replace("{tmp}", str(tmp_path))


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        pytest.param({"HOME": "/home/me"}, "/home/me/.local/share/keywright/keys.db", id="home"),
        pytest.param({"HOME": "/h", "XDG_DATA_HOME": "/data"}, "/data/keywright/keys.db", id="absolute"),
        pytest.param({"HOME": "/h", "XDG_DATA_HOME": "d"}, "/h/.local/share/keywright/keys.db", id="relative: ignored"),
    ],
)
def test_without_a_file_keys_go_to_sqlite_in_the_users_data(
    tmp_path: Path, environ: dict[str, str], expected: str
) -> None:
    """The built-in default is one SQLite store in the user's data directory."""
    config = load_config(environ=environ, cwd=str(tmp_path))

    store = config.store(None)
    assert (config.source, config.base, config.plugins) == ("built-in defaults", str(tmp_path), None)
    assert (store.name, store.backend, store.seal, store.path) == ("default", "sqlite", None, "stores.default")
    assert {name: given.value for name, given in store.given.items()} == {"path": expected}


def test_a_file_without_stores_keeps_the_built_in_one(tmp_path: Path) -> None:
    """Keys may be declared without declaring a store."""
    (tmp_path / "keywright.toml").write_text('[keys.a]\ntype = "oct"\n')

    config = load_config(environ={"HOME": "/home/me"}, cwd=str(tmp_path))

    assert (config.default_store, list(config.stores)) == ("default", ["default"])


def test_a_home_that_is_not_set_is_looked_up(tmp_path: Path) -> None:
    """Without HOME the user database says where home is."""
    import pwd

    config = load_config(environ={"HOME": "relative"}, cwd=str(tmp_path))

    home = pwd.getpwuid(os.getuid()).pw_dir
    assert config.store(None).given["path"].value == os.path.join(home, ".local/share/keywright/keys.db")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody who is in no user database")
def test_nobody_without_a_home_is_told_what_to_set(tmp_path: Path) -> None:
    """A user without HOME and without an entry in the user database gets a way out, not a place of our choosing."""
    script = (
        f"import os, sys; sys.path[:] = {sys.path!r}; import keywright.config.load as c, keywright.errors as e\n"
        "import tomllib, difflib, pwd\n"
        "os.setuid(54321)\n"
        "try: c.load_config(environ={}, cwd='/')\n"
        "except e.ConfigError as error: print(error)\n"
    )

    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd="/", check=True)

    assert run.stdout == (
        "built-in defaults: no home directory is known to keep keys in; set HOME, or configure a store\n"
    )


def test_no_file_means_no_toml_parser(tmp_path: Path) -> None:
    """The TOML parser, the JSON module and the like are not loaded where there is nothing for them to do."""
    script = (
        f"import sys; sys.path[:] = {sys.path!r}; import keywright.config.load as c\n"
        f"c.load_config(environ={{'HOME': '/h'}}, cwd={str(tmp_path)!r})\n"
        "print(sorted({'tomllib', 'difflib', 'pathlib', 'json', 'logging', 'pwd'} & set(sys.modules)))\n"
    )

    run = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True)

    assert run.stdout == "[]\n"


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A file that was asked for is never replaced by the defaults."""
    message = refusal(tmp_path / "none.toml")

    assert message == f"{tmp_path}/none.toml: does not exist; check the path, or make it with `keywright init`"


def test_the_variables_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """Nor is one that the environment asked for."""
    with pytest.raises(ConfigError) as caught:
        load_config(environ={"KEYWRIGHT_CONFIG": "none.toml", "HOME": "/h"}, cwd=str(tmp_path))

    assert str(caught.value) == (
        f"{tmp_path}/none.toml: does not exist; check the path, or make it with `keywright init`"
    )


def test_a_found_link_to_nothing_is_an_error(tmp_path: Path) -> None:
    """A dangling keywright.toml in the current directory is a mistake, not an absence."""
    (tmp_path / "keywright.toml").symlink_to("gone")

    with pytest.raises(ConfigError) as caught:
        load_config(environ={"HOME": "/h"}, cwd=str(tmp_path))

    assert str(caught.value) == (
        f"{tmp_path}/keywright.toml: does not exist; check the path, or make it with `keywright init`"
    )


@pytest.mark.parametrize("kind", ["directory", "fifo", "device"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, kind: str) -> None:
    """Directories, pipes (without waiting for a writer) and devices are no configuration."""
    path = {"directory": tmp_path, "fifo": tmp_path / "fifo", "device": Path("/dev/null")}[kind]
    if kind == "fifo":
        os.mkfifo(path)

    assert refusal(path) == f"{path}: is no regular file; name one"


def test_a_file_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    """Whoever may write the configuration chooses where keys go."""
    path = tmp_path / "keywright.toml"
    written(path)
    path.chmod(0o666)

    assert refusal(path) == f"{path}: is writable by everybody; take that away with `chmod o-w`"


def test_a_file_that_the_group_may_write_is_read(tmp_path: Path) -> None:
    """A group is somebody's choice; `umask 002` is common."""
    path = tmp_path / "keywright.toml"
    written(path)
    path.chmod(0o664)

    assert load_config(str(path), environ={}).source == str(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    """A configuration that belongs to somebody else is refused."""
    path = tmp_path / "keywright.toml"
    written(path)
    os.chown(path, 65534, 65534)

    assert (
        refusal(path)
        == f"{path}: belongs to another user, who could change it; use a file of your own, or one of root's"
    )


def test_relative_paths_start_where_the_file_is(tmp_path: Path) -> None:
    """Links to the file are followed: whoever links to it uses the same keys."""
    written(tmp_path / "etc" / "real.toml")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "first.toml").symlink_to("../etc/real.toml")
    (tmp_path / "keywright.toml").symlink_to("links/first.toml")

    config = load_config(environ={}, cwd=str(tmp_path))

    assert (config.source, config.base) == (str(tmp_path / "keywright.toml"), str(tmp_path / "etc"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give links away")
@pytest.mark.parametrize("foreign", ["keywright.toml", "links/first.toml"])
def test_a_link_of_another_user_is_refused(tmp_path: Path, foreign: str) -> None:
    """Whoever owns a link on the way chooses the file, be it root's."""
    written(tmp_path / "real.toml")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "first.toml").symlink_to("../real.toml")
    (tmp_path / "keywright.toml").symlink_to("links/first.toml")
    os.chown(tmp_path / foreign, 65534, 65534, follow_symlinks=False)

    assert refusal(tmp_path / "keywright.toml") == (
        f"{tmp_path}/keywright.toml: is a link that belongs to another user, who could change it; name the file that "
        "it leads to"
    )


@pytest.mark.parametrize(("links", "read"), [(40, True), (41, False)])
def test_links_end_where_the_system_ends_them(tmp_path: Path, links: int, read: bool) -> None:
    """As many links as the system follows are followed."""
    written(tmp_path / "0")
    for number in range(links):
        (tmp_path / str(number + 1)).symlink_to(str(number))

    if read:
        assert load_config(str(tmp_path / str(links)), environ={}).base == str(tmp_path)
    else:
        assert refusal(tmp_path / str(links)) == (
            f"{tmp_path}/{links}: cannot be read (Too many levels of symbolic links); check the path and its "
            "permissions"
        )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_roots_file_is_read_by_others_and_an_unreadable_one_refused(tmp_path: Path) -> None:
    """Root's configuration serves everybody; one without permission is named with the system's reason."""
    directory = Path("/tmp") / f"keywright-{os.getpid()}"
    directory.mkdir(mode=0o755)
    try:
        written(directory / "open.toml")
        written(directory / "closed.toml")
        (directory / "closed.toml").chmod(0o600)
        script = (
            f"import os, sys; sys.path[:] = {sys.path!r}; import keywright.config.load as c, keywright.errors as e\n"
            "import tomllib\n"
            "os.setuid(65534)\n"
            f"print(c.load_config({str(directory)!r} + '/open.toml', environ={{}}).default_store)\n"
            f"try: c.load_config({str(directory)!r} + '/closed.toml', environ={{}})\n"
            "except e.ConfigError as error: print(error)\n"
        )

        run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd="/", check=True)
    finally:
        for path in directory.iterdir():
            path.unlink()
        directory.rmdir()

    assert run.stdout == (
        f"local\n{directory}/closed.toml: cannot be read (Permission denied); check the path and its permissions\n"
    )


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        pytest.param("/dev/null/x", "Not a directory", id="below a file"),
        pytest.param("/" + "a" * 300, "File name too long", id="too long"),
        pytest.param("/a\0b", "no path on this system", id="NUL"),
        pytest.param("/a\ud800", "no path on this system", id="lone surrogate"),
    ],
)
def test_a_path_that_cannot_be_is_refused(path: str, shown: str) -> None:
    """Any path that the system does not open is a configuration error with the system's reason."""
    assert refusal(path).endswith(f": cannot be read ({shown}); check the path and its permissions")


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="needs a file whose first byte cannot be read")
def test_a_file_that_breaks_while_it_is_read_is_refused() -> None:
    """An I/O error after opening is a configuration error with the system's reason."""
    assert refusal("/proc/self/mem") == (
        "/proc/self/mem: cannot be read (Input/output error); check the path and its permissions"
    )


def test_a_megabyte_is_enough(tmp_path: Path) -> None:
    """A file of exactly 1 MiB is read, one of a byte more is refused."""
    path = tmp_path / "keywright.toml"
    path.write_bytes(STORE.encode().ljust(1_048_576, b"\n"))
    read = load_config(str(path), environ={})
    path.write_bytes(STORE.encode().ljust(1_048_577, b"\n"))

    message = refusal(path)

    assert read.default_store == "local"
    assert message == f"{path}: is over 1 MiB, more than a configuration needs; shorten it"


def test_bytes_that_are_no_utf8_are_refused(tmp_path: Path) -> None:
    """TOML is UTF-8."""
    path = tmp_path / "keywright.toml"
    path.write_bytes(b'default_store = "\xff"')

    assert refusal(path) == f"{path}: is not UTF-8; save it as UTF-8 text"


def test_a_current_directory_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose current directory was removed gets a message, not a traceback."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises(ConfigError) as caught:
        load_config(environ={})

    assert str(caught.value) == "the current directory does not exist any more; change to another"


@pytest.mark.parametrize("link", [True, False])
def test_the_users_own_file_that_leads_nowhere_is_a_mistake(tmp_path: Path, home: Path, link: bool) -> None:
    """A dangling link, or a directory, in the place of the user's own file is not passed over for the defaults."""
    mine = home / ".config" / "keywright" / "keywright.toml"
    mine.parent.mkdir(parents=True)
    if link:
        mine.symlink_to("gone")
    else:
        mine.mkdir()

    with pytest.raises(ConfigError) as caught:
        load_config(environ={"HOME": str(home)}, cwd=str(tmp_path))

    assert str(caught.value).startswith(f"{mine}: ")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize("name", ["real.toml", "link.toml"])
def test_a_file_of_roots_is_anybodys(name: str) -> None:
    """What root wrote, or linked to, is read by every user: so the configuration of a system looks."""
    with TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        written(Path(directory, "real.toml"))
        Path(directory, "real.toml").chmod(0o644)
        Path(directory, "link.toml").symlink_to("real.toml")
        os.seteuid(65534)
        try:
            source = load_config(str(Path(directory, name)), environ={}).source
        finally:
            os.seteuid(0)

    assert source == str(Path(directory, name))
