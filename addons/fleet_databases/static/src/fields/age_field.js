import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { formatDateTime } from "@web/core/l10n/dates";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

/** How long ago something was; its tooltip tells the moment. */
export class AgeField extends Component {
    static template = "fleet_databases.AgeField";
    static props = { ...standardFieldProps };

    get value() {
        return this.props.record.data[this.props.name];
    }

    get age() {
        return this.value.toRelative({ style: "short" });
    }

    get moment() {
        return formatDateTime(this.value);
    }
}

registry.category("fields").add("databases_age", {
    component: AgeField,
    displayName: _t("Age"),
    supportedTypes: ["datetime"],
    listViewWidth: [84, 120],
    isEmpty: (record, fieldName) => !record.data[fieldName],
});
