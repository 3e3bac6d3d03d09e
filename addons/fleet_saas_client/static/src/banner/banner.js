import { Component, onMounted, onWillUnmount, useState } from "@odoo/owl";
import { mountComponent } from "@web/env";
import { browser } from "@web/core/browser/browser";
import { rpc } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";
import { session } from "@web/session";

// A page stays open for days; what it says must not be older than this.
const REFRESH_MS = 20 * 60 * 1000;
const DISMISSED = "fleet_saas_client.dismissed";
const MAX_DISMISSED = 50;

/** What the provider says on top of every page. Several notices stand below each other. */
export class SaasBanner extends Component {
    static template = "fleet_saas_client.Banner";
    static props = { notices: Array };

    setup() {
        this.state = useState({ notices: this.props.notices, dismissed: readDismissed() });
        this.refreshed = Date.now();
        const refreshIfOld = () => {
            if (!browser.document?.hidden && Date.now() - this.refreshed >= REFRESH_MS) {
                this.refresh();
            }
        };
        onMounted(() => {
            this.timer = browser.setInterval(refreshIfOld, REFRESH_MS / 4);
            browser.addEventListener("focus", refreshIfOld);
        });
        onWillUnmount(() => {
            browser.clearInterval(this.timer);
            browser.removeEventListener("focus", refreshIfOld);
        });
    }

    get notices() {
        return this.state.notices.filter(
            (notice) => !notice.dismissible || !this.state.dismissed.includes(notice.id)
        );
    }

    isElsewhere(notice) {
        return !notice.link.startsWith(browser.location.origin + "/");
    }

    dismiss(notice) {
        this.state.dismissed = [...this.state.dismissed, notice.id].slice(-MAX_DISMISSED);
        browser.localStorage.setItem(DISMISSED, JSON.stringify(this.state.dismissed));
    }

    /** Ask again; without an answer what is known stays. */
    async refresh() {
        this.refreshed = Date.now();
        try {
            const found = await rpc("/fleet/notices", {}, { silent: true });
            this.state.notices = found.notices;
        } catch {
            return;
        }
    }
}

function readDismissed() {
    try {
        const found = JSON.parse(browser.localStorage.getItem(DISMISSED) || "[]");
        return Array.isArray(found) ? found : [];
    } catch {
        return [];
    }
}

export const saasBannerService = {
    dependencies: ["localization"],
    /** Put the banner above the whole web client, whichever client it is; nothing waits for it. */
    start(env) {
        if (!session.fleet_saas) {
            return;
        }
        const place = document.createElement("div");
        place.className = "o_saas_banner_place d-print-none";
        document.body.prepend(place);
        mountComponent(SaasBanner, place, {
            env,
            props: { notices: session.fleet_saas.notices },
        });
    },
};

registry.category("services").add("fleet_saas_client.banner", saasBannerService);
