import { browser } from "@web/core/browser/browser";
import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { ListController } from "@web/views/list/list_controller";
import { ListRenderer } from "@web/views/list/list_renderer";
import { listView } from "@web/views/list/list_view";
import { FleetDashboard } from "@fleet_databases/dashboard/fleet_dashboard";
import { returnStatusField } from "@fleet_databases/fields/return_status";
import { useRunProgress } from "./use_run_progress";

/** What the other columns take, in pixels, and what all KPIs may take where there is little room. */
const OTHER_COLUMNS = 1032;
const LEAST_ROOM = 204;
/** Odoo leaves room for a billion in every column of numbers: a fleet has many, and smaller ones. */
const NUMBER_WIDTH = 56;
const STATUS_WIDTH = 82;
const CELL_PADDING = 10;

const ruler = document.createElement("canvas").getContext("2d");

/** Return the width of a text in a heading, in pixels. */
function measure(text) {
    const { fontFamily, fontSize } = getComputedStyle(document.body);
    ruler.font = `500 ${fontSize} ${fontFamily}`;
    return Math.ceil(ruler.measureText(text).width) + 2;
}

/** Return the width in which a heading fits on two lines, at least `least`, in pixels. */
function getHeadingWidth(heading, least) {
    const words = heading.split(/\s+/);
    const widths = words.map((_word, index) =>
        Math.max(measure(words.slice(0, index).join(" ")), measure(words.slice(index).join(" ")))
    );
    return Math.max(least, Math.min(...widths));
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
        let room = Math.max(LEAST_ROOM, browser.innerWidth - OTHER_COLUMNS);
        return super.getPropertyFieldColumns(column, list).map((kpiColumn) => {
            const isStatus = list.fields[kpiColumn.name].type === "selection";
            const least = isStatus ? STATUS_WIDTH : NUMBER_WIDTH;
            const width = getHeadingWidth(kpiColumn.label, least);
            // The list has a column of its own for the documents.
            const isRepeated = kpiColumn.name.startsWith(`${column.name}.documents_`);
            room -= isRepeated ? 0 : width + CELL_PADDING;
            const optional = !isRepeated && room >= 0 ? "show" : "hide";
            const attrs = { width: `${width}px` };
            if (!isStatus) {
                return { ...kpiColumn, optional, attrs: { ...attrs, sum: _t("Total") } };
            }
            return {
                ...kpiColumn,
                optional,
                attrs,
                widget: "databases_return_status",
                field: returnStatusField,
            };
        });
    }

    /** A heading may be longer in another language than the width that the view gives it. */
    getActiveColumns() {
        return super.getActiveColumns().map((column) => {
            if (!column.hasLabel || !column.attrs?.width || column.relatedPropertyField) {
                return column;
            }
            const width = Math.max(parseInt(column.attrs.width), measure(column.label));
            return { ...column, attrs: { ...column.attrs, width: `${width}px` } };
        });
    }

    /** Databases name their KPIs, and names can be long. */
    getColumnClass(column) {
        const isKpi = column.relatedPropertyField ? " o_databases_kpi_heading" : "";
        return super.getColumnClass(column) + isKpi;
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
