import { Component, useState } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { useService } from "@web/core/utils/hooks";

/** The progress of followed runs, in the lower right corner. */
export class RunPanel extends Component {
    static template = "fleet_databases.RunPanel";
    static props = {};

    setup() {
        this.action = useService("action");
        this.runFollow = useService("fleet_databases.run_follow");
        this.state = useState(this.runFollow.state);
    }

    icon(run) {
        if (run.state === "running") {
            return "fa-refresh fa-spin text-info";
        }
        return run.failed_count ? "fa-exclamation-triangle text-warning" : "fa-check-circle text-success";
    }

    open(run) {
        if (run.state !== "running") {
            this.runFollow.close(run.id);
        }
        this.action.doAction({
            type: "ir.actions.act_window",
            res_model: "databases.run",
            res_id: run.id,
            views: [[false, "form"]],
        });
    }
}

registry.category("main_components").add("fleet_databases.RunPanel", { Component: RunPanel });
