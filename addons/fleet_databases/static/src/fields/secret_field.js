import { _t } from "@web/core/l10n/translation";
import { registry } from "@web/core/registry";
import { CharField, charField } from "@web/views/fields/char/char_field";

/** A write-only secret: never shown, and its placeholder says whether one is stored. */
export class SecretField extends CharField {
    static template = "fleet_databases.SecretField";
    static props = { ...CharField.props, storedField: { type: String, optional: true } };

    get isStored() {
        return Boolean(this.props.record.data[this.props.storedField]);
    }

    get hint() {
        return this.isStored ? _t("Stored. Fill in a new one to replace it") : _t("None stored");
    }
}

export const secretField = {
    ...charField,
    component: SecretField,
    displayName: _t("Secret"),
    supportedTypes: ["char"],
    extractProps: (fieldInfo) => ({
        ...charField.extractProps(fieldInfo),
        isPassword: true,
        storedField: fieldInfo.options.stored_field,
    }),
};

registry.category("fields").add("databases_secret", secretField);
