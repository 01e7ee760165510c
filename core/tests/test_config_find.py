"""Which file is read, which files are refused, and what applies where no file exists."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from refusals import refuses
from support.errors import text_of
from tables import cases

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
    return text_of(caught.value)


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


def test_variables_and_relative_paths(tmp_path: Path) -> None:
    """Empty variables count as unset; `--config` and $KEYWRIGHT_CONFIG are relative to the current directory."""
    here = written(tmp_path / "keywright.toml")

    config = load_config(environ={"KEYWRIGHT_CONFIG": "", "KEYWRIGHT_PROFILE": ""}, cwd=str(tmp_path))
    found = [
        find_config("a.toml", environ={}, cwd=str(tmp_path)),
        find_config(environ={"KEYWRIGHT_CONFIG": "a.toml"}, cwd=str(tmp_path)),
    ]

    assert (config.source, config.profile) == (here, None)
    assert found == [str(tmp_path / "a.toml")] * 2


@pytest.mark.parametrize("marker", ["directory", "file"])
def test_a_repository_is_searched_upwards_to_its_root(tmp_path: Path, marker: str) -> None:
    """The nearest keywright.toml between here and the directory with .git (a file in a worktree) is found."""
    root, empty = tmp_path / "repository", tmp_path / "empty"
    above, far, near = (written(path / "keywright.toml") for path in (tmp_path, root, root / "a" / "b"))
    (root / "a" / "b" / "c" / "d").mkdir(parents=True)
    empty.mkdir()
    (tmp_path / "outside").mkdir()
    for git in (root / ".git", empty / ".git"):
        git.mkdir() if marker == "directory" else git.touch()

    places = ("repository/a/b/c/d", "repository/a/b", "repository/a", "repository", "empty", "outside", "")
    found = [find_config(environ={}, cwd=str(tmp_path / place)) for place in places]

    assert found == [near, near, far, far, None, None, above]


@cases("configured", {"absolute": "{tmp}/xdg", "relative, so ignored": "xdg", "empty, so ignored": ""})
def test_the_users_file_is_where_xdg_says(tmp_path: Path, home: Path, configured: str) -> None:
    """The user's configuration directory follows the XDG Base Directory Specification."""
    theirs = written(tmp_path / "xdg/keywright/keywright.toml")
    default = written(home / ".config/keywright/keywright.toml")
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": configured.replace("{tmp}", str(tmp_path))}

    found = find_config(environ=environ, cwd=str(home))

    assert found == (theirs if configured.startswith("{tmp}") else default)


@cases(
    ("environ", "expected"),
    {
        "home": ({"HOME": "/home/me"}, "/home/me/.local/share/keywright/keys.db"),
        "absolute": ({"HOME": "/h", "XDG_DATA_HOME": "/data"}, "/data/keywright/keys.db"),
        "relative: ignored": ({"HOME": "/h", "XDG_DATA_HOME": "d"}, "/h/.local/share/keywright/keys.db"),
    },
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be someone who is in no user database")
def test_nobody_without_a_home_is_told_what_to_set(tmp_path: Path) -> None:
    """A user without HOME and without an entry in the user database gets a hint, not a place of our choosing."""
    script = (
        f"import os, sys; sys.path[:] = {sys.path!r}; import keywright.config.load as c, keywright.errors as e\n"
        "import tomllib, difflib, pwd\n"
        "os.setuid(54321)\n"
        "try: c.load_config(environ={}, cwd='/')\n"
        "except e.ConfigError as error: print(error, error.hint, sep='; ')\n"
    )

    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd="/", check=True)

    assert run.stdout == "built-in defaults: the home directory is not known; set HOME, or configure a store\n"


def test_no_file_means_no_toml_parser(tmp_path: Path) -> None:
    """The TOML parser, the JSON module and the like are not loaded where there is nothing for them to do."""
    script = (
        f"import sys; sys.path[:] = {sys.path!r}; import keywright.config.load as c\n"
        f"c.load_config(environ={{'HOME': '/h'}}, cwd={str(tmp_path)!r})\n"
        "print(sorted({'tomllib', 'difflib', 'pathlib', 'json', 'logging', 'pwd'} & set(sys.modules)))\n"
    )

    run = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True)

    assert run.stdout == "[]\n"


def writing(data: bytes, mode: int = 0o644, owner: int = -1) -> Callable[[Path], None]:
    """A function that makes a path a file of these bytes, with this mode and owner."""

    def write(path: Path) -> None:
        path.write_bytes(data)
        path.chmod(mode)
        os.chown(path, owner, owner)

    return write


ABSENT = "does not exist; check the path, or create it with `keywright init`"
IRREGULAR = "is not a regular file; name one"
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away and be another user")


