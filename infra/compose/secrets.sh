#!/bin/sh
# Makes the secrets of a compose installation, each in a file of its own, in the folder `secrets` beside this script.
# Run it once; what is there stays as it is, so that running it again adds only what is missing.
#
#   secrets.sh [folder]
#
# The folder is closed to everybody but its owner; the files in it can be read by whoever gets in, because the
# processes in the containers, to which single files are handed, run as other users.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
secrets=${1:-$here/secrets}

umask 077
mkdir -p "$secrets"
chmod 700 "$secrets"

# 32 random bytes, in hexadecimal: they go into URLs, where base64 would have to be escaped.
random_hex() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# 32 random bytes in base64, as CHAPPE_SECRET_KEY wants them.
random_base64() { head -c 32 /dev/urandom | base64; }

# keep <name>: writes standard input into the secret of this name, unless it is there. A crash leaves no half file.
keep() {
	if [ -s "$secrets/$1" ]; then
		cat >/dev/null
		return
	fi
	cat >"$secrets/$1.new"
	chmod 444 "$secrets/$1.new"
	mv "$secrets/$1.new" "$secrets/$1"
	echo "made $secrets/$1" >&2
}

value() { cat "$secrets/$1"; }

random_base64 | keep secret_key
random_hex | keep postgres_password
random_hex | keep rabbitmq_password
random_hex | keep redis_password
random_hex | keep grafana_password

# What is derived from them: addresses with passwords, and the files in the forms of the servers.
printf 'postgres://chappe:%s@postgres:5432/chappe\n' "$(value postgres_password)" | keep database_url
printf 'amqp://chappe:%s@rabbitmq:5672/%%2f\n' "$(value rabbitmq_password)" | keep queue_url
printf 'redis://:%s@redis:6379\n' "$(value redis_password)" | keep redis_url
printf 'default_user = chappe\ndefault_pass = %s\n' "$(value rabbitmq_password)" | keep rabbitmq.conf
printf 'requirepass %s\n' "$(value redis_password)" | keep redis.conf
