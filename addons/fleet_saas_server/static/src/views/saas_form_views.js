import { registry } from "@web/core/registry";
import { FormController } from "@web/views/form/form_controller";
import { formView } from "@web/views/form/form_view";
import { useReloadWhile } from "./use_reload_while";

const ACTIVE = ["queued", "running", "undoing"];

/** An operation that shows how far it is. */
export class SaasOperationFormController extends FormController {
    setup() {
        super.setup();
        useReloadWhile(this, (data) => ACTIVE.includes(data.state));
    }
}

/** A record that changes while an operation works on it. */
export class SaasTargetFormController extends FormController {
    setup() {
        super.setup();
        useReloadWhile(this, (data) => data.running_operation_id || data.operation_id, 2000);
    }
}

/** One operation on many databases. */
export class SaasBulkFormController extends FormController {
    setup() {
        super.setup();
        useReloadWhile(this, (data) => ["canary", "running"].includes(data.state), 2000);
    }
}

registry.category("views").add("saas_bulk_form", { ...formView, Controller: SaasBulkFormController });
registry.category("views").add("saas_operation_form", { ...formView, Controller: SaasOperationFormController });
registry.category("views").add("saas_target_form", { ...formView, Controller: SaasTargetFormController });
