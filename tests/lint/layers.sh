#!/bin/sh
# layers.sh - runs layers.awk over every C file, and looks at names: no folder or file is a drawer for leftovers.
set -eu
cd "$(dirname "$0")/../.."
# find, not git: a checkout that belongs to somebody else is no repository to git, and would pass as empty
all=$(find . \( -name .git -o -name build -o -name node_modules \) -prune -o -print | sed 's|^\./||')
files=$(echo "$all" | grep '\.[ch]$')
status=0
# shellcheck disable=SC2086
awk -f tests/lint/layers.awk $files || status=1
bad=$(echo "$all" | grep -E '(^|/)(utils?|common|misc|helpers?)(/|\.[a-z]+$|$)' || true)
if [ -n "$bad" ]; then
    echo "names that say nothing (no folder or file named utils, common, misc or helpers):"
    echo "$bad"
    status=1
fi
exit $status
