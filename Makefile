# What people run, and CI with them. `make` alone lists the targets. Nothing is installed outside .venv/.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test test-airflow test-browser test-spark test-llm redteam check data monitor drift-ui map audit airflow msnbc bench bench-bank bench-drift bench-formats bench-ingest bench-scrub bench-sessionize bench-sessionize-large bench-student bench-taxonomy bench-worlds lock test-ddp ablate bench-encoder bench-probes

PYTHON ?= python3.11
AIRFLOW_PORT ?= 8080
DRIFT_PORT ?= 8000

export PATH := $(CURDIR)/.venv/bin:$(PATH)

# As in pipelines/telemetry.py: a test compares.
export DO_NOT_TRACK ?= 1
export DVC_NO_ANALYTICS ?= 1
export HF_HUB_DISABLE_TELEMETRY ?= 1
export HF_HUB_OFFLINE ?= 1
export LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS ?= True
export LITELLM_LOCAL_BLOG_POSTS ?= True
export LITELLM_LOCAL_MODEL_COST_MAP ?= True

# Idle threads sleep instead of spinning: on busy cores training takes a third of the time (docs/LOG.md).
export OMP_WAIT_POLICY ?= passive

# Keys: NAME=value lines of .env, read by the shell, so that quotes mean what they mean there.
ENV := set -a; if [ -f .env ]; then . ./.env; fi; set +a;
IS_311 := -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-22s %s\n", $$1, $$2}' Makefile

demo: .venv/requirements.txt data  ## the whole pipeline on the demo bank, its result table and its reports
	@$(ENV) python -m dvc repro
	@python -m pipelines.evaluate.table
	@echo
	@echo "Reports: reports/taxonomy.html (the intents), reports/metrics.json (every figure), reports/plots/, reports/curves/, reports/ingest.json"
	@echo "Next: make monitor (a drift report), make airflow (the same stages on a schedule)"

test: .venv/requirements.txt  ## all tests, the files shared out over two processes
	python -m pytest --numprocesses 2 --dist loadfile

test-airflow: .venv/requirements.txt  ## a real Airflow: gate, approval, promotion, rollback, kills; calm days, drift, its alarm (long)
	@python -m pytest tests/server/loop.py tests/server/alarm.py

test-browser: .venv/requirements.txt .work/browser/requirements.txt  ## a person's clicks in Airflow and in the drift dashboard, by this system's Chromium (long)
	@python -m pytest tests/server/browser.py

test-ddp: .venv/requirements.txt  ## two processes that train one encoder together, as two GPUs would
	python -m pytest -m processes tests/pretrain

test-spark:  ## the rules of sessions on Spark, in an environment of its own: the rows of DuckDB? (Java 17 or later)
	@"$(PYTHON)" -m venv .work/spark
	@.work/spark/bin/python -m pip install -q --progress-bar off --requirement requirements-spark.txt
	@.work/spark/bin/python -m benchmarks.engines

test-llm: .venv/requirements.txt  ## the taxonomy stage with a truly running small LLM, in an environment of its own, through kills
	@"$(PYTHON)" -m venv .work/llm
	@.work/llm/bin/python -m pip install -q --progress-bar off --no-deps --requirement requirements-llm.txt
	@python -m pytest tests/taxonomy/small_llm.py

redteam: .venv/requirements.txt  ## attacks on the model of params.yaml: how often a label obeys the text that it labels
	@$(ENV) python -m benchmarks.redteam

check: .venv/requirements.txt  ## lint, format and types
	python -m ruff check .
	python -m ruff format --check .
	python -m mypy

data: .venv/requirements.txt  ## the demo bank in data/: from the DVC cache, the DVC remote, or made anew
	@$(ENV) python -m pipelines.demo_data

monitor: .venv/requirements.txt  ## a drift report of the last days against the champion (the first one is promoted)
	@$(ENV) if [ ! -f champion.json ]; then python -m pipelines promote; fi; python -m pipelines monitor

drift-ui: .venv/requirements.txt  ## Evidently's dashboard of all drift reports on localhost (DRIFT_PORT=8000), until Ctrl-C
	@mkdir -p reports/evidently
	@exec evidently ui --workspace reports/evidently --host 127.0.0.1 --port $(DRIFT_PORT)

audit: .venv/requirements.txt  ## the encoder over seeds, and what two random inputs cost it
	@$(ENV) python -m pipelines audit

map: .venv/requirements.txt  ## a page that shows the embedding, reports/embedding.html
	@$(ENV) python -m pipelines map

airflow: .venv/requirements.txt  ## Airflow with its UI on localhost (AIRFLOW_PORT=8080), until Ctrl-C
	@$(ENV) exec python -m pipelines.airflow_server --port $(AIRFLOW_PORT)

msnbc: .venv/requirements.txt  ## benchmark: the encoder on a million real visits
	@$(ENV) python -m benchmarks.msnbc

