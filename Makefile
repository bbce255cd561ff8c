# The portal's verbs; `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest
# Where this is set, every process that a test starts would compile the portal anew.
unexport PYTHONDONTWRITEBYTECODE
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --strip-extras
EMBEDDED := env -u DATABASE_URL -u BROKER_URL -u CACHE_URL -u STORAGE_URL
UNIT := $(PYTEST) -m "not processes and not browser" -n 2 --dist worksteal
# Only the files that name a marker: to import the thousand others takes half a minute a worker.
MARKED = $$(grep -rlE --include="test_*.py" "mark\.($1)" tests)
GALLERY = $(PYTEST) -m "gallery" -n 2 --dist worksteal $(call MARKED,gallery)
# A file's tests share a portal, and wait more than they work.
REAL = $(PYTEST) -m "(processes or browser) and not gallery" -n 3 --dist loadfile \
	--no-loadscope-reorder $(call MARKED,processes|browser)
RAILS_PIP = $(PIP:$(BIN)/%=.venv-rails/bin/%)
# Of the Pythons on PATH and of pyenv the newest; one that is only a stub of pyenv does not start.
NEWEST ?= $(shell for each in $$(echo "$$PATH" | tr : '\n' | sed 's|$$|/python3.[1-9][0-9]|') \
	"$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/*/bin/python3.[1-9][0-9]; do \
	$$each -c 'import sys; print(sys.version_info.minor, sys.executable)' 2>/dev/null; \
	done | sort -n | tail -1 | cut -d ' ' -f 2)
TEMPLATES = $$(find templates -name '*.html')

.PHONY: help install serve demo test quick unit rails checks embedded team gallery lint format types bench soak pictures states lock clean

help: # list these verbs
	@sed -n 's/^\([a-z]*\):[^#]*# \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

install: .venv/installed # the portal in .venv, its database and its static files up to date
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py collectstatic --noinput --verbosity 0

serve: install # web, worker and beat on http://localhost:8000 until Ctrl-C; PORT=9000 for another port
	@$(BIN)/python manage.py serve

demo: install # the same with a sandbox provider and a sample batch; DEMO_EXIT=1 stops after it
	@$(BIN)/python manage.py demo

test: .venv/developing # everything that must pass: lint, types, checks, the suite on both stacks
	$(BIN)/python -m tests.stack --check
	$(MAKE) --no-print-directory lint types checks
	$(MAKE) --no-print-directory -j 2 --output-sync=target embedded team gallery

quick: .venv/developing # lint, types and the unit tests on SQLite
	@$(MAKE) --no-print-directory -j 3 --output-sync=target lint types unit

unit: .venv/developing # the tests that start no browser and no portal
	$(EMBEDDED) $(UNIT)

rails: .venv-rails/installed # the unit tests on the newest Django and Python; NEWEST=python3.14 for another
	$(EMBEDDED) $(UNIT:$(BIN)/%=.venv-rails/bin/%)

checks: .venv/developing # migrations and what Django asks of a deployment
	$(EMBEDDED) DATA_DIR=var/check $(BIN)/python manage.py makemigrations --check --dry-run
	$(EMBEDDED) DATA_DIR=var/check PUBLIC_URL=https://portal.example.com \
		$(BIN)/python manage.py check --deploy --fail-level WARNING

# Of a lane that fails, both parts name their failures.
embedded: .venv/developing # the suite on SQLite and files, without the gallery
	$(EMBEDDED) sh -c '$(UNIT) -p tests.floors; unit=$$?; $(REAL) && exit $$unit'

team: .venv/developing # what may differ on PostgreSQL and Redis
	$(BIN)/python -m tests.stack sh -c '$(REAL); real=$$?; $(UNIT) && exit $$real'

gallery: .venv/developing # every page in every state, looked at by a browser
	$(EMBEDDED) $(GALLERY)

lint: .venv/developing # Python, JavaScript, templates and the import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@if [ -x $(BIN)/biome ]; then set -x; $(BIN)/biome lint --error-on-warnings; \
		else echo "JavaScript is not checked: biome has no wheel for this platform"; fi
	$(BIN)/djade --check --target-version 5.2 $(TEMPLATES)
	$(BIN)/djangofmt --check templates
	$(BIN)/djangofmt check templates
	$(BIN)/lint-imports

format: .venv/developing # put code and templates in order, as far as tools can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	[ ! -x $(BIN)/biome ] || $(BIN)/biome lint --write
	$(BIN)/djade --target-version 5.2 $(TEMPLATES)
	$(BIN)/djangofmt check --fix templates
	$(BIN)/djangofmt templates

types: .venv/developing # mypy, strict
	$(EMBEDDED) DATA_DIR=var/check $(BIN)/mypy

bench: .venv/developing # speed, as ratios and medians of one run; takes some minutes
	$(EMBEDDED) $(BIN)/python -m tests.bench.check_file
	$(EMBEDDED) $(BIN)/python -m tests.bench.upload
	$(BIN)/python -m tests.stack $(BIN)/python -m tests.bench.write_results
	$(EMBEDDED) $(BIN)/python -m tests.bench.watch_many
	$(EMBEDDED) $(BIN)/python -m tests.bench.tell_many
	$(EMBEDDED) $(BIN)/python -m tests.bench.interactions
	$(EMBEDDED) $(BIN)/python -m tests.bench.pages
	$(EMBEDDED) $(BIN)/python -m tests.bench.web_server
	$(EMBEDDED) $(BIN)/python -m tests.bench.portal_api
	$(EMBEDDED) $(BIN)/python -m tests.bench.portal_streams
	$(EMBEDDED) $(BIN)/python -m tests.bench.explore_results
	$(EMBEDDED) $(BIN)/python -m tests.bench.hostile_files
	$(EMBEDDED) $(BIN)/python -m tests.bench.export_results

soak: .venv/developing # 200 kills, every boundary of the steps, 10,000 orders on budgets; takes an hour; SEED=, KILLS=, STACK=team, GUISE=openai, PART=kills or budgets
	$(if $(PART),,$(EMBEDDED) $(BIN)/python -m tests.faults.broker_storm $(if $(SEED),--seed $(SEED)))
	$(if $(filter-out budgets,$(PART)),,$(BIN)/python -m tests.stack $(BIN)/python -m tests.faults.budget_race $(if $(SEED),--seed $(SEED)) $(if $(SUBMITS),--submits $(SUBMITS)))
	$(if $(filter budgets,$(PART)),,$(EMBEDDED) $(BIN)/python -m tests.faults.soak $(if $(SEED),--seed $(SEED)) $(if $(KILLS),--kills $(KILLS)) $(if $(STACK),--stack $(STACK)) $(if $(GUISE),--guise $(GUISE)) $(if $(PART),--part $(PART)))

pictures: .venv/developing # every page in every state, both themes, in DATA_DIR/pictures; the README's too
	$(EMBEDDED) $(BIN)/python -m tests.browser.pictures

states: .venv/developing # write what the documents say of states, roles and kinds from the code
	$(EMBEDDED) DATA_DIR=var/check $(BIN)/python -m tests.state_document
	$(EMBEDDED) DATA_DIR=var/check $(BIN)/python -m tests.role_document
	$(BIN)/python -m tests.kind_document

lock: .venv/developing # compile requirements/*.in to pins with hashes; UPGRADE=--upgrade moves them
	$(COMPILE) $(UPGRADE) requirements/base.in --output-file requirements/base.txt
	$(COMPILE) $(UPGRADE) requirements/dev.in --output-file requirements/dev.txt

clean: # remove what can be made again; var/, with all data, stays
	rm -rf .venv .venv-rails .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis var/check

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "The portal needs Python 3.11 or newer, as python3 or by PYTHON=python3.12 make install"; \
		exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/installed: requirements/base.txt | .venv/bin/python
	$(PIP) install --require-hashes --requirement requirements/base.txt
	@touch $@

.venv/developing: requirements/dev.txt .venv/installed
	$(PIP) install --require-hashes --requirement requirements/dev.txt
	@touch $@

.venv-rails/installed: requirements/base.txt requirements/dev.txt
	$(NEWEST) -m venv --clear .venv-rails
	$(RAILS_PIP) install --require-hashes --requirement requirements/base.txt
	$(RAILS_PIP) install --require-hashes --requirement requirements/dev.txt
	$(RAILS_PIP) install --upgrade 'django>=6'
	@touch $@
