# Part of install.sh, purposes `test` and `infra`: the programs that ops.sh judges the files of infra/ with.

# <program> <Debian's package>, a line each. Debian keeps some where only root looks.
TOOLS="promtool prometheus
haproxy haproxy
systemd-analyze systemd"

have_tool() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }

tools_missing() {
	printf '%s\n' "$TOOLS" | while read -r program package; do have_tool "$program" || echo "$package"; done
}

# shellcheck disable=SC2046
tools_install() {
	command -v apt-get >/dev/null 2>&1 || fail "no apt-get; please install: $(tools_missing | tr '\n' ' ')"
	as_root apt-get update -q
	apt_install_unstarted $(tools_missing)
}

tools() {
	missing=$(tools_missing | tr '\n' ' ')
	[ -n "$missing" ] || return 0
	say "installing what is missing: $missing"
	before=$missing
	tools_install || fail "could not install $before; please install it by hand and try again"
	# A service that came with its program is not for us.
	if [ -d /run/systemd/system ]; then as_root systemctl disable prometheus haproxy >/dev/null 2>&1 || true; fi
	missing=$(tools_missing | tr '\n' ' ')
	[ -z "$missing" ] || fail "there is still no $missing"
}
