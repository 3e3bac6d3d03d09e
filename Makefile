# Every command of the project. They all end in scripts/dev.py; `make help` lists them.
PYTHON ?= python3
export FLEET_DEMO_PORT
DEV = $(PYTHON) scripts/dev.py
ADDON ?= fleet_databases

.DEFAULT_GOAL := help
.PHONY: help setup demo stop test lint format clean bench addon-test serve shell databases i18n readme

help: ## list these commands
	@echo "Fleet for Odoo. Commands:"
	@grep -hE '^[a-z0-9-]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 20
	@echo "Everything they install is below .run/. More options: $(DEV) COMMAND --help"

setup: ## install everything below .run and make the template databases
	@$(DEV) setup

demo: ## start the demo: a portal, a hosting server with its databases, the fleet as a table
	@$(DEV) demo

stop: ## stop the demo and the private PostgreSQL
	@$(DEV) stop

test: ## lint and every test, then one line with the totals
	@$(DEV) test

lint: ## ruff, ruff format and pylint-odoo
	@$(DEV) lint

format: ## sort imports and format every Python file
	@$(DEV) format

bench: ## measure synchronisation, clones, backups, sign-ups: make bench ONLY=signup
	@$(DEV) bench $(if $(ONLY),--only $(ONLY))

addon-test: ## tests of one addon: make addon-test ADDON=fleet_databases TAGS=/fleet_databases:TestSync
	@$(DEV) addon-test $(ADDON) $(if $(TAGS),--tags $(TAGS))

serve: ## one addon in a database of its own in the browser: make serve ADDON=fleet_databases
	@$(DEV) serve $(ADDON)

shell: ## odoo shell: make shell DB=fleet_demo_portal
	@$(DEV) shell $(DB)

i18n: ## export the terms to translate, update the translations, say what they lack
	@$(DEV) i18n $(ADDON)

readme: ## make the addon's page in the Apps list from its folder readme
	@$(DEV) readme $(ADDON)

databases: ## list this tree's databases and how to reach them with psql
	@$(DEV) databases

clean: ## stop everything, drop our databases, remove .run
	@$(DEV) clean
