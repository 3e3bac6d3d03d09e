import { browser } from "@web/core/browser/browser";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { ListController } from "@web/views/list/list_controller";
import { ListRenderer } from "@web/views/list/list_renderer";
import { listView } from "@web/views/list/list_view";
import { FleetDashboard } from "@fleet_databases/dashboard/fleet_dashboard";
import { returnStatusField } from "@fleet_databases/fields/return_status";
import { useRunProgress } from "./use_run_progress";

/** What the other columns take, and what one KPI takes, in pixels. */
const OTHER_COLUMNS = 1060;
const KPI_COLUMN = 68;
/** Odoo leaves room for a billion in every column of numbers: a fleet has many, and smaller ones. */
const NUMBER_WIDTH = "56px";

/** Return how many KPI columns the window has room for; more are offered for choice. */
function countShownKpis() {
    return Math.max(3, Math.floor((browser.innerWidth - OTHER_COLUMNS) / KPI_COLUMN));
}

export class DatabasesListController extends ListController {
    setup() {
        super.setup();
        useRunProgress(this, (run) => run.state === "done" && !this.model.root.selection.length);
    }
}

export class DatabasesListRenderer extends ListRenderer {
    static template = "fleet_databases.ListRenderer";
    static components = { ...ListRenderer.components, FleetDashboard };

    /** Show the first KPIs, which Odoo offers as columns but hides; give statuses their colours. */
    getPropertyFieldColumns(column, list) {
        let room = countShownKpis();
        return super.getPropertyFieldColumns(column, list).map((kpiColumn) => {
            // The list has a column of its own for the documents.
            const isRepeated = kpiColumn.name.startsWith(`${column.name}.documents_`);
            const optional = !isRepeated && room-- > 0 ? "show" : "hide";
            if (list.fields[kpiColumn.name].type !== "selection") {
                return { ...kpiColumn, optional, attrs: { sum: _t("Total"), width: NUMBER_WIDTH } };
            }
            return { ...kpiColumn, optional, widget: "databases_return_status", field: returnStatusField };
        });
    }

    /** A zero asks for nothing: keep it in the background. */
    getCellClass(column, record) {
        const isZero = column.relatedPropertyField && record.data[column.name] === 0;
        return super.getCellClass(column, record) + (isZero ? " o_databases_zero" : "");
    }
}

registry.category("views").add("databases_list", {
    ...listView,
    Controller: DatabasesListController,
    Renderer: DatabasesListRenderer,
});
