"""Where the configuration file is, and reading it safely."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, final

from keywright.errors import ConfigError
from keywright.secret import shown_name

if TYPE_CHECKING:
    from keywright.settings.model import RawValue

CONFIG_NAME: Final = "keywright.toml"


def find_config(
    path: str | None = None, *, environ: Mapping[str, str] | None = None, cwd: str | None = None
) -> str | None:
    """The absolute path of the file that would be read, or None: the built-in defaults hold.

    `path` (`--config`), else `$KEYWRIGHT_CONFIG` (empty counts as unset), else `keywright.toml` in `cwd` or above it
    up to the repository root (where `.git` is; outside a repository: in `cwd` only), else
    `keywright/keywright.toml` in `$XDG_CONFIG_HOME` (`~/.config`). A file that is named outright is returned
    whether or not it is there.

    Raises:
        ConfigError: the current directory is needed and gone.
    """
    environ = Environment(os.environ if environ is None else environ)
    cwd = working_directory() if cwd is None else cwd
    named = environ.get("KEYWRIGHT_CONFIG") if path is None else path
    if named or path is not None:
        return os.path.join(cwd, named or "")
    return _above(cwd) or _of_user(environ)


def _above(directory: str) -> str | None:
    candidate = os.path.join(directory, CONFIG_NAME)
    if os.path.lexists(candidate):
        return candidate
    found: str | None = None
    while True:
        candidate = os.path.join(directory, CONFIG_NAME)
        if found is None and os.path.lexists(candidate):
            found = candidate
        if os.path.lexists(os.path.join(directory, ".git")):
            return found
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent


def _of_user(environ: Environment) -> str | None:
    directory = user_directory("XDG_CONFIG_HOME", ".config", environ)
    candidate = directory and os.path.join(directory, "keywright", CONFIG_NAME)
    return candidate if candidate and os.path.lexists(candidate) else None


def user_directory(variable: str, default: str, environ: Environment) -> str | None:
    """`$variable`, else `default` in the home directory; None where no home directory is known.

    A relative path in either variable is ignored (XDG Base Directory Specification 0.8, "Basics").
    """
    directory = environ.get(variable, "")
    if os.path.isabs(directory):
        return directory
    home = environ.get("HOME", "")
    if not os.path.isabs(home):
        home = _home_by_user_database()
    return os.path.join(home, default) if os.path.isabs(home) else None


def _home_by_user_database() -> str:
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_dir
    except (ImportError, KeyError):
        return ""


def working_directory() -> str:
    """The current directory.

    Raises:
        ConfigError: it is gone.
    """
    try:
        return os.getcwd()
    except OSError:
        raise ConfigError("the current directory does not exist any more", hint="change to another") from None


@final
class Environment(Mapping[str, str]):
    """Environment variables by name. Its `repr` shows none.

    Keys are kept in variables too, and a traceback with locals would otherwise print every one of them.
    """

    __slots__ = ("_variables",)

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> str:
        return self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        return "<environment>"


_MAXIMUM_BYTES: Final = 1_048_576
_MOST_LINKS: Final = 41  # Linux follows 40


class _Fault(NamedTuple):
    """What is wrong with a file, and what to do; returned and not raised while a frame has the text of the file."""

    rule: str
    hint: str
    place: str = ""  # `:LINE:COLUMN`


_UNSAFE: Final = {
    "kind": _Fault("is not a regular file", "name one"),
    "owner": _Fault("belongs to another user, who could change it", "use a file of your own, or one of root's"),
    "mode": _Fault("is writable by all users", "run `chmod o-w` on it"),
}
# Messages of tomllib that quote nothing of the file.
_TOML_REASONS: Final = frozenset(
    (
        "Expected '=' after a key in a key/value pair", "Expected ']' at the end of a table declaration",
        "Expected ']]' at the end of an array declaration", "Expected newline or end of document after a statement",
        "Invalid date or datetime", "Invalid initial character for a key part", "Invalid statement", "Invalid value",
        "Unclosed array", "Unclosed inline table", "Unescaped '\\' in a string", "Unterminated string",
    )
)  # fmt: skip
_PLACE: Final = r"\(at line ([0-9]+), column ([0-9]+)\)\Z"


def read_config(path: str) -> RawValue:
    """The whole file at `path` as one table, relative paths in it starting from its directory, links followed.

    Raises:
        ConfigError: the file is not there, not to be read, no regular file, neither mine nor root's or by a link
            that is neither, writable by everybody, over 1 MiB, not UTF-8 or not TOML 1.0. The message quotes nothing
            of the file.
    """
    from keywright.settings.model import RawValue  # a command without a configuration file does not need it

    document = _parsed(path)
    if isinstance(document, _Fault):
        shown = path if os.path.lexists(path) else shown_name(path)
        raise ConfigError(f"{shown}{document.place}: {document.rule}", hint=document.hint)
    return RawValue(document, "", path, os.path.dirname(os.path.realpath(path)))


def _parsed(path: str) -> dict[str, object] | _Fault:
    """The document, or what is wrong: the error is raised where no frame holds the text of the file."""
    data = _bytes_of(path)
    if isinstance(data, _Fault):
        return data
    import tomllib

    try:
        return tomllib.loads(data.decode("utf-8-sig"))  # Windows editors put a byte order mark first
    except UnicodeDecodeError:
        return _Fault("is not UTF-8", "save it as UTF-8 text")
    except RecursionError:
        return _Fault("is nested too deeply", "a configuration has tables in tables, three deep")
    except ValueError as error:
        return _syntax_rule(str(error))


def _syntax_rule(message: str) -> _Fault:
    place = re.search(_PLACE, message)
    if place is None and "(at end of document)" not in message:
        return _Fault("has a number that is too long", "shorten it")  # Python's own limit, which tomllib lets through
    where = f":{place[1]}:{place[2]}" if place else ""
    if message.startswith(("Cannot ", "Duplicate ")):
        return _Fault("invalid TOML: a key or table is given twice", "keep one of them", where)
    reason = message.partition(" (at ")[0]
    # Other messages quote what is in the file.
    what = f": {reason[0].lower()}{reason[1:]}" if reason in _TOML_REASONS else ""
    return _Fault(f"invalid TOML{what}", "check the quotes and brackets there", where)


def _bytes_of(path: str) -> bytes | _Fault:
    from keywright.files import unsafe  # a command without a configuration file does not need it

    # Not blocking, or a FIFO by that name would stop the program before anybody could look at it.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return _Fault("does not exist", "check the path, or create it with `keywright init`")
    except (OSError, ValueError) as error:
        return _unreadable(error)
    try:
        reason = unsafe(os.fstat(descriptor), regular=True, forbidden=stat.S_IWOTH)
        rule = _unsafe_link(path) if reason is None else _UNSAFE[reason]
        if rule is not None:
            return rule
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(_MAXIMUM_BYTES + 1)
    except OSError as error:
        return _unreadable(error)
    finally:
        os.close(descriptor)
    return (
        data if len(data) <= _MAXIMUM_BYTES else _Fault("is over 1 MiB, more than a configuration needs", "shorten it")
    )


def _unreadable(error: Exception) -> _Fault:
    reason = error.strerror if isinstance(error, OSError) else "no path on this system"
    return _Fault(f"cannot be read ({reason})", "check the path and its permissions")


def _unsafe_link(path: str) -> _Fault | None:
    """What is wrong with the links that `path` is, one leading to the next."""
    from keywright.files import unsafe

    for _ in range(_MOST_LINKS):
        link = os.lstat(path)
        if os.name != "posix" or not stat.S_ISLNK(link.st_mode):
            return None
        if unsafe(link, forbidden=0):
            return _Fault(
                "is a link that belongs to another user, who could change it", "name the file that it leads to"
            )
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    return _Fault("is a link to more links than a path needs", "name the file that it leads to")
