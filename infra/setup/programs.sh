#!/bin/sh
# Builds all programs. The example beside them makes cargo choose the features of libraries that tests need, so that `cargo
# test`, which comes next, compiles no library a second time.
set -eu
exec cargo build --locked --workspace --all-features --bins --example prepare
