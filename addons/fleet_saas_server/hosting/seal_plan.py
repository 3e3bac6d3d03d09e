"""Which statements seal a clone: the rules applied to the columns that the clone really has."""

from __future__ import annotations

import functools
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from .seal_rules import CREDENTIAL, DELETE, EMPTY, KEEP, OUTWARD, RENEW, SET, Rule

TEXTS = ("text", "varchar", "bpchar")
HOLDERS = (*TEXTS, "bytea", "json", "jsonb")
SUSPICIOUS = re.compile(f"{CREDENTIAL}|{OUTWARD}")


@dataclass(frozen=True)
class Column:
    """A column that a rule or the search for unknown credentials is about.

    :param type: PostgreSQL's name of the type, ``varchar``
    :param length: the longest value in characters, None without a limit
    """

    table: str
    name: str
    type: str
    required: bool
    length: int | None

    @property
    def key(self) -> str:
        """Return ``table.column``."""
        return f"{self.table}.{self.name}"


@dataclass(frozen=True)
class Statement:
    """One change, the rule that asks for it, and its table."""

    rule: Rule
    table: str
    text: str


class RuleBook:
    """The rules by table, so that a column finds its own quickly.

    :param keep_logins: what people need to log in stays
    """

    def __init__(self, rules: Iterable[Rule], *, keep_logins: bool = False) -> None:
        self.rules = [
            replace(rule, action=KEEP) if keep_logins and rule.login else rule for rule in rules
        ]
        self._by_table: dict[str, list[Rule]] = defaultdict(list)
        for rule in self.rules:
            self._by_table[rule.table].append(rule)

    def of(self, column: Column) -> Rule | None:
        """Return the rule to which a column belongs: the first one that names it."""
        for rule in (*self._by_table.get(column.table, ()), *self._by_table["*"]):
            if _claims(rule, column):
                return rule
        return None

    def renews(self, column: Column) -> bool:
        """Tell whether a column gets new tokens, which can be compared with the source's."""
        rule = self.of(column)
        return rule is not None and rule.action == RENEW and column.type in TEXTS


def _claims(rule: Rule, column: Column) -> bool:
    if rule.action in (DELETE, SET):
        whole_table = rule.action == DELETE and not rule.where
        return whole_table or column.name in rule.columns.split()
    if column.type not in HOLDERS:
        return False
    # A plain word has to be the whole name.
    exact = rule.columns.isidentifier() or rule.action in (RENEW, KEEP)
    return bool((re.fullmatch if exact else re.search)(rule.columns, column.name))


@dataclass(frozen=True)
class Plan:
    """What to do to a database with these columns.

    :param statements: the changes, in order
    :param renewal: the statements that give new tokens, as one text
    :param batch: all of them as one text that leaves each count in ``fleet_seal.nNUMBER``
    :param renewed: the columns that get new tokens
    :param unclaimed: the columns that look like credentials to no rule
    """

    columns: tuple[Column, ...]
    statements: tuple[Statement, ...]
    batch: str
    renewal: str
    renewed: tuple[Column, ...]
    unclaimed: tuple[Column, ...]


@functools.lru_cache(maxsize=16)
def plan(columns: str, rules: tuple[Rule, ...], keep_logins: bool) -> Plan:
    """Return what the rules ask for in a database; made once for all clones of a template.

    :param columns: a JSON list of a list of `Column`'s values for each column
    """
    book = RuleBook(rules, keep_logins=keep_logins)
    found = tuple(Column(*each) for each in json.loads(columns))
    claimed: dict[str, dict[str, list[Column]]] = defaultdict(lambda: defaultdict(list))
    unclaimed = []
    for column in found:
        rule = book.of(column)
        if rule is not None:
            claimed[rule.key][column.table].append(column)
        elif column.type in HOLDERS and SUSPICIOUS.search(column.name):
            unclaimed.append(column)
    statements = tuple(_statements(book, found, claimed))
    return Plan(
        columns=found,
        statements=statements,
        batch=";\n".join(_counted(number, each) for number, each in enumerate(statements)),
        renewal=";\n".join(each.text for each in statements if each.rule.action == RENEW),
        renewed=tuple(column for column in found if book.renews(column)),
        unclaimed=tuple(unclaimed),
    )


def _statements(
    book: RuleBook, columns: Iterable[Column], claimed: dict[str, dict[str, list[Column]]]
) -> Iterator[Statement]:
    tables: dict[str, set[str]] = defaultdict(set)
    for column in columns:
        tables[column.table].add(column.name)
    for rule in book.rules:
        if rule.action in (EMPTY, RENEW):
            for table, found in claimed[rule.key].items():
                yield Statement(rule, table, _of_columns(rule, table, found))
        elif rule.action != KEEP and rule.table in tables:
            if tables[rule.table].issuperset(rule.columns.split()):
                yield Statement(rule, rule.table, _of_rows(rule))


def _counted(number: int, statement: Statement) -> str:
    """Return a statement whose count waits in a setting: psycopg2 gives the last result only."""
    return (
        f"WITH done AS ({statement.text} RETURNING 1) "
        f"SELECT set_config('fleet_seal.n{number}', count(*)::text, true) FROM done"
    )


def _of_rows(rule: Rule) -> str:
    where = f" WHERE {rule.where}" if rule.where else ""
    if rule.action == DELETE:
        return f"DELETE FROM {quoted(rule.table)}{where}"
    return f"UPDATE {quoted(rule.table)} SET {rule.assign}{where}"


def _of_columns(rule: Rule, table: str, columns: list[Column]) -> str:
    changes = ", ".join(f"{quoted(column.name)} = {_value(rule, column)}" for column in columns)
    filled = " OR ".join(f"{quoted(column.name)} IS NOT NULL" for column in columns)
    return f"UPDATE {quoted(table)} SET {changes} WHERE {filled}"


def _value(rule: Rule, column: Column) -> str:
    """Return what a column gets: nothing where it may be empty, else something nobody knows."""
    if rule.action == EMPTY and not column.required:
        return "NULL"
    if column.type in ("json", "jsonb"):
        return "'{}'"
    if column.type == "bytea":
        return "''"
    fresh = "gen_random_uuid()::text"
    if column.length and column.length < 36:
        fresh = f"left(replace({fresh}, '-', ''), {column.length})"
    if column.required:
        return fresh
    return f"CASE WHEN {quoted(column.name)} IS NOT NULL THEN {fresh} END"


def quoted(name: str) -> str:
    """Return an identifier as ``psycopg2.sql.Identifier`` writes it, without a connection."""
    return '"' + name.replace('"', '""') + '"'
