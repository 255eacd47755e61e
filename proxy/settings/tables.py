"""What must hold inside a setting that is a table.

Each mistake comes with the way to it, so that it can be told with its own line of the file. What names there are of limits and causes is read from
`proxy.facts` when a table names one: most configurations do not, and a start should not wait for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_args, get_origin, get_type_hints, is_typeddict

from proxy.settings.checks import grant_mistake
from proxy.settings.conversion import CONTROL, Wrong, converted
from proxy.settings.fields import did_you_mean, dotted, field_of, kind_of, nearest_names, printable
from proxy.settings.kinds import MASK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from proxy.settings.fields import Field

_CLOSING: Final = {"send", "grant", "application"}
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{16}")


class Complaint(NamedTuple):
    """Something in a table cannot be used.

    Attributes:
        keys: The way from the setting to it.
        what: In words that continue its name.
        is_masked: Its name may be a secret that somebody has put in the wrong place.
    """

    keys: tuple[str, ...]
    what: str
    is_masked: bool = False

    @property
    def shown(self) -> tuple[str, ...]:
        """The way to it as it may be told."""
        return (MASK,) if self.is_masked else self.keys


class _Rules(NamedTuple):
    """What must hold in one kind of table, beyond the types of its values.

    Attributes:
        name: What is wrong with a name, if anything.
        pair: What is wrong with a name and its value, each right in itself.
        whole: What is wrong between the names of a table.
        masks: A name that is wrong is not told.
    """

    name: Callable[[str], str | None]
    pair: Callable[[str, Any], str | None] = lambda _name, _value: None
    whole: Callable[[Iterable[str]], Iterable[Complaint]] = lambda _names: ()
    masks: bool = False


def complaints(field: Field, table: Mapping[str, object]) -> list[Complaint]:
    """Return all that is wrong in the value of a setting."""
    rules = _RULES[field.rules]
    value_type = get_args(_table_type(field))[1]
    entries = (_of_entry(name, value, value_type, rules) for name, value in table.items())
    return [*chain.from_iterable(entries), *rules.whole(table)]


def _table_type(field: Field) -> object:
    """Return the type of a setting's table, which may stand beside words."""
    whole = get_args(field.type)[0]
    return next(part for part in get_args(whole) if get_origin(part) is Mapping) if field.choices else whole


def _of_entry(name: str, value: object, value_type: Any, rules: _Rules) -> list[Complaint]:  # noqa: ANN401  an annotation
    if printable(name) != name:
        return [Complaint((name,), CONTROL, rules.masks)]
    if what := rules.name(name):
        return [Complaint((name,), what, rules.masks)]
    found = list(_of_table(name, value, value_type) if is_typeddict(value_type) else _of_value((name,), value, field_of(value_type)))
    what = None if found else rules.pair(name, value)
    return [Complaint((name,), what)] if what else found


def _of_value(keys: tuple[str, ...], value: object, field: Field) -> Iterator[Complaint]:
    right = converted(value, field, is_text=False)
    if isinstance(right, Wrong):
        yield Complaint(keys, right.what)


def _of_table(name: str, table: object, table_type: type) -> Iterator[Complaint]:
    fields = {key: field_of(annotation) for key, annotation in get_type_hints(table_type, include_extras=True).items()}
    allowed = f"; allowed {{ {', '.join(f'{key} = {field.allowed}' for key, field in fields.items())} }}"
    if not isinstance(table, dict) or not table:
        yield Complaint((name,), f"got {'an empty table' if table == {} else kind_of(table)}{allowed}")
        return
    for key, value in table.items():
        if key in fields:
            yield from _of_value((name, key), value, fields[key])
        else:
            yield Complaint((name, key), f"unknown key; allowed {', '.join(fields)}{did_you_mean(nearest_names(key, fields))}")


@cache
def _limits() -> dict[str, dict[str, Any]]:
    from proxy import facts  # noqa: PLC0415  as the module says

    return {row["name"]: row for row in facts.load("limits")["limit"]}


def _limit_mistake(name: str) -> str | None:
    return _unknown("limit", name, list(_limits()))


def _override_mistake(name: str, override: Mapping[str, object]) -> str | None:
    """Complain about numbers that a limit does not take, in the words of those who will read them."""
    from proxy import facts  # noqa: PLC0415  as the module says
    from proxy.core.limits import Tuning, read_limits  # noqa: PLC0415  the same

    try:
        read_limits([_limits()[name]], facts.load("routes")["families"], facts.load("sources"), Tuning(overrides={name: override}))
    except ValueError as wrong:
        return str(wrong).partition(": ")[2]
    return None


@cache
def _causes() -> list[str]:
    from proxy import facts  # noqa: PLC0415  as the module says

    rows = [row for row in facts.load("windows")["window"] if not _CLOSING.isdisjoint(row)]
    return sorted({cause for row in rows for cause in row["causes"]})


def _cause_mistake(name: str) -> str | None:
    return _unknown("cause of throttling", name, _causes())


def _unknown(kind: str, name: str, names: list[str]) -> str | None:
    return None if name in names else f"unknown {kind}; allowed {', '.join(names)}{did_you_mean(nearest_names(name, names))}"


def _fingerprint_mistake(name: str) -> str | None:
    return None if _FINGERPRINT.fullmatch(name) else "is no fingerprint; allowed the first 16 hex digits of a credential's SHA-256, in lower case"


def _alias_mistake(name: str, grant: str) -> str | None:
    return "means itself" if _folded(name) == _folded(grant) else None


def _spelt_twice(names: Iterable[str]) -> Iterator[Complaint]:
    first: dict[bytes, str] = {}
    for name in names:
        if (other := first.setdefault(_folded(name), name)) != name:
            yield Complaint((name,), f"is another spelling of {dotted([other])}")


def _folded(name: str) -> bytes:
    from proxy.core.identity import folded  # noqa: PLC0415  it loads a library of hashes

    return folded(name.encode())


_RULES: Final = {
    "providers": _Rules(grant_mistake, whole=_spelt_twice),
    "applications": _Rules(_fingerprint_mistake, masks=True),
    "aliases": _Rules(grant_mistake, _alias_mistake, _spelt_twice),
    "overrides": _Rules(_limit_mistake, _override_mistake),
    "causes": _Rules(_cause_mistake),
}
