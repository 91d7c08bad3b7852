# Part of install.sh, purpose `test`: servers that the tests start and stop themselves, each a private one: RabbitMQ, and
# PgBouncer, which stands in for the poolers of clouds.

# The same places as in crates/testkit: Debian's programs on the search path want to be root.
have_rabbitmq() {
	for dir in /usr/lib/rabbitmq/bin /usr/lib/rabbitmq/sbin /opt/homebrew/sbin /usr/local/sbin /usr/sbin /usr/bin; do
		if [ -x "$dir/rabbitmq-server" ]; then return 0; fi
	done
	return 1
}

have_pgbouncer() { command -v pgbouncer >/dev/null 2>&1 || [ -x /usr/sbin/pgbouncer ]; }

servers_missing() {
	have_rabbitmq || echo rabbitmq-server
	have_pgbouncer || echo pgbouncer
}

# shellcheck disable=SC2046
servers_install() {
	if command -v apt-get >/dev/null 2>&1; then
		as_root apt-get update -q
		apt_install_private $(servers_missing)
	elif command -v dnf >/dev/null 2>&1; then
		as_root dnf install -y $(servers_missing)
	elif command -v apk >/dev/null 2>&1; then
		as_root apk add $(servers_missing)
	elif command -v brew >/dev/null 2>&1; then
		brew install $(servers_missing | sed 's/rabbitmq-server/rabbitmq/')
	else
		fail "no package manager that I know (apt-get, dnf, apk, brew); please install: $(servers_missing | tr '\n' ' ')"
	fi
}

servers() {
	missing=$(servers_missing | tr '\n' ' ')
	[ -n "$missing" ] || return 0
	say "installing what is missing: $missing"
	servers_install || fail "could not install $missing; please install it by hand and try again"
	missing=$(servers_missing | tr '\n' ' ')
	[ -z "$missing" ] || fail "there is still no $missing"
}
