"""Which statements seal a clone: the rules applied to the columns that the clone really has."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from psycopg2 import sql

from .seal_rules import CREDENTIAL, DELETE, EMPTY, KEEP, OUTWARD, RENEW, SET, Rule

TEXTS = ("text", "varchar", "bpchar")
HOLDERS = (*TEXTS, "bytea", "json", "jsonb")


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
    text: sql.Composable


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


def plan(
    columns: Iterable[Column], book: RuleBook, identity: str, source_uuid: str
) -> tuple[list[Statement], list[Column]]:
    """Return the statements to run, and the columns that look like credentials to no rule."""
    claimed: dict[str, dict[str, list[Column]]] = defaultdict(lambda: defaultdict(list))
    tables: dict[str, set[str]] = defaultdict(set)
    unclaimed = []
    for column in columns:
        tables[column.table].add(column.name)
        rule = book.of(column)
        if rule is not None:
            claimed[rule.key][column.table].append(column)
        elif column.type in HOLDERS and re.search(f"{CREDENTIAL}|{OUTWARD}", column.name):
            unclaimed.append(column)
    values = {"identity": sql.Literal(identity), "source_uuid": sql.Literal(source_uuid)}
    statements = []
    for rule in book.rules:
        if rule.action in (EMPTY, RENEW):
            for table, found in claimed[rule.key].items():
                statements.append(Statement(rule, table, _of_columns(rule, table, found)))
        elif rule.action != KEEP and tables.get(rule.table, set()) >= set(rule.columns.split()):
            if rule.table in tables:
                statements.append(Statement(rule, rule.table, _of_rows(rule, values)))
    return statements, unclaimed


def _of_rows(rule: Rule, values: dict[str, sql.Composable]) -> sql.Composable:
    where = sql.SQL(f" WHERE {rule.where}" if rule.where else "").format(**values)
    if rule.action == DELETE:
        return sql.SQL("DELETE FROM {}").format(sql.Identifier(rule.table)) + where
    assignments = sql.SQL(rule.assign).format(**values)
    return sql.SQL("UPDATE {} SET {}").format(sql.Identifier(rule.table), assignments) + where


def _of_columns(rule: Rule, table: str, columns: list[Column]) -> sql.Composable:
    names = [sql.Identifier(column.name) for column in columns]
    values = [_value(rule, column) for column in columns]
    return sql.SQL("UPDATE {} SET {} WHERE {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(
            sql.SQL("{} = {}").format(name, value)
            for name, value in zip(names, values, strict=True)
        ),
        sql.SQL(" OR ").join(sql.SQL("{} IS NOT NULL").format(name) for name in names),
    )


def _value(rule: Rule, column: Column) -> sql.Composable:
    """Return what a column gets: nothing where it may be empty, else something nobody knows."""
    if rule.action == EMPTY and not column.required:
        return sql.SQL("NULL")
    if column.type in ("json", "jsonb"):
        return sql.SQL("'{{}}'").format()
    if column.type == "bytea":
        return sql.SQL("''")
    fresh = sql.SQL("gen_random_uuid()::text")
    if column.length and column.length < 36:
        fresh = sql.SQL("left(replace({}, '-', ''), {})").format(fresh, sql.Literal(column.length))
    if column.required:
        return fresh
    return sql.SQL("CASE WHEN {} IS NOT NULL THEN {} END").format(
        sql.Identifier(column.name), fresh
    )
