import { Interaction } from "@web/public/interaction";
import { registry } from "@web/core/registry";
import { rpc } from "@web/core/network/rpc";

const PAUSE_MS = 400;

/** Says while it is typed whether the address of the database can be had, and proposes one. */
export class StartForm extends Interaction {
    static selector = ".o_saas_start_form";
    dynamicContent = {
        "#name": { "t-on-input": this.debounced(this.onName, PAUSE_MS) },
        "#company_name": { "t-on-change": this.onCompany },
        _root: { "t-on-submit": this.onSubmit },
    };

    setup() {
        this.nameEl = this.el.querySelector("#name");
        this.answerEl = this.el.querySelector("#name_answer");
        this.asked = 0;
    }

    async ask(params) {
        const number = ++this.asked;
        let found = { free: null, proposal: "" };
        try {
            found = await this.waitFor(rpc("/start/name", params, { silent: true }));
        } catch {
            // The form says the same when it is sent; a lost answer is no reason to stop.
        }
        return number === this.asked ? found : null;
    }

    async onName() {
        const name = this.nameEl.value.trim().toLowerCase();
        if (!name) {
            this.asked++;
            this.say("");
            return;
        }
        const found = await this.ask({ name });
        if (found) {
            this.protectSyncAfterAsync(() => this.show(found))();
        }
    }

    async onCompany(ev) {
        const company = ev.currentTarget.value.trim();
        if (!company || this.nameEl.value) {
            return;
        }
        const found = await this.ask({ company });
        if (found?.proposal && !this.nameEl.value) {
            this.nameEl.placeholder = found.proposal;
        }
    }

    show({ free, proposal }) {
        const { free: isFree, taken, proposal: takeThis } = this.answerEl.dataset;
        this.nameEl.classList.toggle("is-valid", free === true);
        this.nameEl.classList.toggle("is-invalid", free === false);
        if (free === null) {
            this.say("");
        } else if (free) {
            this.say(isFree);
        } else {
            this.say(`${taken} ${takeThis} `);
            this.answerEl.append(this.makeProposal(proposal));
        }
    }

    makeProposal(proposal) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "btn btn-link btn-sm p-0 align-baseline";
        button.textContent = proposal;
        this.addListener(button, "click", () => {
            this.nameEl.value = proposal;
            this.nameEl.focus();
            this.onName();
        });
        return button;
    }

    say(text) {
        this.answerEl.textContent = text;
        if (!text) {
            this.nameEl.classList.remove("is-valid", "is-invalid");
        }
    }

    onSubmit() {
        const button = this.el.querySelector("button[type=submit]");
        // After the browser has read the form: a second press would be a second sign-up.
        setTimeout(() => (button.disabled = true));
        this.registerCleanup(() => (button.disabled = false));
    }
}

registry.category("public.interactions").add("fleet_saas_portal.start_form", StartForm);
