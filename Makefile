# `make` lists what there is. INVENTORY=path works on that fleet, without it the lab's; ARGS goes to ansible-playbook.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The distribution's, where it can make virtual environments: those built on the spot are often built without optimisation.
PYTHON ?= $(if $(shell /usr/bin/python3 -c 'import ensurepip' 2>&1),python3,/usr/bin/python3)
BIN := .venv/bin
LAB := $(BIN)/python -m tests.lab
COVERAGE_MIN ?= 95
PYTEST := $(BIN)/python -m pytest --basetemp=.cache/pytest
# Ansible starts in no locale that the machine lacks, and in none without UTF-8; ssh often brings one.
export LC_ALL := $(if $(shell $(PYTHON) -c 'import locale; locale.setlocale(locale.LC_ALL, ""); print(locale.getlocale()[1])' 2>&1 | grep -x 'UTF-8'),$(LC_ALL),C.UTF-8)
export PATH := $(CURDIR)/$(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

.PHONY: help repair check lab-up lab-down lab-status lab-ssh break test test-all unit lint bench docs setup clean \
  .set-up-runtime .set-up-lab .set-up-dev .set-up-all

help: ## list the targets
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile

ifdef INVENTORY
repair: .set-up-runtime ## find and repair broken multicast: INVENTORY=path on that fleet, else break and repair the lab
	@$(BIN)/ansible-playbook -i $(INVENTORY) playbooks/repair-multicast.yml $(ARGS)

check: .set-up-runtime ## only look: INVENTORY=path at that fleet, else at the lab as it is
	@$(BIN)/ansible-playbook -i $(INVENTORY) playbooks/check-multicast.yml $(ARGS)
else
repair: .set-up-lab
	@$(BIN)/python -m tests.lab.demo repair $(ARGS)

check: .set-up-lab
	@$(BIN)/python -m tests.lab.demo check $(ARGS)
endif

lab-up: .set-up-lab ## boot the lab fleet
	@$(LAB) up

lab-down: .set-up-lab ## stop the lab, leave nothing of it behind
	@$(LAB) down

lab-status: .set-up-lab ## what runs in the lab
	@$(LAB) status

lab-ssh: .set-up-lab ## a shell on a lab host: HOST=fog1
	@$(LAB) ssh $(HOST)

break: .set-up-lab ## break a lab host: FAULT=stale-session HOST=fog1; without them lists the faults
	@$(LAB) $(if $(and $(FAULT),$(HOST)),break $(FAULT) $(HOST),faults)

test: .set-up-dev ## every test on the pinned ansible-core, at most 25 minutes
	$(call run-tests,-m "not platform")

test-all: .set-up-all ## test, and with other releases of Ansible, molecule, ansible-runner, ansible-rulebook (.ci/run)
	$(call run-tests,)

define run-tests
	@# The lab's images are built beside the first tests; a lab that comes to one of them sooner waits for it.
	@mkdir -p .cache; $(LAB) image > .cache/images.log 2>&1 & code=0; \
	$(PYTEST) -v -n 2 --dist loadgroup --cov --cov-branch --cov-fail-under=$(COVERAGE_MIN) $(1) $(ARGS) || code=$$?; \
	wait; exit $$code
endef

unit: .set-up-dev ## unit tests only
	@$(PYTEST) tests/unit $(ARGS)

lint: .set-up-dev ## style, types and the other quick checks of the project
	@$(PYTEST) tests/project -m "not slow" $(ARGS)

bench: .set-up-lab ## how fast a healthy fleet is checked, against ping and against the wiki by hand
	@$(BIN)/python -m tools.bench $(ARGS)

docs: .set-up-runtime ## write docs/findings.md from the catalogue, the roles' variables from their argument_specs
	@PYTHONPATH=.cache/collections $(BIN)/python -m tools.findings_doc
	@$(BIN)/python -m tools.roles_doc

setup: .set-up-all ## everything the other targets need

.set-up-runtime .set-up-lab .set-up-dev .set-up-all:
	@$(PYTHON) tools/setup.py $(@:.set-up-%=%)

clean: ## stop the lab and remove everything that can be made again
	@if [ -d .lab ]; then $(LAB) down; fi
	@rm -rf .venv .cache .lab .ansible .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/output multicast-report
	@find . -name __pycache__ -prune -exec rm -rf {} +
