import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

/** What the status of a tax return says, worst first. */
export const RETURN_STATUSES = {
    late: { label: _t("Late"), meaning: _t("Late: past its deadline") },
    to_do: { label: _t("To do"), meaning: _t("To do: the deadline is within 3 months") },
    to_submit: { label: _t("To submit"), meaning: _t("To submit: ready, but still needs an action") },
    longterm: { label: _t("Long term"), meaning: _t("Long term: the deadline is more than 3 months away") },
    done: { label: _t("Done"), meaning: _t("Done: all returns are completed") },
};

export class ReturnStatus extends Component {
    static template = "fleet_databases.ReturnStatus";
    static props = { status: { optional: true }, hideLabel: { type: Boolean, optional: true } };

    get known() {
        return RETURN_STATUSES[this.props.status];
    }
}

export class ReturnStatusField extends Component {
    static template = "fleet_databases.ReturnStatusField";
    static components = { ReturnStatus };
    static props = { ...standardFieldProps };
}

export const returnStatusField = {
    component: ReturnStatusField,
    displayName: _t("Status of a Return"),
    supportedTypes: ["selection"],
    listViewWidth: [82, 110],
    isEmpty: (record, fieldName) => !record.data[fieldName],
};

registry.category("fields").add("databases_return_status", returnStatusField);
