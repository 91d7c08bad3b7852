#!/bin/sh
# Checks the files of infra/ with the programs that will read them: Prometheus' configuration and alarms by promtool,
# the units by systemd-analyze, the balancer by HAProxy. On Debian it installs what is missing.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
PATH=$PATH:/usr/sbin:/usr/local/sbin

say() { printf '%s\n' "$*" >&2; }

fail() {
	say "error: $*"
	exit 1
}

# need <program> <Debian's package>
need() {
	command -v "$1" >/dev/null 2>&1 && return
	[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || fail "no $1 on this machine; please install $2"
	# Debian would start a server with the package, unless a policy forbids it.
	policy=/usr/sbin/policy-rc.d
	if [ -e "$policy" ]; then policy=; else printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy"; fi
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$2" >&2 || true
	[ -z "$policy" ] || rm -f "$policy"
	command -v "$1" >/dev/null 2>&1 || fail "could not install $2"
}

need promtool prometheus
need haproxy haproxy
need systemd-analyze systemd

promtool check config "$root/infra/prometheus/prometheus.yml"

# Names of other hosts mean nothing here, so the addresses are this machine's.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed 's/edge-[12]:2775/127.0.0.1:2775/' "$root/infra/compose/haproxy.cfg" >"$work/haproxy.cfg"
haproxy -c -q -f "$work/haproxy.cfg"

# The program need not be installed to check its units.
for unit in "$root"/infra/systemd/chappe*; do
	name=$(basename "$unit" | sed 's/@\./@1./')
	sed 's|/usr/local/bin/chappe|/bin/true|' "$unit" >"$work/$name"
done
for unit in "$work"/*.service "$work"/*.timer; do
	said=$(SYSTEMD_UNIT_PATH="$work:" systemd-analyze verify --man=no "$unit" 2>&1) || fail "$said"
	case "$said" in *"$work"*) fail "$said" ;; esac
done
say "the files of infra/ are well"
