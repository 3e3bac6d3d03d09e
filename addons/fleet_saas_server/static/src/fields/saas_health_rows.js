import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";
import { STATE_ICONS } from "./saas_state_icon";

/** What the Health screen found: a line each, with what to do where something lacks. */
export class SaasHealthRowsField extends Component {
    static template = "fleet_saas_server.HealthRowsField";
    static props = { ...standardFieldProps };

    setup() {
        this.action = useService("action");
    }

    get rows() {
        return this.props.record.data[this.props.name] || [];
    }

    icon(state) {
        return STATE_ICONS[state];
    }

    name(state) {
        return { green: _t("In order"), amber: _t("Look at it"), red: _t("Wrong"), grey: _t("Not known") }[state];
    }
}

registry.category("fields").add("saas_health_rows", {
    component: SaasHealthRowsField,
    displayName: _t("Health"),
    supportedTypes: ["json", "jsonb"],
});