bench-encoder: .venv/requirements.txt .work/ptls/requirements.txt  ## benchmark: the encoder beside its peers, on real visits
	@$(ENV) python -m benchmarks.encoder

ablate: .venv/requirements.txt  ## benchmark: objectives, poolings, architectures and fields, by probes on validation
	@$(ENV) python -m benchmarks.ablate

bench-formats: .venv/requirements.txt  ## benchmark: real samples of trackers, what is kept and why not
	@$(ENV) python -m benchmarks.formats

bench-ingest: .venv/requirements.txt  ## benchmark: ten million raw events through ingest, beside DuckDB's plain reader
	@$(ENV) python -m benchmarks.ingest

bench-probes: .venv/requirements.txt data  ## benchmark: what the embedding knows of the demo bank, beside other representations
	@$(ENV) python -m dvc repro evaluate
	@$(ENV) python -m benchmarks.probes

bench-scrub: .venv/requirements.txt  ## benchmark: planted personal data found, real text left alone
	@$(ENV) python -m benchmarks.scrub

bench-sessionize: .venv/requirements.txt  ## benchmark: ten million events to sessions, beside plain SQL of DuckDB
	@$(ENV) python -m benchmarks.sessionize

bench-sessionize-large: .venv/requirements.txt  ## benchmark: a hundred million events within four gigabytes
	@$(ENV) python -m benchmarks.sessionize --events 100000000

bench-bank: .venv/requirements.txt  ## benchmark: the demo bank beside real traffic
	@$(ENV) python -m benchmarks.bank

bench-student: .venv/requirements.txt data  ## benchmark: the student's speed, and its quality beside rivals on raw counts
	@$(ENV) python -m dvc repro distill
	@python -m benchmarks.student

bench-taxonomy: .venv/requirements.txt  ## benchmark: intents found in real questions, beside k-means on two kinds of vectors
	@$(ENV) python -m benchmarks.taxonomy

bench-drift: .venv/requirements.txt data  ## benchmark: false alarms on calm weeks and how soon drift is found, beside Evidently's presets (hours)
	@$(ENV) python -m dvc repro distill
	@python -m benchmarks.drift

bench-worlds: .venv/requirements.txt  ## benchmark: lifts over several draws of the bank and of its two control worlds (an hour)
	@$(ENV) python -m benchmarks.worlds

bench: msnbc bench-bank bench-encoder bench-formats bench-ingest bench-scrub bench-sessionize bench-student bench-taxonomy bench-worlds bench-probes  ## all benchmarks but the largest

# Installed only when the lock changed: the copy in .venv says what was installed last.
.venv/requirements.txt: requirements.txt
	@command -v "$(PYTHON)" >/dev/null && "$(PYTHON)" $(IS_311) || { \
	  echo "Python 3.11 is needed and '$(PYTHON)' is not that: install it, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@if [ -x .venv/bin/python ] && ! .venv/bin/python $(IS_311); then \
	  echo ".venv is not a working Python 3.11: remove that folder and run this again"; exit 1; fi
	@if [ ! -x .venv/bin/python ]; then echo "Making .venv"; "$(PYTHON)" -m venv .venv; fi
	@echo "Installing the $$(grep -c == requirements.txt) packages of requirements.txt into .venv: some minutes the first time"
	@.venv/bin/python -m pip install --progress-bar off --requirement requirements.txt 2>&1 | awk ' \
	  /^Collecting/ { if (++n % 40 == 0) print "  " n " packages found" } \
	  /^Installing collected/ { print "  installing them" } \
	  /^ERROR/ { print } { fflush() }'
	@cp requirements.txt $@

# What drives a browser, and no browser.
.work/browser/requirements.txt: requirements-browser.txt
	@mkdir -p .work && "$(PYTHON)" -m venv .work/browser
	@.work/browser/bin/python -m pip install -q --requirement requirements-browser.txt
	@cp requirements-browser.txt $@

# The peer's environment: its packages, and those of the lock that they need.
.work/ptls/requirements.txt: requirements-bench.txt
	@echo "Installing the peer of requirements-bench.txt into .work/ptls"
	@mkdir -p .work && "$(PYTHON)" -m venv .work/ptls
	@.work/ptls/bin/python -m pip install -q --no-deps --requirement requirements-bench.txt
	@cp requirements-bench.txt $@

lock:  ## requirements.in -> requirements.txt, by an installation apart
	rm -rf .work/lock
	"$(PYTHON)" -m venv .work/lock
	.work/lock/bin/python -m pip install -qq --requirement requirements.in
	{ echo "# Made by \`make lock\` from requirements.in (pip freeze, less local build tags). Do not edit."; \
	  .work/lock/bin/python -m pip freeze -qq | sed -E 's/\+[a-z0-9.]+$$//'; } > .work/requirements.txt
	mv .work/requirements.txt requirements.txt
	rm -rf .work/lock
