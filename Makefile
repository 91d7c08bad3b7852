# The commands worth remembering. `make help` lists them; each works as root and as an ordinary user.
.PHONY: help run test check bench bench-smpp bench-books infra-test lambda prepare fmt

CARGO ?= cargo
# The queries are checked against .sqlx/, so that a build needs no database, whatever DATABASE_URL says.
export SQLX_OFFLINE := true

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## install what is missing, build, start everything with demo data; Ctrl-C stops
	@infra/setup/install.sh run
	@$(CARGO) build --release --locked --package local --bin chappe $(if $(filter sqs:%,$(QUEUE_URL)),--features sqs)
	@exec "$${CARGO_TARGET_DIR:-target}/release/chappe" up --demo

test: ## install what is missing, run all tests, end with a plain count
	@infra/setup/install.sh test
	@infra/setup/test.sh

check: ## formatting, lints, docs, licences and bans, unused dependencies, query data
	@infra/setup/check.sh all

bench: ## throughput, latency, processor time and memory of the release build
	@infra/setup/install.sh run
	@infra/setup/bench.sh

bench-smpp: ## customers over SMPP through server and client, and the edge alone
	@infra/setup/install.sh run
	@infra/setup/bench.sh smpp

bench-books: ## seals and checks books of ten million journal lines, and finds the one that was altered (5 GB)
	@infra/setup/install.sh database
	@infra/setup/bench.sh books

infra-test: ## infra/terraform: format, validity, checkov, mocked tests, and a whole life against moto
	@infra/setup/infra-test.sh

lambda: ## the functions as zips for AWS Lambda, in target/lambda/<arch>, and their sizes
	@infra/setup/lambda.sh

prepare: ## write .sqlx/ again after a change of a query or a migration
	@infra/setup/install.sh database
	@$(CARGO) run --quiet --locked --package testkit --example prepare

fmt: ## format the code
	@$(CARGO) fmt --all
