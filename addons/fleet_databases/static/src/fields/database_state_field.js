import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { formatSelection } from "@web/views/fields/formatters";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

const COLORS = {
    new: "info",
    ok: "success",
    credentials: "warning",
    unreachable: "danger",
    error: "danger",
    link: "secondary",
};

/** The state of a database as a coloured badge; its tooltip says what went wrong. */
export class DatabaseStateField extends Component {
    static template = "fleet_databases.DatabaseStateField";
    static props = { ...standardFieldProps };

    get state() {
        return this.props.record.data[this.props.name];
    }

    get label() {
        return formatSelection(this.state, { selection: this.props.record.fields[this.props.name].selection });
    }

    get color() {
        return COLORS[this.state] || "secondary";
    }

    get explanation() {
        return this.props.record.data.database_last_error || false;
    }
}

export const databaseStateField = {
    component: DatabaseStateField,
    displayName: _t("State of a Database"),
    supportedTypes: ["selection"],
    listViewWidth: [112, 160],
    fieldDependencies: [{ name: "database_last_error", type: "char" }],
    isEmpty: (record, fieldName) => !record.data[fieldName],
};

registry.category("fields").add("databases_state", databaseStateField);
