# Part of install.sh, purposes `test` and `aws`, after interop.sh: moto, a fake AWS, from PyPI into target/aws, with the pins of
# `make infra-test`, which takes it from here, too. The tests of the queue on SQS start one each; crates/queue/SQS.md tells how
# to try one by hand.

aws_target=${CARGO_TARGET_DIR:-target}/aws
aws_files=$(dirname "$0")/fake-aws

# Done once for each version of the pins.
fake_aws() {
	wanted=$(grep '^moto' "$aws_files/requirements.txt"; cat "$aws_files/constraints.txt")
	mark=$aws_target/installed
	if [ -e "$mark" ] && [ "$wanted" = "$(cat "$mark")" ]; then return; fi
	say "installing moto into $aws_target"
	rm -rf "$aws_target"
	mkdir -p "$aws_target"
	{
		"$(interop_python)" -m venv "$aws_target" &&
			"$aws_target/bin/python3" -m pip install --quiet --no-input --disable-pip-version-check \
				--constraint "$aws_files/constraints.txt" "$(grep '^moto' "$aws_files/requirements.txt")"
	} >&2 || fail "could not install moto; is the package registry reachable?"
	printf '%s' "$wanted" >"$mark"
}
