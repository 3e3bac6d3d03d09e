import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { formatInteger } from "@web/views/fields/formatters";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { ReturnStatus } from "./return_status";

/**
 * The KPIs of a database, to be read only: databases report them, nobody types them in.
 * On a card (option `compact`) zeros are left out, as well as returns that ask for nothing.
 */
export class KpisField extends Component {
    static template = "fleet_databases.KpisField";
    static components = { ReturnStatus };
    static props = { ...standardFieldProps, compact: { type: Boolean, optional: true } };

    get kpis() {
        const known = (this.props.record.data[this.props.name] || []).filter(
            (kpi) => kpi.value !== undefined && kpi.value !== null && kpi.value !== false
        );
        return known
            .map(({ name, string, type, value }) => ({
                name,
                string,
                isStatus: type === "selection",
                value,
                text: type === "selection" ? value : formatInteger(value),
            }))
            .filter((kpi) => !this.props.compact || (kpi.isStatus ? kpi.value !== "done" : kpi.value));
    }
}

export const kpisField = {
    component: KpisField,
    displayName: _t("KPIs of a Database"),
    supportedTypes: ["properties"],
    extractProps: ({ options }) => ({ compact: Boolean(options.compact) }),
};

registry.category("fields").add("databases_kpis", kpisField);
