# Part of install.sh, purpose `test`: the programs of others that the tests of tests/it/interop speak SMPP with.
# Kannel, tshark, Python and Node come from the system's packages; smpplib and node-smpp, pinned by hash, from PyPI
# and npm into target/interop. tests/interop/README.md says what is tested with each.

interop_files=$(dirname "$0")/../../tests/interop
interop_target=${CARGO_TARGET_DIR:-target}/interop

# Debian keeps Kannel's programs out of the search path of ordinary users.
have_program() {
	command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/usr/local/sbin/$1" ] || [ -x "/opt/homebrew/sbin/$1" ]
}

# A Python that can make virtual environments; Debian splits that off.
interop_python() {
	for python in python3 /usr/bin/python3 /usr/local/bin/python3 /opt/homebrew/bin/python3; do
		if "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1; then
			echo "$python"
			return
		fi
	done
	return 1
}

interop_missing() {
	have_program bearerbox && have_program smsbox || echo Kannel
	have_program tshark || echo tshark
	interop_python >/dev/null || echo "Python 3 with venv"
	have_program node && have_program npm || echo "Node.js with npm"
}

# The packages of one family of systems for what is missing:
# interop_packages <kannel> <tshark> <python> <node>, each a list of names.
interop_packages() {
	have_program bearerbox && have_program smsbox || echo "$1"
	have_program tshark || echo "$2"
	interop_python >/dev/null || echo "$3"
	have_program node && have_program npm || echo "$4"
}

# Debian starts Kannel with the package; the tests start their own.
interop_install_with_apt() {
	as_root apt-get update -q
	# shellcheck disable=SC2046
	apt_install_unstarted $(interop_packages kannel tshark "python3 python3-venv" "nodejs npm")
}

# shellcheck disable=SC2046
interop_install_packages() {
	if command -v apt-get >/dev/null 2>&1; then
		interop_install_with_apt
	elif command -v dnf >/dev/null 2>&1; then
		as_root dnf install -y $(interop_packages kannel wireshark-cli python3 "nodejs npm")
	elif command -v apk >/dev/null 2>&1; then
		as_root apk add $(interop_packages kannel tshark python3 "nodejs npm")
	elif command -v brew >/dev/null 2>&1; then
		brew install $(interop_packages kannel wireshark python node)
	else
		return 1
	fi
}

# Done once for each version of the lists: interop_once <name> <list of what it installs> <command…>.
interop_once() {
	name=$1 list=$2
	shift 2
	mark=$interop_target/$name.installed
	if [ -e "$mark" ] && cmp -s "$mark" "$list"; then return; fi
	say "installing the packages of $list into $interop_target/$name"
	rm -rf "${interop_target:?}/$name" "$mark"
	mkdir -p "$interop_target"
	"$@" >&2 || fail "could not install the packages of $list; is the package registry reachable?"
	cp "$list" "$mark"
}

interop_smpplib() {
	"$(interop_python)" -m venv "$interop_target/python" &&
		"$interop_target/python/bin/python3" -m pip install --quiet --no-input --require-hashes \
			--disable-pip-version-check -r "$interop_files/python/requirements.txt"
}

interop_node_smpp() {
	mkdir -p "$interop_target/node" &&
		cp "$interop_files/node/package.json" "$interop_files/node/package-lock.json" "$interop_target/node" &&
		npm ci --prefix "$interop_target/node" --ignore-scripts --no-audit --no-fund --loglevel=error
}

interop() {
	lacking=$(interop_missing)
	if [ -n "$lacking" ]; then
		say "installing what the interop tests lack:" $lacking
		interop_install_packages || true
		lacking=$(interop_missing)
		[ -z "$lacking" ] || fail "still missing for the interop tests:" $lacking "- please install by hand and try again"
	fi
	interop_once python "$interop_files/python/requirements.txt" interop_smpplib
	interop_once node "$interop_files/node/package-lock.json" interop_node_smpp
}
