import { Component, useEffect, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";
import { standardFieldProps } from "@web/views/fields/standard_field_props";

const FIELDS = ["display_name", "state", "progress", "told_steps", "waits", "trouble"];
const OPEN = ["waiting", "running"];
const PAUSE_MS = 1000;
const ICONS = {
    pending: "fa-circle-o text-muted",
    running: "fa-circle-o-notch fa-spin text-info",
    undoing: "fa-undo fa-spin text-warning",
    done: "fa-check-circle text-success",
    undone: "fa-undo text-warning",
    broken: "fa-times-circle text-danger",
};

/**
 * The operation that is under way for a record, step by step as the server takes them.
 *
 * It looks once a second while the form is open and the page is seen. At the end the record is
 * loaded anew, unless somebody is editing it.
 */
export class SaasProgressField extends Component {
    static template = "fleet_saas_portal.ProgressField";
    static props = { ...standardFieldProps };

    setup() {
        this.orm = useService("orm");
        this.state = useState({ request: null });
        useEffect(
            (id) => {
                this.state.request = null;
                return id ? this.follow(id) : undefined;
            },
            () => [this.props.record.data[this.props.name]?.id]
        );
    }

    get request() {
        return this.state.request;
    }

    get waiting() {
        return this.request.state === "waiting" ? this.request.trouble || _t("It is being sent.") : this.request.waits;
    }

    get percent() {
        return Math.round(this.request.progress);
    }

    icon(step) {
        return ICONS[step.state] || ICONS.pending;
    }

    follow(id) {
        let timer = null;
        let isLeft = false;
        const look = async () => {
            if (!document.hidden) {
                const isOpen = await this.look(id, () => isLeft);
                if (isLeft) {
                    return;
                }
                if (!isOpen) {
                    await this.reload();
                    return;
                }
            }
            timer = setTimeout(look, PAUSE_MS);
        };
        look();
        return () => {
            isLeft = true;
            clearTimeout(timer);
        };
    }

    /** Read the request; tell whether it goes on. */
    async look(id, isLeft) {
        try {
            const [request] = await this.orm.silent.read("saas.request", [id], FIELDS);
            if (!isLeft()) {
                this.state.request = request || null;
            }
            return Boolean(request) && OPEN.includes(request.state);
        } catch (error) {
            // The portal restarts or the network is away: the next look may find it again.
            if (!error?.name?.includes("ConnectionLost") && !isLeft()) {
                throw error;
            }
            return true;
        }
    }

    async reload() {
        const root = this.props.record.model.root;
        if (!(await root.isDirty())) {
            await root.load();
        }
    }
}

registry.category("fields").add("saas_progress", {
    component: SaasProgressField,
    displayName: _t("Progress of an Operation"),
    supportedTypes: ["many2one"],
    isEmpty: () => false,
});
