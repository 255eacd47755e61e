"""Where settings come from: the built-in defaults, over them a TOML file, over that the environment.

Every value is converted on its own, so that all mistakes are found at once. A mistake is one line: where it stands, which setting, what is
wrong, what is allowed, which valid name is nearest. Values of secret settings are never part of one.

Variables are named `NYLAS_PROXY__SECTION__KEY`, in capitals; none sets a table. One with that prefix, in whatever case, that names no setting is a
mistake; names with single underscores only are not ours to judge, since Kubernetes makes `NYLAS_PROXY_PORT` and the like for a Service `nylas-proxy`.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from proxy.settings.contradictions import contradictions
from proxy.settings.conversion import Wrong, converted
from proxy.settings.fields import FIELDS, SECTIONS, TABLES, VARIABLE_PREFIX, VARIABLES, Name, did_you_mean, dotted, kind_of, nearest_names, printable
from proxy.settings.tables import complaints
from proxy.settings.toml_file import TomlFile, read_toml
from proxy.settings.values import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_SHORT_PREFIX: Final = "NYLAS_PROXY_"
FILE_VARIABLE: Final = "NYLAS_PROXY_CONFIG"


class SettingsError(Exception):
    """The settings cannot be used.

    Attributes:
        mistakes: All that is wrong, one line each; without a secret.
    """

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class Loaded(NamedTuple):
    """Settings, and the source of each that is not a default: `FILE:LINE` or a variable's name."""

    settings: Settings
    sources: dict[Name, str]


class _Given(NamedTuple):
    """A value that somebody has set, not yet looked at.

    Attributes:
        name: Section and key, both known.
        value: As tomllib or the environment gave it.
        source: `FILE:LINE` or a variable's name.
        is_variable: Numbers and switches are written as text, and the source names the setting.
    """

    name: Name
    value: object
    source: str
    is_variable: bool

    def mistake(self, what: str) -> str:
        """One line that says where, which setting, and `what`."""
        return f"{self.source}: {what}" if self.is_variable else f"{self.source}: {'.'.join(self.name)}: {what}"


def load(config: Path | None, environ: Mapping[str, str]) -> Settings:
    """Return the settings in force.

    Args:
        config: The file to read; None takes the one that NYLAS_PROXY_CONFIG names, if any.
        environ: The environment; its values win over the file's.

    Raises:
        SettingsError: Something is wrong, be it with a value that another one overrides.
    """
    return read(config, environ).settings


def read(config: Path | None, environ: Mapping[str, str]) -> Loaded:
    """Do what `load` does, and tell the sources as well."""
    values: dict[Name, object] = {}
    givens: dict[Name, _Given] = {}
    mistakes: list[str] = []
    wrong: set[Name] = set()
    for given in chain(_from_file(config, environ), _from_environment(environ)):
        if isinstance(given, str):
            mistakes.append(given)
            continue
        value = converted(given.value, FIELDS[given.name], is_text=given.is_variable)
        if isinstance(value, Wrong):
            mistakes.append(given.mistake(value.what))
            wrong.add(given.name)
        else:
            values[given.name], givens[given.name] = value, given
    settings = _assembled(values)
    # Of a value that is wrong in itself, nothing more is said.
    found = (one for one in contradictions(settings) if wrong.isdisjoint(one.settings))
    mistakes += [givens[next(name for name in one.settings if name in givens)].mistake(one.what) for one in found]
    if mistakes:
        raise SettingsError(mistakes)
    return Loaded(settings, {name: given.source for name, given in givens.items()})


def _from_file(config: Path | None, environ: Mapping[str, str]) -> Iterator[_Given | str]:
    """Yield what the file sets, and its mistakes as text."""
    named = environ.get(FILE_VARIABLE, "")
    if config is None and not named:
        return
    path = config or Path(named)
    shown_path = printable(str(path))
    match read_toml(path):
        case str(what):
            yield f"{shown_path}{what}" + (f"; {FILE_VARIABLE} names this file" if config is None else "")
        case TomlFile() as file:
            yield from _from_document(file, shown_path)


