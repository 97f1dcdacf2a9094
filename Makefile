# CQIA: everything a developer or a first user needs. `make help` lists it.

VENV := .venv
PYTHON := $(VENV)/bin/python
PORT ?= 8000
ARGS ?=
COMPILE := --quiet --upgrade --universal --python-version 3.12 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links

# The environment keeps a copy of each lock file that was installed into it, and is made anew when one has changed.
define environment
set -e; \
for lock in requirements.lock requirements-dev.lock; do \
	if [ -e $(VENV)/$$lock ] && ! cmp -s $$lock $(VENV)/$$lock; then rm -rf $(VENV); fi; \
done; \
if [ -e $(VENV)/$(1) ] && $(PYTHON) -c '' 2>/dev/null; then exit 0; fi; \
if ! $(PYTHON) -m pip --version >/dev/null 2>&1; then \
	for name in python3 python3.14 python3.13 python3.12; do \
		if $$name -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; then \
			python=$$name; break; \
		fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo 'CQIA needs Python 3.12 or newer with its venv module (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python3).' >&2; \
		exit 1; \
	fi; \
	rm -rf $(VENV); \
	$$python -m venv $(VENV); \
fi; \
echo 'Installing the locked packages into $(VENV) …'; \
$(PYTHON) -m pip install -qq --disable-pip-version-check --require-hashes -r $(1); \
cp $(2) $(VENV)/
endef

.PHONY: help
help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: environment ## start the site and its worker at http://127.0.0.1:8000/ until Ctrl-C (PORT=…)
	@$(PYTHON) manage.py setup
	@exec $(PYTHON) manage.py serve --port $(PORT)

.PHONY: test
test: environment-dev ## run every test (ARGS=… goes to pytest)
	@$(PYTHON) -m tests.chromium
	@exec $(PYTHON) -m pytest -n 2 $(ARGS)

.PHONY: faults
faults: environment-dev ## meet every fault, and kill parts of a running system at random, ten times over
	@CQIA_FAULT_ROUNDS=10 $(PYTHON) -m pytest -n 0 -m 'slow or not slow' tests/faults \
		--ignore tests/faults/test_soak.py --ignore tests/faults/test_a_million.py $(ARGS)

.PHONY: attacks
attacks: environment-dev ## meet bad input and attacks: by number, by the matrix of roles, by generated requests
	@exec $(PYTHON) -m pytest -n 2 -m attack $(ARGS)

.PHONY: soak
soak: environment-dev ## let everything happen at once for half an hour, with faults (SOAK_MINUTES=…)
	@SOAK_MINUTES=$${SOAK_MINUTES:-30} SOAK_REPORT=docs/soak.md $(PYTHON) -m pytest -n 0 -m slow tests/faults/test_soak.py $(ARGS)

.PHONY: reviewers
reviewers: environment-dev ## let 50 reviewers decide 10,000 records over three server processes
	@REVIEWED_RECORDS=10000 exec $(PYTHON) -m pytest -n 0 tests/faults/test_many_reviewers.py $(ARGS)

.PHONY: second-looks
second-looks: environment-dev ## let 12 reviewers work 5,000 records with second looks, and settle the real pairs
	@exec $(PYTHON) -m pytest -n 0 -m slow tests/review/test_overlap_at_work.py tests/review/test_disputes.py $(ARGS)

.PHONY: histories
histories: environment-dev ## live ten thousand random operations through pages, API and administration; review all real pairs again
	@exec $(PYTHON) -m pytest -n 0 -m slow tests/review/test_random_history.py tests/review/test_histories.py \
		tests/review/test_replay.py $(ARGS)

.PHONY: exits
exits: environment-dev ## try to get 10,000 records of mixed rights out, by every way under every policy
	@MIXED_RECORDS=10000 exec $(PYTHON) -m pytest -n 0 --timeout 3600 tests/exports/test_exits.py $(ARGS)

.PHONY: million
million: environment-dev ## cut and build a release of a million records while 20 people edit
	@exec $(PYTHON) -m pytest -n 0 -s -m slow tests/faults/test_a_million.py $(ARGS)

.PHONY: check
check: environment-dev ## check format, lint, types, import contracts, migrations, generated pages
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy .
	$(VENV)/bin/lint-imports
	$(PYTHON) manage.py makemigrations --check --dry-run
	$(PYTHON) manage.py record_states --check

.PHONY: fix
fix: environment-dev ## mend what can be mended by itself: format, imports, simple lint
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .

.PHONY: bench
bench: environment ## measure the program against the floor in the same run (ARGS=--quick)
	@exec $(PYTHON) -m cqia_site.embedded $(PYTHON) -m bench $(ARGS)

TRAIN_PYTHON ?= python3.11

.PHONY: train-smoke
train-smoke: ## train a tiny model on a release, in an environment of its own (RELEASE=folder)
	@test -n "$(RELEASE)" || { echo 'Name the folder of a release: make train-smoke RELEASE=DIR (manage.py export_release makes one).' >&2; exit 2; }
	@if ! cmp -s examples/requirements.txt var/train/requirements.txt; then \
		rm -rf var/train && $(TRAIN_PYTHON) -m venv var/train && \
		var/train/bin/python -m pip install -q --disable-pip-version-check -r examples/requirements.txt && \
		cp examples/requirements.txt var/train/; fi
	@HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 HF_HOME=$(CURDIR)/var/train/cache \
		var/train/bin/python examples/train.py $(RELEASE) var/train/out --tiny $(ARGS)

.PHONY: screenshots
screenshots: environment-dev ## take the pictures of the documents anew, from the pages as they are
	@$(PYTHON) -m tests.chromium
	@CQIA_SCREENSHOTS=docs/images $(PYTHON) -m pytest -n 0 -m 'slow or not slow' tests/browser/test_screenshots.py

.PHONY: looks
looks: environment-dev ## look at every page in both widths, themes and languages, where CI takes each setting once
	@$(PYTHON) -m tests.chromium
	@exec $(PYTHON) -m pytest -n 2 -m 'slow or not slow' tests/browser $(ARGS)

.PHONY: lock
lock: environment-dev ## renew the lock files
	$(PYTHON) -m uv pip compile $(COMPILE) pyproject.toml --output-file requirements.lock
	$(PYTHON) -m uv pip compile $(COMPILE) pyproject.toml -c requirements.lock --extra s3 --output-file requirements-s3.lock
	$(PYTHON) -m uv pip compile $(COMPILE) pyproject.toml -c requirements-s3.lock --extra s3 --group dev \
		--output-file requirements-dev.lock

.PHONY: environment environment-dev
environment:
	@$(call environment,requirements.lock,requirements.lock)
environment-dev:
	@$(call environment,requirements-dev.lock,requirements.lock requirements-dev.lock)
