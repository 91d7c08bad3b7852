#!/bin/sh
# Measures the release build: builds the program and the benchmark, then runs it. tests/bench says what is measured;
# BENCH_MESSAGES, BENCH_CONNECTIONS, BENCH_ONLY=single|batch, BENCH_ENDURANCE and others set it, see options.rs there.
set -eu

cargo=${CARGO:-cargo}
"$cargo" build --release --locked --package local --features sqs --bin chappe
exec "$cargo" bench --quiet --locked --package it --bench load -- "$@"
