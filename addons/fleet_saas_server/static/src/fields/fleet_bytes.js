import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { formatFloat } from "@web/core/utils/numbers";
import { FloatField, floatField } from "@web/views/fields/float/float_field";

const STEP = 1024;

/** Say a number of bytes as models/saas_sizes.py does: Odoo's humanSize says "Mb", which are bits. */
function formatBytes(size) {
    if (!size) {
        return "";
    }
    const units = _t("B|KB|MB|GB|TB").split("|");
    let power = 0;
    // Rounded first: 1,023.96 MB are 1.0 GB.
    while (Math.round(size * 10) / 10 >= STEP && power < units.length - 1) {
        size /= STEP;
        power++;
    }
    return `${formatFloat(size, { digits: [false, power ? 1 : 0] })} ${units[power]}`;
}

/** A number of bytes as people read it. */
export class FleetBytesField extends FloatField {
    get formattedValue() {
        return formatBytes(this.value);
    }
}

export const fleetBytesField = {
    ...floatField,
    component: FleetBytesField,
    displayName: _t("Size in Bytes"),
    supportedTypes: ["float", "integer"],
};

registry.category("fields").add("fleet_bytes", fleetBytesField);
registry.category("formatters").add("fleet_bytes", formatBytes);
