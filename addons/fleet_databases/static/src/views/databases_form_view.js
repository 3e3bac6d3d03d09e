import { registry } from "@web/core/registry";
import { FormController } from "@web/views/form/form_controller";
import { formView } from "@web/views/form/form_view";
import { useRunProgress } from "./use_run_progress";

export class DatabasesFormController extends FormController {
    /** KPIs come from the databases: nobody adds one by hand. */
    getStaticActionMenuItems() {
        const items = super.getStaticActionMenuItems();
        delete items.addPropertyFieldValue;
        return items;
    }
}

export class DatabasesRunFormController extends FormController {
    setup() {
        super.setup();
        useRunProgress(this, (run) => run.id === this.model.root.resId);
    }
}

registry.category("views").add("databases_form", { ...formView, Controller: DatabasesFormController });
registry.category("views").add("databases_run_form", { ...formView, Controller: DatabasesRunFormController });
