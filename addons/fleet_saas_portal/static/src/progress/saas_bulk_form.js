import { onMounted, onWillUnmount } from "@odoo/owl";
import { registry } from "@web/core/registry";
import { FormController } from "@web/views/form/form_controller";
import { formView } from "@web/views/form/form_view";

const PAUSE_MS = 2000;

/** One operation on many instances: it is loaded again while it goes on. */
export class SaasInstanceBulkFormController extends FormController {
    setup() {
        super.setup();
        let timer = null;
        let isLeft = false;
        const schedule = () => {
            if (!isLeft) {
                timer = setTimeout(look, PAUSE_MS);
            }
        };
        const look = async () => {
            const root = this.model.root;
            if (!document.hidden && root.resId && ["canary", "running"].includes(root.data.state)) {
                try {
                    await root.load();
                } catch (error) {
                    // The portal restarts or the network is away: the next look may find it again.
                    if (!error?.name?.includes("ConnectionLost") && !isLeft) {
                        throw error;
                    }
                }
            }
            schedule();
        };
        onMounted(schedule);
        onWillUnmount(() => {
            isLeft = true;
            clearTimeout(timer);
        });
    }
}

registry.category("views").add("saas_instance_bulk_form", {
    ...formView,
    Controller: SaasInstanceBulkFormController,
});
