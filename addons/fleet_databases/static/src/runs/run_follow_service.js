import { reactive } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";
import { _t } from "@web/core/l10n/translation";
import { ConnectionLostError } from "@web/core/network/rpc";
import { registry } from "@web/core/registry";
import { user } from "@web/core/user";
import { session } from "@web/session";

const FIELDS = ["name", "kind", "state", "total_count", "done_count", "failed_count", "progress"];
const FIRST_DELAY = 2000;
const LONGEST_DELAY = 30000;
/** Sent on the bus of the environment when a followed run has moved on, with its values. */
export const RUN_PROGRESS = "FLEET_DATABASES:RUN_PROGRESS";

/**
 * Follows runs in the background until they end. What is followed is kept in the browser's
 * storage, a list of ids per database and user, so that it survives a reload of the page.
 */
export const runFollowService = {
    dependencies: ["orm"],

    start(env, { orm }) {
        const key = `fleet_databases.runs.${session.db}.${user.userId}`;
        const state = reactive({ runs: [] });
        let timer;
        let delay = FIRST_DELAY;

        function remember() {
            const ids = state.runs.map((run) => run.id);
            if (ids.length) {
                browser.localStorage.setItem(key, JSON.stringify(ids));
            } else {
                browser.localStorage.removeItem(key);
            }
        }

        function recall() {
            try {
                return JSON.parse(browser.localStorage.getItem(key) || "[]").filter(Number.isInteger);
            } catch {
                return [];
            }
        }

        function schedule() {
            browser.clearTimeout(timer);
            if (state.runs.some((run) => run.state === "running")) {
                timer = browser.setTimeout(poll, delay);
            }
        }

        /** Read one run; forget it when it is gone or not ours to see. */
        async function refresh(run) {
            let values;
            try {
                [values] = await orm.silent.read("databases.run", [run.id], FIELDS);
            } catch (error) {
                if (!(error instanceof ConnectionLostError)) {
                    close(run.id);
                }
                return false;
            }
            if (!values) {
                close(run.id);
                return false;
            }
            const hasMoved = ["state", "done_count", "failed_count"].some((name) => run[name] !== values[name]);
            Object.assign(run, values);
            if (hasMoved) {
                env.bus.trigger(RUN_PROGRESS, { ...values });
            }
            return hasMoved;
        }

        async function poll() {
            const running = state.runs.filter((run) => run.state === "running");
            const moves = await Promise.all(running.map(refresh));
            delay = moves.some(Boolean) ? FIRST_DELAY : Math.min(delay * 1.5, LONGEST_DELAY);
            schedule();
        }

        function follow(id) {
            if (!state.runs.some((run) => run.id === id)) {
                state.runs.push({ id, name: _t("Run"), state: "running", total_count: 0, done_count: 0, failed_count: 0, progress: 0 });
                remember();
            }
            delay = FIRST_DELAY;
            return poll();
        }

        function close(id) {
            const index = state.runs.findIndex((run) => run.id === id);
            if (index >= 0) {
                state.runs.splice(index, 1);
                remember();
            }
        }

        recall().forEach(follow);
        return { state, follow, close };
    },
};

registry.category("services").add("fleet_databases.run_follow", runFollowService);

registry.category("actions").add("fleet_databases.follow_run", (env, action) => {
    env.services["fleet_databases.run_follow"].follow(action.params.run_id);
    return { type: "ir.actions.act_window_close" };
});
