"""Who reviews and observes what one ring does: plugins as installed, or as `[plugin.NAME]` configures them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from keywright.errors import ConfigError, KeywrightError, PluginError, PolicyError
from keywright.plugins.calls import call, guarded, sequence
from keywright.plugins.hooks import hook_manager, unfit_hook
from keywright.settings.model import Setting
from keywright.settings.values import check_options
from keywright.text import did_you_mean

if TYPE_CHECKING:
    import pluggy

    from keywright.config.load import Config
    from keywright.events import KeyEvent, ReviewRequest
    from keywright.protocols import InstalledNames

_NONE: Final[Mapping[str, object]] = {}


class Observers(NamedTuple):
    """The plugins that review and observe what one ring does.

    Attributes:
        manager: pluggy's, with the configured plugins in the place of those that were installed.
        configured: what the plugins with a `[plugin.NAME]` table returned for this ring, by the plugin's name.
        report: is called with one sentence for what went wrong and stopped nothing.
    """

    manager: pluggy.PluginManager
    configured: Mapping[str, object]
    report: Callable[[str], None]

    @property
    def listens(self) -> bool:
        """Whether any plugin reviews or observes."""
        hook = self.manager.hook
        return bool(hook.keywright_review.get_hookimpls() or hook.keywright_observe.get_hookimpls())

    def review(self, request: ReviewRequest) -> None:
        """Ask every plugin whether it objects.

        Raises:
            PolicyError: one objects, or one failed, so that its answer is unknown.
        """
        refusals = []
        for implementation in self.manager.hook.keywright_review.get_hookimpls():
            objections, failed = guarded(_objections, implementation, request)
            if failed:
                objections = f"its review failed with {failed}, and what is not reviewed is refused"
            if objections:
                refusals.append(f"by plugin {implementation.plugin_name!r}: {objections}")
        if refusals:
            raise PolicyError(f"{request.operation} of {request.name} is refused {'; and '.join(refusals)}")

    def observe(self, event: KeyEvent) -> None:
        """Report an event to every plugin. One that fails is passed to `report`, and the others still get it."""
        for implementation in self.manager.hook.keywright_observe.get_hookimpls():
            reason, failed = guarded(_failure_to_observe, implementation, event)
            if reason or failed:
                self.report(
                    f"plugin {implementation.plugin_name!r} could not note what happened ({event.operation} of "
                    f"{event.name}): {reason or failed}"
                )


def observers(
    manager: pluggy.PluginManager,
    config: Config | None,
    known: Callable[[], InstalledNames],
    failures: Callable[[], Sequence[object]],
    report: Callable[[str], None],
) -> Observers:
    """The observers of a ring over `config`; without one, the plugins as they are installed.

    `known` and `failures` (of plugins that did not load, for the message) are asked for only where a plugin is
    configured.

    Raises:
        ConfigError: a table is of no plugin that has settings, or a setting is wrong.
        PluginError: a plugin failed while it was configured, or returned what does not fit the hooks.
    """
    if config is None or not config.plugin:
        return Observers(manager, _NONE, report)
    configured = _configured(manager, config, known(), failures)
    if not configured:
        return Observers(manager, configured, report)
    own = hook_manager()
    for name, plugin in manager.list_name_plugin():
        own.register(configured.get(name, plugin), name)
        misfit = unfit_hook(own, configured.get(name, plugin))
        if misfit:
            raise PluginError(f"plugin {name!r} returned an object from keywright_configure that {misfit}")
    return Observers(own, configured, report)


def settings_of(plugin: object) -> Sequence[Setting]:
    """What a plugin lets people set in its `[plugin.NAME]` table."""
    return cast("Sequence[Setting]", getattr(plugin, "SETTINGS", ()))


def _configured(
    manager: pluggy.PluginManager, config: Config, known: InstalledNames, failures: Callable[[], Sequence[object]]
) -> Mapping[str, object]:
    implementations = {one.plugin_name: one for one in manager.hook.keywright_configure.get_hookimpls()}
    for name, table in config.plugin.items():
        if name not in implementations:
            # A policy that was asked for and is not installed must not be left out silently.
            failed = "".join(f". {failure}" for failure in failures())
            there_are = ", ".join(sorted(implementations)) or "none"
            raise ConfigError(
                f"{table.source}: {table.path} is of no plugin that has settings{did_you_mean(name, implementations)}",
                hint=f"available: {there_are}{failed}",
            )
    configured: dict[str, object] = {}
    for name, table in config.plugin.items():
        implementation = implementations[name]
        path, source = table.path, config.source
        options = check_options(
            table.given, settings_of(implementation.plugin), owner=f"plugin {name!r}", path=path, source=source
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
            f"plugin {name!r} failed in keywright_configure with {failure}", hint="report it to its author"
        )
    return configured


def _failure_to_observe(implementation: pluggy.HookImpl, event: KeyEvent) -> str:
    """Why an observer could not do its part, in its own words; `""` if it could. Raises: whatever else it raises."""
    try:
        call(implementation, event)
    except KeywrightError as error:
        return " ".join(error.text.split())
    return ""


def _objections(implementation: pluggy.HookImpl, request: ReviewRequest) -> str:
    """What a plugin objects, on one line; `""` for `()`, `[]` and None alone."""
    returned = call(implementation, request)
    if returned is None:
        return ""
    objections = sequence(returned)
    if not objections:
        return ""
    sentences = [" ".join(str(objection).split()) for objection in objections]
    return "; ".join(sentence for sentence in sentences if sentence) or "it objects without a word"
