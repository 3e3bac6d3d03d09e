import { useBus } from "@web/core/utils/hooks";
import { useDebounced } from "@web/core/utils/timing";
import { RUN_PROGRESS } from "@fleet_databases/runs/run_follow_service";

/**
 * Load a view again when a run in the background has moved on.
 *
 * @param {Component} controller the controller of the view
 * @param {(run: Object) => boolean} isConcerned whether what the run has done shows in the view
 */
export function useRunProgress(controller, isConcerned) {
    const reload = useDebounced(() => controller.model.load(), 200);
    useBus(controller.env.bus, RUN_PROGRESS, ({ detail: run }) => {
        if (isConcerned(run)) {
            reload();
        }
    });
}
