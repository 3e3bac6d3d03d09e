import { Component, onWillStart, onWillUpdateProps, useState } from "@odoo/owl";
import { _t } from "@web/core/l10n/translation";
import { useService } from "@web/core/utils/hooks";
import { formatInteger } from "@web/views/fields/formatters";

/** Each tile shows a figure of `retrieve_database_dashboard` and sets the search filter of that name. */
const TILES = [
    { figure: "all", label: _t("All"), title: _t("All databases") },
    { figure: "ok", filter: "state_ok", label: _t("In order"), color: "success" },
    { figure: "credentials", filter: "state_credentials", label: _t("Credentials"), color: "warning" },
    { figure: "unreachable", filter: "state_unreachable", label: _t("Unreachable"), color: "danger" },
    { figure: "error", filter: "state_error", label: _t("Errors"), color: "danger" },
    { figure: "new", filter: "state_new", label: _t("Never synchronized"), color: "info" },
    { figure: "changed", filter: "changed", label: _t("Changed since yesterday"), color: "info", isWork: true },
    { figure: "late", filter: "late", label: _t("Late returns"), color: "danger", isWork: true },
    { figure: "drafts", filter: "drafts", label: _t("Draft entries"), color: "primary", isWork: true },
    { figure: "documents", filter: "documents", label: _t("Documents"), color: "primary", isWork: true },
];

export class FleetDashboard extends Component {
    static template = "fleet_databases.FleetDashboard";
    // The list is new after each load: then the figures are asked for again.
    static props = { list: { type: Object } };

    setup() {
        this.orm = useService("orm");
        this.state = useState({ figures: null });
        onWillStart(() => this.load());
        onWillUpdateProps((nextProps) => {
            if (nextProps.list !== this.props.list) {
                this.load(this.orm.silent);
            }
        });
    }

    async load(orm = this.orm) {
        this.state.figures = await orm.call("project.project", "retrieve_database_dashboard");
    }

    get tiles() {
        const active = this.activeFilters;
        return TILES.map((tile) => ({
            ...tile,
            value: this.state.figures[tile.figure],
            text: formatInteger(this.state.figures[tile.figure]),
            isActive: tile.filter ? active.includes(tile.filter) : !this.env.searchModel.query.length,
        }));
    }

    get searchItems() {
        const names = TILES.map((tile) => tile.filter).filter(Boolean);
        return this.env.searchModel.getSearchItems((item) => item.type === "filter" && names.includes(item.name));
    }

    get activeFilters() {
        return this.searchItems.filter((item) => item.isActive).map((item) => item.name);
    }

    /** Set the filter of `tile` in place of the other tiles' filters; what else was searched stays. */
    onTileClicked(tile) {
        const { searchModel } = this.env;
        if (!tile.filter) {
            searchModel.clearQuery();
            return;
        }
        const items = this.searchItems;
        const wanted = items.find((item) => item.name === tile.filter);
        const others = items.filter((item) => item.isActive && item !== wanted).map((item) => item.id);
        searchModel.query = searchModel.query.filter((element) => !others.includes(element.searchItemId));
        searchModel.toggleSearchItem(wanted.id);
    }
}
