import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { humanSize } from "@web/core/utils/binary";
import { FloatField, floatField } from "@web/views/fields/float/float_field";

/** A number of bytes as people read it. */
export class FleetBytesField extends FloatField {
    get formattedValue() {
        return this.value ? humanSize(this.value) : "";
    }
}

export const fleetBytesField = {
    ...floatField,
    component: FleetBytesField,
    displayName: _t("Size in Bytes"),
    supportedTypes: ["float", "integer"],
};

registry.category("fields").add("fleet_bytes", fleetBytesField);
registry.category("formatters").add("fleet_bytes", (value) => (value ? humanSize(value) : ""));
