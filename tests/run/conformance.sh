#!/bin/sh
# conformance.sh BIN SHARED - the field's PromQL scripts against the engine, then over HTTP against a collector.
#
# The first runs every evaluation, and each instant one twice more. The second starts a collector per load; what it says is
# counted, as the driver itself misreads six evaluations (it takes "0x10" for sixteen, keeps labels without a value, and sends a series
# twice). It cannot read start stamps, so that script is left to the first. Neither count may fall: tests/conformance.count.
set -eu
bin=$1 shared=$2
driver=$shared/tools/promqltest.py
scripts=$(ls "$shared"/conformance/promql/*.test 2>/dev/null | grep -v /start_timestamps.test) || {
    echo "skipped, no conformance data in $shared" >&2
    exit 0
}
"$bin"/tests/unit/collector/promql/test_conformance
recorded=$(sed -n 's/^promql over http right //p' tests/conformance.count)
out=$(mktemp)
trap 'rm -f "$out"' EXIT
# shellcheck disable=SC2086
python3 "$driver" run --verbose 20 --start "$bin/crest-collector --listen 127.0.0.1:{port} --data {dir}" $scripts >"$out" || :
cat "$out"
right=$(sed -n 's/^promql: \([0-9]*\) of .*/\1/p' "$out")
echo "promql over http right ${right:-0} (recorded: ${recorded:-0})"
[ "${right:-0}" -ge "${recorded:-0}" ] || {
    echo "fewer are right than were: tests/conformance.count" >&2
    exit 1
}
