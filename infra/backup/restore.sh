#!/bin/sh
# Restores a backup into an empty database, and proves that the books are right.
#
#   DATABASE_URL=postgres://… restore.sh <file.dump>
#
# Refuses a database that has tables: make a new one and point the platform at it, so that the old one can still be
# looked at. Nothing of Chappe may run on it yet. CHAPPE names the program (chappe).
set -eu

dump=${1:?usage: restore.sh <file.dump>}
chappe=${CHAPPE:-chappe}
. "$(dirname "$0")/database.sh"

[ -r "$dump" ] || fail "cannot read $dump"
if [ -e "$dump.sha256" ]; then
	(cd "$(dirname "$dump")" && sha256sum --quiet -c "$(basename "$dump").sha256") || fail "$dump is damaged"
fi
tables=$(psql --no-psqlrc -Atqc "SELECT count(*) FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')" "$url")
[ "$tables" = 0 ] || fail "the database has $tables tables; restore into an empty one"

# All or nothing.
pg_restore --exit-on-error --single-transaction --no-owner --no-privileges --dbname="$url" "$dump"
psql --no-psqlrc -qc "ANALYZE" "$url"
# The program may be newer than the backup.
"$chappe" migrate
"$chappe" ledger verify
say "restored; before the edges start, read infra/DEPLOY.md, \"After a restore\""
