# Read by backup.sh and restore.sh: which database. DATABASE_URL, or the file that DATABASE_URL_FILE names.
# The password goes by the environment, as the arguments of a process can be seen by everybody on the machine; one with
# escapes (%) in it stays in the address.
say() { printf '%s\n' "$*" >&2; }

fail() {
	say "error: $*"
	exit 1
}

url=${DATABASE_URL:-}
if [ -z "$url" ] && [ -n "${DATABASE_URL_FILE:-}" ]; then url=$(cat "$DATABASE_URL_FILE"); fi
[ -n "$url" ] || fail "no database: set DATABASE_URL or DATABASE_URL_FILE"

password=$(printf '%s' "$url" | sed -n 's|^[a-z]*://[^:/@]*:\([^@/%]*\)@.*$|\1|p')
if [ -n "$password" ]; then
	export PGPASSWORD="$password"
	url=$(printf '%s' "$url" | sed 's|^\([a-z]*://[^:/@]*\):[^@/]*@|\1@|')
fi
