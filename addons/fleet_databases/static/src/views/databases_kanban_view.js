import { registry } from "@web/core/registry";
import { KanbanController } from "@web/views/kanban/kanban_controller";
import { KanbanRenderer } from "@web/views/kanban/kanban_renderer";
import { kanbanView } from "@web/views/kanban/kanban_view";
import { FleetDashboard } from "@fleet_databases/dashboard/fleet_dashboard";
import { useRunProgress } from "./use_run_progress";

export class DatabasesKanbanController extends KanbanController {
    setup() {
        super.setup();
        useRunProgress(this, (run) => run.state === "done" && !this.model.root.selection.length);
    }
}

export class DatabasesKanbanRenderer extends KanbanRenderer {
    static template = "fleet_databases.KanbanRenderer";
    static components = { ...KanbanRenderer.components, FleetDashboard };
}

registry.category("views").add("databases_kanban", {
    ...kanbanView,
    Controller: DatabasesKanbanController,
    Renderer: DatabasesKanbanRenderer,
});
