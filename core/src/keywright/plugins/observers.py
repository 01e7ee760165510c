"""Who reviews and observes what one ring does: plugins as installed, or as `[plugin.NAME]` configures them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from keywright.errors import ConfigError, KeywrightError, PluginError, PolicyError
from keywright.plugins.calls import call, guarded, sequence
from keywright.plugins.hooks import hook_manager, implementations, unfit_hook
from keywright.protocols import Problem
from keywright.settings.model import Setting
from keywright.settings.values import check_options
from keywright.text import did_you_mean

if TYPE_CHECKING:
    import pluggy

    from keywright.config.load import Config
    from keywright.events import KeyEvent, ReviewRequest
    from keywright.protocols import InstalledNames

_HEARD: Final = frozenset(("keywright_review", "keywright_observe"))
_NONE: Final[Mapping[str, object]] = {}


class Observers(NamedTuple):
    """The plugins that review and observe what one ring does.

    Attributes:
        manager: pluggy's, with the configured plugins in the place of those that were installed; None if no plugin
            reviews or observes.
        configured: what the plugins with a `[plugin.NAME]` table returned for this ring, by the plugin's name.
        report: is called with one sentence for what went wrong and stopped nothing.
    """

    manager: pluggy.PluginManager | None
    configured: Mapping[str, object]
    report: Callable[[str], None]

    @property
    def listens(self) -> bool:
        """Whether any plugin reviews or observes."""
        return self.manager is not None

    def review(self, request: ReviewRequest) -> None:
        """Ask every plugin whether it objects.

        Raises:
            PolicyError: one objects, or one failed, so that its answer is unknown.
        """
        refusals: list[str] = []
        hints: dict[str, None] = {}
        for implementation in () if self.manager is None else self.manager.hook.keywright_review.get_hookimpls():
            found, failed = guarded(_objections, implementation, request)
            objections = [(f"its review failed with {failed}", "")] if failed else found
            if objections:
                sentences = "; ".join(message for message, _ in objections)
                refusals.append(f"by plugin {implementation.plugin_name!r}: {sentences}")
                hints.update(dict.fromkeys(hint for _, hint in objections if hint))
        if refusals:
            sentence = f"{request.operation} of {request.name} is refused {'; and '.join(refusals)}"
            raise PolicyError(sentence, hint="; ".join(hints) or None)

    def observe(self, event: KeyEvent) -> None:
        """Report an event to every plugin. One that fails is passed to `report`, and the others still get it."""
        for implementation in () if self.manager is None else self.manager.hook.keywright_observe.get_hookimpls():
            reason, failed = guarded(_failure_to_observe, implementation, event)
            if reason or failed:
                self.report(
                    f"plugin {implementation.plugin_name!r} did not record {event.operation} of {event.name}: "
                    f"{reason or failed}"
                )


def observers(
    plugins: Mapping[str, object],
    config: Config | None,
    known: Callable[[], InstalledNames],
    failures: Callable[[], Sequence[object]],
    report: Callable[[str], None],
) -> Observers:
    """The observers of a ring over `config` among `plugins`, by name; without one, the plugins as they are installed.

    `known` and `failures` (of plugins that did not load, for the message) are asked for only where a plugin is
    configured.

    Raises:
        ConfigError: a table is not the table of a plugin with settings, or a setting is wrong.
        PluginError: a plugin failed while it was configured, or returned what does not fit the hooks.
    """
    configured = _NONE if config is None or not config.plugin else _configured(plugins, config, known(), failures)
    for name, plugin in configured.items():
        misfit = unfit_hook(plugin)
        if misfit:
            raise PluginError(f"plugin {name!r} returned an object from keywright_configure that {misfit}")
    using = {name: configured.get(name, plugin) for name, plugin in plugins.items()}
    if not any(one.hook in _HEARD for plugin in using.values() for one in implementations(plugin)):
        return Observers(None, configured, report)
    manager = hook_manager()
    for name, plugin in using.items():
        manager.register(plugin, name)
    return Observers(manager, configured, report)


def settings_of(plugin: object) -> Sequence[Setting]:
    """What a plugin lets people set in its `[plugin.NAME]` table."""
    return cast("Sequence[Setting]", getattr(plugin, "SETTINGS", ()))


def _configured(
    plugins: Mapping[str, object], config: Config, known: InstalledNames, failures: Callable[[], Sequence[object]]
) -> Mapping[str, object]:
    hooks = {
        name: one
        for name, plugin in plugins.items()
        for one in implementations(plugin)
        if one.hook == "keywright_configure"
    }
    for name, table in config.plugin.items():
        if name not in hooks:
            # A policy that was asked for and is not installed must not be left out silently.
            failed = "".join(f". {failure}" for failure in failures())
            there_are = ", ".join(sorted(hooks)) or "none"
            raise ConfigError(
                f"{table.source}: {table.path} is not the table of a plugin with settings{did_you_mean(name, hooks)}",
                hint=f"available: {there_are}{failed}",
            )
    configured: dict[str, object] = {}
    for name, table in config.plugin.items():
        implementation = hooks[name]
        path, source = table.path, config.source
        options = check_options(
            table.given, settings_of(plugins[name]), owner=f"plugin {name!r}", path=path, source=source
        )
        arguments = {"options": options, "known": known}
        try:
            returned = implementation.function(*(arguments[name] for name in implementation.argnames))
        except ConfigError as error:
            raise error.prefixed(f"{source}: {path}: ") from None
        except Exception as error:  # noqa: BLE001  (its message could quote what it was given)
            failure = type(error).__name__
        else:
            if returned is not None:
                configured[name] = returned
            continue
        raise PluginError(
            f"plugin {name!r} failed in keywright_configure with {failure}", hint="report it to the plugin's author"
        )
    return configured


def _failure_to_observe(implementation: pluggy.HookImpl, event: KeyEvent) -> str:
    """Why an observer could not do its part, in its own words; `""` if it could. Raises: whatever else it raises."""
    try:
        call(implementation, event)
    except KeywrightError as error:
        return " ".join(error.text.split())
    return ""


def _objections(implementation: pluggy.HookImpl, request: ReviewRequest) -> list[tuple[str, str]]:
    """The messages and hints of what a plugin objects, each on one line; none for `()`, `[]` and None only."""
    returned = call(implementation, request)
    objections = () if returned is None else sequence(returned)
    found = []
    for one in objections:
        message, hint = (f"{one.subject}: {one.message}", one.hint) if isinstance(one, Problem) else (str(one), "")
        if message.strip():
            found.append((" ".join(message.split()), " ".join(hint.split())))
    return found or [("it gives no reason", "")] * bool(objections)
