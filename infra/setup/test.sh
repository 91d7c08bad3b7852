#!/bin/sh
# Builds and runs every test; the last line is the plain count over all test binaries: "N passed, N failed".
set -eu

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The tests of the whole start the programs themselves.
infra/setup/programs.sh

# Most tests wait most of the time.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
export RUST_TEST_THREADS

{ cargo test --locked --workspace --all-features --no-fail-fast 2>&1 && echo 0 >"$log.status" || echo 1 >"$log.status"; } | tee "$log"
status=$(cat "$log.status")
rm -f "$log.status"

awk -v status="$status" '
	/^test result: / {
		for (i = 2; i <= NF; i++) {
			if ($i == "passed;") passed += $(i - 1)
			if ($i == "failed;") failed += $(i - 1)
			if ($i == "ignored;") ignored += $(i - 1)
		}
	}
	END {
		# A binary that does not build, or dies, prints no result of its own.
		if (status != 0 && failed == 0) failed = 1
		if (ignored > 0) { print ignored " ignored: a test runs or goes"; failed += ignored }
		printf "\n%d passed, %d failed\n", passed, failed
		exit failed > 0
	}' "$log"
