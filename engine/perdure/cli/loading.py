"""From `MODULE[:ENGINE]` to an engine that knows its workflows."""

import importlib
import sys
import traceback
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from types import ModuleType

from perdure import settings
from perdure.engine import Engine
from perdure.errors import ConfigurationError

from .opening import chosen_url


def load(target: str | None, *, imports: Sequence[str], database_url: str | None) -> Engine:
    """The engine that `target` names, with all modules imported.

    `database_url` makes an engine of its own on that database, so that it does not
    go with a named one.

    Raises:
        ConfigurationError: a module or an engine is not there, or which one is
            meant is not clear, or no module defines a workflow.
    """
    target = target or settings.project().get("engine")
    if not target and not imports:
        raise ConfigurationError(
            "no module is named: run  perdure worker MODULE[:ENGINE]  or put  "
            'engine = "shop:engine"  under [tool.perdure] in pyproject.toml'
        )
    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)
    module_name, _, attribute = (target or "").partition(":")
    modules = [_import(name) for name in (module_name, *imports) if name]
    engine = _engine(modules[0] if module_name else None, attribute, database_url)
    if not engine.serving():
        names = ", ".join(module.__name__ for module in modules)
        raise ConfigurationError(
            f"imported {names}, found no @workflow: name the module that defines it, "
            f"or add it with --import"
        )
    return engine


def _import(name: str) -> ModuleType:
    if name.endswith(".py") or "/" in name:
        module = name.removesuffix(".py").replace("/", ".").strip(".")
        raise ConfigurationError(f"{name} is a file: give the module's name, {module}")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigurationError(
                f"there is no module {name!r} in {Path.cwd()} or on sys.path"
            ) from error
        raise _unimportable(name, error) from error
    except Exception as error:
        raise _unimportable(name, error) from error


def _unimportable(name: str, error: Exception) -> ConfigurationError:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return ConfigurationError(
        f"importing {name} failed: {type(error).__name__}: {error} "
        f"({last.filename}, line {last.lineno})"
    )


def _engine(module: ModuleType | None, attribute: str, database_url: str | None) -> Engine:
    if attribute and module is not None:
        if database_url is not None:
            raise ConfigurationError(
                f"{module.__name__}:{attribute} has a database of its own: "
                f"give -d or an engine, not both"
            )
        return _named(module, attribute)
    found = _engines(module) if module is not None and database_url is None else {}
    if len(found) > 1:
        choices = ", ".join(f"{module.__name__}:{name}" for name in found) if module else ""
        raise ConfigurationError(f"there are several engines: choose one of {choices}")
    return next(iter(found.values()), None) or Engine(chosen_url(database_url))


def _named(module: ModuleType, attribute: str) -> Engine:
    try:
        found: object = attrgetter(attribute)(module)
    except AttributeError:
        others = ", ".join(f"{module.__name__}:{name}" for name in _engines(module)) or "none"
        raise ConfigurationError(
            f"{module.__name__} has no {attribute}; its engines: {others}"
        ) from None
    made = found() if callable(found) else found
    if not isinstance(made, Engine):
        raise ConfigurationError(
            f"{module.__name__}:{attribute} must be a perdure.Engine or a function that "
            f"returns one, not {made!r}"
        )
    return made


def _engines(module: ModuleType) -> dict[str, Engine]:
    """The module's engines; one under two names counts once, under the first."""
    found: dict[int, tuple[str, Engine]] = {}
    for name, value in vars(module).items():
        if isinstance(value, Engine):
            found.setdefault(id(value), (name, value))
    return dict(found.values())
