#!/bin/sh
# What holds besides the tests.
#
#   check.sh all           everything
#   check.sh quick         formatting, lints and docs: what needs no further tool
#   check.sh queries       whether .sqlx/ fits the queries and the migrations
#   check.sh dependencies  bans, licences, sources, advisories, unused; builds its tools into target/tools once
set -eu

DENY_VERSION=0.20.2
MACHETE_VERSION=0.9.2
tools=${CARGO_TARGET_DIR:-target}/tools

say() { printf '\n== %s\n' "$*" >&2; }

# tool <name> <version>: installs it unless that version is there.
tool() {
	if ! "$tools/bin/$1" --version 2>/dev/null | grep -qF "$2"; then
		say "installing $1 $2 into $tools"
		cargo install --quiet --locked --root "$tools" --version "$2" "$1"
	fi
}

quick() {
	say "format"
	cargo fmt --all --check
	say "lints"
	cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
	say "documentation"
	# With the examples, cargo chooses the features of libraries as it did for the lints, and checks none a second time.
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --all-features --lib --examples --no-deps --quiet
}

# The advisory database lies on GitHub; without it the other three still hold.
deny() {
	say "bans, licences, sources, advisories"
	tool cargo-deny "$DENY_VERSION"
	"$tools/bin/cargo-deny" --locked check --hide-inclusion-graph bans licenses sources
	if git ls-remote --exit-code https://github.com/rustsec/advisory-db HEAD >/dev/null 2>&1; then
		"$tools/bin/cargo-deny" --locked check advisories
	else
		say "the advisory database cannot be reached; skipped"
	fi
}

unused() {
	say "unused dependencies"
	tool cargo-machete "$MACHETE_VERSION"
	"$tools/bin/cargo-machete"
}

queries() {
	say "query data"
	infra/setup/install.sh database
	infra/setup/programs.sh
	"${CARGO_TARGET_DIR:-target}/debug/examples/prepare" --check
}

export SQLX_OFFLINE=true
case "${1:-all}" in
quick) quick ;;
queries) queries ;;
dependencies)
	deny
	unused
	;;
all)
	quick
	queries
	deny
	unused
	;;
*)
	echo "usage: check.sh [all|quick|queries|dependencies]" >&2
	exit 64
	;;
esac
say "all checks hold"
