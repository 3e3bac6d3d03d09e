"""Which columns hold secrets of the vault, and how all of them get its first key.

A model of any addon says by itself what it keeps encrypted, without depending on this one::

    _fleet_encrypted = {"secret": ()}                     # a text
    _fleet_encrypted = {"request": ("password", "link")}  # texts in a JSON field, by their names
    _fleet_encrypted_parameters = ("my_addon.key",)       # system parameters, by their keys

Every class of a model may add its own.
"""

from dataclasses import dataclass

from odoo.tools import SQL

from .vault import VaultError

FIELDS = "_fleet_encrypted"
PARAMETERS = "_fleet_encrypted_parameters"


@dataclass(frozen=True)
class Place:
    """One column that holds tokens.

    :param label: what a sentence calls it, such as ``saas.key.secret``
    :param part: the name of the text inside a JSON column, ``""`` for a column of text
    :param parameter: the key of the system parameter, for those
    """

    label: str
    table: str
    column: str
    part: str = ""
    parameter: str = ""

    def select(self):
        """Return the query for id and token of every row, which it locks."""
        column = SQL.identifier(self.column)
        token = SQL("%s ->> %s", column, self.part) if self.part else column
        where = SQL(" AND key = %s", self.parameter) if self.parameter else SQL()
        return SQL(
            "SELECT id, %(token)s FROM %(table)s WHERE COALESCE(%(token)s, '') <> ''%(where)s "
            "ORDER BY id FOR UPDATE",
            token=token,
            table=SQL.identifier(self.table),
            where=where,
        )

    def update(self, row, token):
        """Return the query that stores a token."""
        column, value = SQL.identifier(self.column), SQL("%s", token)
        if self.part:
            value = SQL("jsonb_set(%s, ARRAY[%s], to_jsonb(%s::text))", column, self.part, token)
        table = SQL.identifier(self.table)
        return SQL("UPDATE %s SET %s = %s WHERE id = %s", table, column, value, row)


def places(registry):
    """Return every `Place` that the models of a registry have registered, by label."""
    found = {}
    for model in registry.values():
        for base in model.__mro__:
            for name, parts in vars(base).get(FIELDS, {}).items():
                for place in _columns(model, name, parts):
                    found[place.label] = place
            for key in vars(base).get(PARAMETERS, ()):
                place = Place(f"parameter {key}", "ir_config_parameter", "value", parameter=key)
                found[place.label] = place
    return [found[label] for label in sorted(found)]


def _columns(model, name, parts):
    # A field that is not stored has no column; one of another type would be spoilt.
    field, wanted = model._fields[name], ("json",) if parts else ("char", "text")
    if model._abstract or not field.store or field.type not in wanted:
        raise TypeError(f"{model._name}.{name} is no stored field of the type {wanted[0]}")
    if not parts:
        return [Place(f"{model._name}.{name}", model._table, name)]
    return [Place(f"{model._name}.{name}.{part}", model._table, name, part) for part in parts]


def rotate(env, vault, skip=False):
    """Encrypt every registered secret anew with the vault's first key.

    :param skip: leave what none of the keys opens as it is
    :return: how many were encrypted anew, and the labels of what was left
    :raises VaultError: ``wrong``, with the place in its ``label``; the transaction is to be undone
    """
    count, left = 0, []
    for place in places(env.registry):
        for row, token in env.execute_query(place.select()):
            try:
                fresh = vault.rotate(token)
            except VaultError as error:
                error.label = f"{place.label} {row}"
                if not skip:
                    raise
                left.append(error.label)
                continue
            env.cr.execute(place.update(row, fresh))
            count += 1
    return count, left
