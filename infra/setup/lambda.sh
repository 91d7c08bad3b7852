#!/bin/sh
# Builds every function for AWS Lambda: target/lambda/<arch>/<function>.zip, each with one executable `bootstrap` for the
# runtime provided.al2023. The same programs make the same bytes. Ends with a table of sizes.
#
#   lambda.sh                x86_64, and arm64 where its compiler can be had
#   lambda.sh x86_64|arm64   one of them
#
# x86_64 is built by plain cargo on a machine of that kind; arm64 by cargo-zigbuild, which brings the other machine's
# linker and C library. Both must start on the C library of Amazon Linux 2023.
set -eu

GLIBC_MAX=2.34
# What Lambda takes directly (AWS Lambda, "Lambda quotas": 50 MB).
ZIP_BYTES_MAX=52428800
files=$(dirname "$0")
target=${CARGO_TARGET_DIR:-target}
tools=$target/tools/zig
cargo=${CARGO:-cargo}
export SQLX_OFFLINE=true

say() { printf '%s\n' "$*" >&2; }

fail() {
	say "error: $*"
	exit 1
}

# Every function that knows the host of Lambda.
functions() {
	for manifest in functions/*/Cargo.toml; do
		if grep -q '^lambda = ' "$manifest"; then basename "$(dirname "$manifest")"; fi
	done
}

# build <subcommand of cargo> [arguments]: compiles all functions at once.
build() {
	packages= features=
	for function in $(functions); do
		packages="$packages --package $function --bin chappe-$function"
		features="$features $function/lambda"
	done
	# shellcheck disable=SC2086
	"$cargo" "$@" --locked --profile function $packages --features "$features"
}

# The newest version of the C library that a program asks for, by what stands in the program itself.
newest_glibc() { grep -aoE 'GLIBC_2\.[0-9]+' "$1" | sed 's/GLIBC_//' | sort -uV | tail -n 1; }

# pack <arch> <folder of the programs>
pack() {
	out=$target/lambda/$1
	rm -rf "$out"
	mkdir -p "$out"
	for function in $(functions); do
		program=$2/chappe-$function
		glibc=$(newest_glibc "$program")
		[ "$(printf '%s\n%s\n' "$glibc" "$GLIBC_MAX" | sort -V | tail -n 1)" = "$GLIBC_MAX" ] ||
			fail "chappe-$function needs glibc $glibc; Amazon Linux 2023 has $GLIBC_MAX: build on an older system"
		python3 "$files/lambda-zip.py" "$program" "$out/$function.zip"
		zip_bytes=$(wc -c <"$out/$function.zip")
		[ "$zip_bytes" -le "$ZIP_BYTES_MAX" ] || fail "$out/$function.zip is too large for Lambda"
		printf '%-8s %-10s %8d KiB %8d KiB   %s\n' "$1" "$function" \
			$((zip_bytes / 1024)) $(($(wc -c <"$program") / 1024)) "$glibc" >>"$table"
	done
}

x86_64() {
	[ "$(uname -sm)" = "Linux x86_64" ] || fail "x86_64 is built on Linux on x86-64; this is $(uname -sm)"
	build build
	pack x86_64 "$target/function"
}

# What builds arm64, where it can be had.
have_zig() {
	if ! rustup target list --installed 2>/dev/null | grep -qx aarch64-unknown-linux-gnu; then
		rustup target add aarch64-unknown-linux-gnu >&2 || return 1
	fi
	if ! cmp -s "$files/lambda-requirements.txt" "$tools/installed"; then
		rm -rf "$tools"
		python3 -m venv "$tools" >&2 &&
			"$tools/bin/python3" -m pip install --quiet --no-input --disable-pip-version-check --require-hashes \
				-r "$files/lambda-requirements.txt" >&2 || return 1
		cp "$files/lambda-requirements.txt" "$tools/installed"
	fi
}

arm64() {
	if ! have_zig; then
		[ "$asked" = all ] || fail "the compiler for arm64 cannot be had here (target of rustup, cargo-zigbuild of PyPI)"
		say "arm64 is left out: its compiler cannot be had here (target of rustup, cargo-zigbuild of PyPI)"
		return
	fi
	(PATH=$(cd "$tools/bin" && pwd):$PATH && build zigbuild --target "aarch64-unknown-linux-gnu.$GLIBC_MAX")
	pack arm64 "$target/aarch64-unknown-linux-gnu/function"
}

asked=${1:-all}
table=$(mktemp)
trap 'rm -f "$table"' EXIT
case $asked in
x86_64) x86_64 ;;
arm64) arm64 ;;
all)
	x86_64
	arm64
	;;
*)
	say "usage: lambda.sh [x86_64|arm64]"
	exit 64
	;;
esac
printf '%-8s %-10s %12s %12s   %s\n' arch function zip program glibc
cat "$table"