@cases(
    ("make", "rule"),
    {
        "nothing": (lambda path: None, ABSENT),
        "a link to nothing": (lambda path: path.symlink_to("gone"), ABSENT),
        "a directory": (Path.mkdir, IRREGULAR),
        "a pipe without a writer": (os.mkfifo, IRREGULAR),
        "a device": (lambda path: path.symlink_to("/dev/null"), IRREGULAR),
        "writable by everybody": (
            writing(STORE.encode(), 0o666),
            "is writable by all users; run `chmod o-w` on it",
        ),
        "of another user": pytest.param(
            writing(STORE.encode(), owner=65534),
            "belongs to another user, who could change it; use a file of your own, or one of root's",
            marks=ROOT,
        ),
        "over 1 MiB": (
            writing(STORE.encode().ljust(1_048_577, b"\n")),
            "is over 1 MiB, more than a configuration needs; shorten it",
        ),
        "no UTF-8": (writing(b'default_store = "\xff"'), "is not UTF-8; save it as UTF-8 text"),
    },
)
def test_what_is_no_sound_file_is_refused(
    tmp_path: Path, home: Path, make: Callable[[Path], object], rule: str
) -> None:
    """It is refused wherever it is: named, named by a variable, in the current directory, and as the user's own."""
    here, mine = tmp_path / "keywright.toml", home / ".config/keywright/keywright.toml"
    mine.parent.mkdir(parents=True)
    make(mine)
    if rule != ABSENT or mine.is_symlink():
        with refuses(ConfigError, f"{mine}: {rule}"):
            load_config(environ={"HOME": str(home)}, cwd=str(tmp_path))
    make(here)
    if rule != ABSENT or here.is_symlink():
        with refuses(ConfigError, f"{here}: {rule}"):
            load_config(environ={"HOME": "/h"}, cwd=str(tmp_path))
    for named, environ in ((str(here), {}), (None, {"KEYWRIGHT_CONFIG": "keywright.toml"})):
        with refuses(ConfigError, f"{here}: {rule}"):
            load_config(named, environ={"HOME": "/h", **environ}, cwd=str(tmp_path))


@cases("make", {"for the group": writing(STORE.encode(), 0o664), "1 MiB": writing(STORE.encode().ljust(1_048_576))})
def test_what_is_a_file_is_read(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """A file of exactly 1 MiB is read, and one that its group may write: `umask 002` is common."""
    make(tmp_path / "keywright.toml")

    assert load_config(environ={}, cwd=str(tmp_path)).default_store == "local"


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """A link to a link to a file."""
    written(tmp_path / "etc" / "real.toml")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "first.toml").symlink_to("../etc/real.toml")
    (tmp_path / "keywright.toml").symlink_to("links/first.toml")
    return tmp_path / "keywright.toml"


def test_relative_paths_start_where_the_file_is(tmp_path: Path, link: Path) -> None:
    """Links to the file are followed: anyone who links to it uses the same keys."""
    config = load_config(environ={}, cwd=str(tmp_path))

    assert (config.source, config.base) == (str(link), str(tmp_path / "etc"))


@ROOT
@pytest.mark.parametrize("foreign", ["keywright.toml", "links/first.toml"])
def test_a_link_of_another_user_is_refused(tmp_path: Path, link: Path, foreign: str) -> None:
    """Anyone who owns a link on the way chooses the file, be it root's."""
    os.chown(tmp_path / foreign, 65534, 65534, follow_symlinks=False)

    assert refusal(link) == (
        f"{link}: is a link that belongs to another user, who could change it; name the file that it leads to"
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


@cases(
    ("path", "shown"),
    {
        "below a file": ("/dev/null/x", "Not a directory"),
        "too long": ("/" + "a" * 300, "File name too long"),
        "NUL": ("/a\0b", "no path on this system"),
        "lone surrogate": ("/a\ud800", "no path on this system"),
        "breaks while it is read": pytest.param(
            "/proc/self/mem",
            "Input/output error",
            marks=pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="this system has no such file"),
        ),
    },
)
def test_a_path_that_cannot_be_read_is_refused(path: str, shown: str) -> None:
    """Any path that the system does not open or read is a configuration error with the system's reason."""
    assert refusal(path).endswith(f": cannot be read ({shown}); check the path and its permissions")


@ROOT
def test_roots_files_are_anybodys() -> None:
    """What root wrote, or linked to, is read by every user; a file without permission has the system's reason."""
    with TemporaryDirectory() as directory:
        closed, real, link = (Path(directory, name) for name in ("closed.toml", "real.toml", "link.toml"))
        Path(directory).chmod(0o755)
        writing(STORE.encode(), 0o600)(closed)
        writing(STORE.encode(), 0o644)(real)
        link.symlink_to("real.toml")
        os.seteuid(65534)
        try:
            sources = [load_config(str(path), environ={}).source for path in (real, link)]
            message = refusal(closed)
        finally:
            os.seteuid(0)

    assert sources == [str(real), str(link)]
    assert message == f"{closed}: cannot be read (Permission denied); check the path and its permissions"


def test_a_current_directory_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose current directory was removed gets a message, not a traceback."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with refuses(ConfigError, "the current directory does not exist any more; change to another"):
        load_config(environ={})
