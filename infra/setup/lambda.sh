#!/bin/sh
# Builds every function for AWS Lambda: target/lambda/<arch>/<function>.zip, each with one executable `bootstrap` for the
# runtime provided.al2023. The same programs make the same bytes. Ends with a table of sizes, after each function was
# started out of its zip where this machine can run it.
#
#   lambda.sh                x86_64, and arm64 where the compiler has that target
#   lambda.sh x86_64|arm64   one of them; arm64 fetches its target where it is missing
#
# x86_64 is built by plain cargo on a machine of that kind; arm64 by cargo-zigbuild, which brings the other machine's
# linker and C library. Both must start on the C library of Amazon Linux 2023.
set -eu
cd "$(dirname "$0")/../.."

GLIBC_MAX=2.34
# What Lambda takes directly (AWS Lambda, "Lambda quotas": 50 MB).
ZIP_BYTES_MAX=52428800
files=infra/setup
ARM64=aarch64-unknown-linux-gnu
# Where infra/terraform looks for the zips, wherever cargo builds.
zips=target/lambda
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

# build <subcommand of cargo> [arguments]: compiles all functions at once, without what only other hosts need.
build() {
	packages= features=
	for function in $(functions); do
		packages="$packages --package $function --bin chappe-$function"
		features="$features $function/lambda"
	done
	# shellcheck disable=SC2086
	"$cargo" "$@" --locked --profile function $packages --no-default-features --features "$features"
}

# The newest version of the C library that a program asks for, by what stands in the program itself. A name without a
# number (GLIBC_ABI_DT_RELR) came with 2.36 or later.
newest_glibc() {
	if grep -aq 'GLIBC_ABI_' "$1"; then echo 2.36; else grep -aoE 'GLIBC_2\.[0-9]+' "$1" | sed 's/GLIBC_//' | sort -uV | tail -n 1; fi
}

# Whether this machine runs programs of that kind.
can_run() { [ "$(uname -s)" = Linux ] && [ "$(uname -m | sed s/aarch64/arm64/)" = "$1" ]; }

# pack <arch> <folder of the programs>
pack() {
	out=$zips/$1
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
	if can_run "$1"; then
		python3 "$files/lambda-start.py" "$out" >>"$starts"
	else
		say "the functions for $1 were not started: this is $(uname -sm)"
	fi
}

x86_64() {
	[ "$(uname -sm)" = "Linux x86_64" ] || fail "x86_64 is built on Linux on x86-64; this is $(uname -sm)"
	build build
	pack x86_64 "$target/function"
}

# The compiler's own library for arm64 is there.
have_arm64() { [ -d "$(rustc --print sysroot)/lib/rustlib/$ARM64/lib" ]; }

# What links for arm64.
have_zig() {
	if ! cmp -s "$files/lambda-requirements.txt" "$tools/installed"; then
		rm -rf "$tools"
		python3 -m venv "$tools" >&2
		"$tools/bin/python3" -m pip install --quiet --no-input --disable-pip-version-check --require-hashes \
			-r "$files/lambda-requirements.txt" >&2
		cp "$files/lambda-requirements.txt" "$tools/installed"
	fi
}

arm64() {
	have_zig
	(PATH=$(cd "$tools/bin" && pwd):$PATH && build zigbuild --target "$ARM64.$GLIBC_MAX")
	pack arm64 "$target/$ARM64/function"
}

asked=${1:-all}
table=$(mktemp) starts=$(mktemp)
trap 'rm -f "$table" "$starts"' EXIT
case $asked in
x86_64) x86_64 ;;
arm64)
	have_arm64 || rustup target add "$ARM64" >&2 || fail "the compiler's target $ARM64 is missing and cannot be had here"
	arm64
	;;
all)
	x86_64
	if have_arm64; then
		arm64
	else
		say "arm64 is left out, for the compiler has no target $ARM64; \`$files/lambda.sh arm64\` fetches and builds it"
	fi
	;;
*)
	say "usage: lambda.sh [x86_64|arm64]"
	exit 64
	;;
esac
printf '%-8s %-10s %12s %12s   %s\n' arch function zip program glibc
cat "$table"
[ ! -s "$starts" ] || { echo && cat "$starts"; }
