import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";
import { rpc } from "@web/core/network/rpc";

const PAUSES_MS = { new: 2000, proven: 4000, creating: 150, done: 150 };
const AFTER_ERROR_MS = 3000;

/** Follows the sign-up and leads to the database as soon as it is there. */
export class StartProgress extends Interaction {
    static selector = ".o_saas_start_progress";

    start() {
        this.plan(PAUSES_MS[this.el.dataset.state]);
    }

    plan(pause) {
        if (pause) {
            this.waitForTimeout(() => this.ask(), pause);
        }
    }

    async ask() {
        let found;
        try {
            found = await this.waitFor(rpc("/start/status", {}, { silent: true }));
        } catch {
            this.plan(AFTER_ERROR_MS);
            return;
        }
        if (found.url) {
            window.location.assign(found.url);
        } else if (this.isOther(found.state)) {
            window.location.assign("/start/progress");
        } else {
            this.showSteps(found.steps);
            this.plan(PAUSES_MS[found.state]);
        }
    }

    isOther(state) {
        const running = ["creating", "done"];
        const shown = this.el.dataset.state;
        return state !== shown && !(running.includes(state) && running.includes(shown));
    }

    showSteps(steps) {
        const list = this.el.querySelector(".o_saas_start_steps");
        if (!list || list.children.length !== steps.length) {
            return;
        }
        steps.forEach(({ state }, index) => {
            const item = list.children[index];
            // Only what is new: a live region reads every change aloud.
            if (item.dataset.state !== state) {
                item.dataset.state = state;
                item.textContent = steps[index].text;
            }
        });
    }
}

registry.category("public.interactions").add("fleet_saas_portal.start_progress", StartProgress);
