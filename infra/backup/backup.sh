#!/bin/sh
# Backs the database up while everything runs: one consistent moment of accounts, money, messages, and, where the queues
# are in PostgreSQL, of the queues.
#
#   DATABASE_URL=postgres://… backup.sh <folder> [how many to keep, 14]
#
# Prints the path of what it made: chappe-<time in UTC>.dump, with its sum beside it. A dump that cannot be read back is
# an error, and nothing older is removed then. What is not in it: CHAPPE_SECRET_KEY, without which passwords of operators
# and keys of customers are worth nothing. Keep that elsewhere.
set -eu

folder=${1:?usage: backup.sh <folder> [how many to keep]}
keep=${2:-14}
. "$(dirname "$0")/database.sh"

umask 077
mkdir -p "$folder"
made=$folder/chappe-$(date -u +%Y%m%dT%H%M%SZ).dump
trap 'rm -f "$made.part"' EXIT

pg_dump --format=custom --compress=6 --no-owner --no-privileges --file="$made.part" --dbname="$url"
# The table of contents is at the end and names every table: a dump that broke off has none.
pg_restore --list "$made.part" | grep -q ' TABLE public messages ' || fail "the dump does not hold the messages"
sync
mv "$made.part" "$made"
(cd "$folder" && sha256sum "$(basename "$made")" >"$(basename "$made").sha256")

# The names sort by time.
count=0
for old in $(ls -r "$folder" | grep '^chappe-[0-9TZ]*\.dump$'); do
	count=$((count + 1))
	if [ "$count" -gt "$keep" ]; then rm -f "$folder/$old" "$folder/$old.sha256"; fi
done
printf '%s\n' "$made"
