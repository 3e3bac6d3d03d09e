import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

/** What sealing a copy switched off, left on, and did not know, as lists that a person can read. */
export class SaasSealReportField extends Component {
    static template = "fleet_saas_server.SealReportField";
    static props = { ...standardFieldProps };

    get parts() {
        const report = this.props.record.data[this.props.name] || {};
        return [
            {
                key: "unknown",
                title: _t("Unknown: somebody has to look"),
                icon: "fa-question-circle text-danger",
                entries: report.unknown || [],
                none: _t("Nothing: the rules know everything that looks like a credential."),
            },
            {
                key: "left_on",
                title: _t("Left on, on purpose"),
                icon: "fa-exclamation-triangle text-warning",
                entries: report.left_on || [],
                none: _t("Nothing was left on."),
            },
            {
                key: "switched_off",
                title: _t("Switched off"),
                icon: "fa-check-circle text-success",
                entries: report.switched_off || [],
                none: _t("There was nothing to switch off."),
            },
        ];
    }
}

registry.category("fields").add("saas_seal_report", {
    component: SaasSealReportField,
    displayName: _t("Neutralisation Report"),
    supportedTypes: ["json", "jsonb"],
});
