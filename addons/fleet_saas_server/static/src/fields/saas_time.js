import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { formatDateTime } from "@web/core/l10n/dates";
import { localization } from "@web/core/l10n/localization";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

/** The time of day to the second; pointing at it tells the day. */
export class SaasTimeField extends Component {
    static template = "fleet_saas_server.TimeField";
    static props = { ...standardFieldProps };

    get value() {
        return this.props.record.data[this.props.name];
    }

    get time() {
        return this.value ? formatDateTime(this.value, { format: localization.timeFormat }) : "";
    }

    get day() {
        return this.value ? formatDateTime(this.value) : "";
    }
}

registry.category("fields").add("saas_time", {
    component: SaasTimeField,
    displayName: _t("Time of Day"),
    supportedTypes: ["datetime"],
});