def _from_document(file: TomlFile, shown_path: str) -> Iterator[_Given | str]:
    for section, table in file.document.items():
        source = f"{shown_path}:{file.lines[section,]}"
        if section not in SECTIONS:
            yield f"{source}: {printable(section)}: unknown section; allowed {', '.join(SECTIONS)}{_hint(section, SECTIONS)}"
        elif isinstance(table, dict):
            yield from _from_table(section, table, file.lines, shown_path)
        else:
            yield f"{source}: {section}: got {kind_of(table)}; allowed a table [{section}]"


def _from_table(section: str, table: dict[str, object], lines: dict[tuple[str, ...], int], shown_path: str) -> Iterator[_Given | str]:
    known = [key for owner, key in FIELDS if owner == section]
    for key, value in table.items():
        source = f"{shown_path}:{lines[section, key]}"
        if key in known and FIELDS[section, key].rules and isinstance(value, dict) and (wrong := complaints(FIELDS[section, key], value)):
            yield from (f"{shown_path}:{lines[section, key, *one.keys]}: {dotted((section, key, *one.shown))}: {one.what}" for one in wrong)
        elif key in known:
            yield _Given((section, key), value, source, is_variable=False)
        else:
            yield f"{source}: {section}.{printable(key)}: unknown key; allowed {', '.join(known)}{_hint(key, known)}"


def _hint(name: str, names: Iterable[str]) -> str:
    """Name the setting of another section that is called exactly so, else the nearest of `names`."""
    elsewhere = [".".join(setting) for setting in FIELDS if setting[1] == name]
    return did_you_mean(elsewhere or nearest_names(name, names))


def _from_environment(environ: Mapping[str, str]) -> Iterator[_Given | str]:
    """Yield what variables set, in the order of their names, and what those with our prefix do not."""
    for variable in sorted(environ):
        if variable in VARIABLES and VARIABLES[variable] not in TABLES:
            yield _Given(VARIABLES[variable], environ[variable], variable, is_variable=True)
        elif variable.upper().startswith(VARIABLE_PREFIX) or _lacks_an_underscore(variable):
            yield f"{printable(variable)}: {_unknown_variable(variable)}"


def _lacks_an_underscore(variable: str) -> bool:
    """NYLAS_PROXY_UPSTREAM__REGION: meant for us, and no name that Kubernetes makes, which have single underscores only."""
    start, _, rest = variable.upper().partition(_SHORT_PREFIX)
    return not start and "__" in rest


def _is_in(words: str, table: Name, *, is_whole: bool) -> bool:
    """Tell whether a variable's words name something in a table or, where a variable sets nothing of it at all (`is_whole`), the table."""
    return f"{words}{'__' if is_whole else ''}".startswith("__".join((*table, "")).upper())


def _unknown_variable(variable: str) -> str:
    # Without the prefix, which would make every name look like every other.
    words = variable.upper().removeprefix(_SHORT_PREFIX).lstrip("_")
    if table := next((name for name, field in FIELDS.items() if field.rules and _is_in(words, name, is_whole=not field.choices)), None):
        return f"is a table, which only the file can hold; allowed [{dotted(table)}] there"
    section, _, key = words.partition("__")
    known = [name.removeprefix(VARIABLE_PREFIX) for name, setting in VARIABLES.items() if setting not in TABLES]
    keys = [name.partition("__")[2] for name in known if name.startswith(f"{section}__")]
    sections = dict.fromkeys(name.partition("__")[0] for name in known)
    allowed = f"{section}__ and {', '.join(keys)}" if keys else f"SECTION__KEY, sections {', '.join(sections)}"
    elsewhere = [name for name in known if name.partition("__")[2] in {words, key}]
    nearest = [words] if words in known else elsewhere or nearest_names(words, known)
    return f"unknown variable; allowed {VARIABLE_PREFIX}{allowed}{did_you_mean([f'{VARIABLE_PREFIX}{name}' for name in nearest])}"


def _assembled(values: dict[Name, object]) -> Settings:
    """Put converted values into their sections, defaults into the gaps."""
    sections = {section: {key: value for (owner, key), value in values.items() if owner == section} for section in SECTIONS}
    return Settings(**{section: SECTIONS[section](**given) for section, given in sections.items()})
