#!/bin/sh
# Checks the files of infra/ with the programs that will read them: Prometheus' configuration and alarms by promtool (and what they
# say of series that are there or gone),
# the units by systemd-analyze, the balancer by HAProxy. On Debian it installs what is missing, elsewhere it says what to
# install. The tests run it.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
PATH=$PATH:/usr/sbin:/usr/local/sbin

say() { printf '%s\n' "$*" >&2; }

fail() {
	say "error: $*"
	exit 1
}

"$root/infra/setup/install.sh" infra

promtool check config "$root/infra/prometheus/prometheus.yml"
promtool test rules "$root/infra/prometheus/alerts_test.yml"

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
