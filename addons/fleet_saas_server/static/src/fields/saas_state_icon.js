import { Component } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { formatSelection } from "@web/views/fields/formatters";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

export const STATE_ICONS = {
    pending: "fa-circle-o text-muted",
    running: "fa-circle-o-notch fa-spin text-info",
    done: "fa-check-circle text-success",
    undone: "fa-undo text-warning",
    broken: "fa-times-circle text-danger",
    green: "fa-check-circle text-success",
    amber: "fa-exclamation-triangle text-warning",
    red: "fa-times-circle text-danger",
    grey: "fa-circle-o text-muted",
};

/** A state as an icon, with its name for whoever points at it or hears the page. */
export class SaasStateIconField extends Component {
    static template = "fleet_saas_server.StateIconField";
    static props = { ...standardFieldProps };

    get state() {
        return this.props.record.data[this.props.name];
    }

    get label() {
        return formatSelection(this.state, { selection: this.props.record.fields[this.props.name].selection });
    }

    get icon() {
        return STATE_ICONS[this.state] || "fa-circle-o";
    }
}

export const saasStateIconField = {
    component: SaasStateIconField,
    displayName: _t("State as an Icon"),
    supportedTypes: ["selection"],
    listViewWidth: 28,
    isEmpty: () => false,
};

registry.category("fields").add("saas_state_icon", saasStateIconField);
