import { WarningDialog } from "@web/core/errors/error_dialogs";
import { registry } from "@web/core/registry";

/** A change that the plan does not allow, with a button that leads to where the plan is changed. */
export class LimitDialog extends WarningDialog {
    static template = "fleet_saas_client.LimitDialog";

    get link() {
        return this.props.data?.context?.link || "";
    }

    get linkText() {
        return this.props.data?.context?.link_text || "";
    }
}

registry
    .category("error_dialogs")
    .add("odoo.addons.fleet_saas_client.exceptions.LimitReached", LimitDialog);
