#!/bin/sh
# Installs what Chappe needs and this machine lacks: a C compiler, a PostgreSQL server and for the tests a Redis server,
# through the system's package manager. Does nothing, quickly, where everything is there.
#
#   install.sh run       PostgreSQL only unless DATABASE_URL names a server
#   install.sh database  PostgreSQL always
#   install.sh test      PostgreSQL, Redis, RabbitMQ and PgBouncer always, as the tests start and stop their own, see
#                        servers.sh; the programs of others that the tests speak SMPP with, see interop.sh; and those
#                        that read the files of infra/, see tools.sh
#   install.sh infra     these last ones only
#   install.sh aws       moto, a fake AWS, only; see aws.sh
set -eu

purpose=${1:-run}
POSTGRES_MAJOR_MIN=15

say() { printf '%s\n' "$*" >&2; }

fail() {
	say "error: $*"
	exit 69
}

# Where a PostgreSQL server's programs may lie; crates/pgserver looks in the same places.
postgres_dirs() {
	pg_config --bindir 2>/dev/null || true
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/bin /usr/local/bin /usr/local/pgsql/bin \
		/opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
		/Library/PostgreSQL/*/bin /Applications/Postgres.app/Contents/Versions/*/bin; do
		printf '%s\n' "$dir"
	done
}

have_postgres() {
	postgres_dirs | while read -r dir; do
		[ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && [ -x "$dir/pg_ctl" ] || continue
		major=$("$dir/postgres" --version | sed -n 's/.*(PostgreSQL) \([0-9]*\).*/\1/p')
		[ "${major:-0}" -ge "$POSTGRES_MAJOR_MIN" ] && echo yes && break
	done | grep -q yes
}

# The same names as in crates/testkit. Newer distributions ship Valkey in its place.
have_redis() { command -v redis-server >/dev/null 2>&1 || command -v valkey-server >/dev/null 2>&1; }

have_compiler() { command -v cc >/dev/null 2>&1; }

# Root's rights for the package manager, where somebody grants them.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		say "sudo $*"
		sudo "$@"
	else
		fail "not root and no sudo; please run as root: $*"
	fi
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
}

# Debian starts a server of its own with the package; ours is private, so that is held off during the installation.
install_postgres_with_apt() {
	apt_install postgresql-common ca-certificates
	candidate=$(apt-cache depends postgresql | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -n 1)
	if [ "${candidate:-0}" -lt "$POSTGRES_MAJOR_MIN" ]; then
		say "this release carries PostgreSQL ${candidate:-unknown}; adding the packages of postgresql.org"
		as_root /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y
	fi
	hold=/etc/postgresql-common/createcluster.d/chappe.conf
	as_root mkdir -p "$(dirname "$hold")"
	echo 'create_main_cluster = false' | as_root tee "$hold" >/dev/null
	if apt_install postgresql; then status=0; else status=$?; fi
	as_root rm -f "$hold"
	return "$status"
}

# Debian starts a service with its package, unless a policy forbids it; ours are private. A policy that is there stays.
apt_install_unstarted() {
	policy=/usr/sbin/policy-rc.d
	if [ -e "$policy" ]; then
		apt_install "$@"
		return
	fi
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
	as_root chmod 755 "$policy"
	if apt_install "$@"; then status=0; else status=$?; fi
	as_root rm -f "$policy"
	return "$status"
}

# Nor is a service of these packages started with the machine.
apt_install_private() {
	apt_install_unstarted "$@" || return
	if [ -d /run/systemd/system ]; then as_root systemctl disable "$@" >/dev/null 2>&1 || true; fi
}

install_with_apt() {
	as_root apt-get update -q
	have_compiler || apt_install gcc g++ libc6-dev
	[ "$need_postgres" = no ] || install_postgres_with_apt
	[ "$need_redis" = no ] || apt_install_private redis-server
}

install_with_dnf() {
	have_compiler || as_root "$1" install -y gcc gcc-c++ glibc-devel
	[ "$need_postgres" = no ] || as_root "$1" install -y postgresql-server postgresql-contrib
	[ "$need_redis" = no ] || as_root "$1" install -y redis || as_root "$1" install -y valkey
}

install_with_apk() {
	have_compiler || as_root apk add gcc g++ musl-dev
	[ "$need_postgres" = no ] || as_root apk add postgresql postgresql-contrib
	[ "$need_redis" = no ] || as_root apk add redis || as_root apk add valkey
}

# Homebrew refuses to run as root, and needs no root.
install_with_brew() {
	have_compiler || fail "no C compiler; please run: xcode-select --install"
	[ "$need_postgres" = no ] || brew install postgresql@17
	[ "$need_redis" = no ] || brew install redis
}

install_missing() {
	if command -v apt-get >/dev/null 2>&1; then
		install_with_apt
	elif command -v dnf >/dev/null 2>&1; then
		install_with_dnf dnf
	elif command -v microdnf >/dev/null 2>&1; then
		install_with_dnf microdnf
	elif command -v apk >/dev/null 2>&1; then
		install_with_apk
	elif command -v brew >/dev/null 2>&1; then
		install_with_brew
	else
		fail "no package manager that I know (apt-get, dnf, apk, brew); please install:$missing"
	fi
}

if [ "$purpose" = infra ]; then
	. "$(dirname "$0")/tools.sh"
	tools
	exit
fi

if [ "$purpose" = aws ]; then
	. "$(dirname "$0")/interop.sh"
	. "$(dirname "$0")/aws.sh"
	fake_aws
	exit
fi

command -v cargo >/dev/null 2>&1 || fail "no cargo on the search path; install Rust from https://rustup.rs"

need_postgres=yes
if have_postgres; then need_postgres=no; fi
if [ "$purpose" = run ] && [ -n "${DATABASE_URL:-}" ]; then need_postgres=no; fi
need_redis=no
if [ "$purpose" = test ] && ! have_redis; then need_redis=yes; fi

missing=
have_compiler || missing="$missing a C compiler,"
[ "$need_postgres" = no ] || missing="$missing a PostgreSQL server ($POSTGRES_MAJOR_MIN or newer),"
[ "$need_redis" = no ] || missing="$missing a Redis server,"
missing=${missing%,}
if [ -n "$missing" ]; then
	say "installing what is missing:$missing"
	install_missing || fail "could not install$missing; please install by hand and try again"
	have_compiler || fail "there is still no C compiler (cc)"
	if [ "$need_postgres" = yes ]; then
		have_postgres || fail "there is still no PostgreSQL server $POSTGRES_MAJOR_MIN or newer"
	fi
	if [ "$need_redis" = yes ]; then have_redis || fail "there is still no Redis server"; fi
fi

if [ "$purpose" = test ]; then
	. "$(dirname "$0")/servers.sh"
	servers
	. "$(dirname "$0")/interop.sh"
	interop
	. "$(dirname "$0")/aws.sh"
	fake_aws
	. "$(dirname "$0")/tools.sh"
	tools
fi
