import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";

const PROGRESS = "/start/progress";

/**
 * Shows in this page what comes of its form. Another page would begin by running all of Odoo's code
 * again, just when the visitor's database is being made.
 */
export class StartHere extends Interaction {
    static selector = ".o_saas_start_here";
    dynamicContent = { _root: { "t-on-submit.prevent": this.onSubmit } };

    async onSubmit() {
        const asked = { method: "POST", body: new URLSearchParams(new FormData(this.el)) };
        this.el.querySelector("button[type=submit]").disabled = true;
        let answer, text;
        try {
            answer = await this.waitFor(fetch(this.el.action, asked));
            text = await this.waitFor(answer.text());
        } catch {
            // What was lost is only the answer; what has come of the question is told there.
            window.location.assign(PROGRESS);
            return;
        }
        const page = new DOMParser().parseFromString(text, "text/html");
        const content = page.querySelector("#wrap.o_saas_start");
        if (content) {
            window.history.replaceState(null, "", answer.url);
            document.title = page.title;
            this.show(content);
        } else {
            window.location.assign(answer.redirected ? answer.url : PROGRESS);
        }
    }

    show(content) {
        const former = this.el.closest("#wrap");
        const heading = content.querySelector("h1");
        former.replaceWith(content);
        if (heading) {
            // As with another page, reading begins at its top.
            heading.tabIndex = -1;
            heading.focus();
        }
        this.services["public.interactions"].startInteractions(content);
        this.services["public.interactions"].stopInteractions(former);
    }
}

registry.category("public.interactions").add("fleet_saas_portal.start_here", StartHere);
