import { onMounted, onWillUnmount } from "@odoo/owl";

/**
 * Load a form's record again and again while something on the server changes it.
 *
 * It stops when the form is left, waits while the page is hidden, and never touches what somebody
 * is editing.
 *
 * @param {Component} controller the controller of a form
 * @param {(data: Object) => boolean} isChanging whether the record's values say that it goes on
 * @param {number} [milliseconds] between two looks
 */
export function useReloadWhile(controller, isChanging, milliseconds = 1000) {
    let timer = null;
    let isLeft = false;

    const look = async () => {
        const root = controller.model.root;
        if (!document.hidden && root.resId && isChanging(root.data) && !(await root.isDirty())) {
            try {
                await root.load();
            } catch (error) {
                // The server restarts or the network is away: the next look may find it again.
                if (!error?.name?.includes("ConnectionLost") && !isLeft) {
                    throw error;
                }
            }
        }
        schedule();
    };
    const schedule = () => {
        if (!isLeft) {
            timer = setTimeout(look, milliseconds);
        }
    };

    onMounted(schedule);
    onWillUnmount(() => {
        isLeft = true;
        clearTimeout(timer);
    });
}
