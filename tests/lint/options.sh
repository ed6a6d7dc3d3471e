#!/bin/sh
# options.sh [--write] PROGRAM... - docs/commands.md is what the programs' --help says, and no other document names an
# option that no program has. Options of other tools stand in foreign_options.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
write=
[ "${1-}" = --write ] && { write=1; shift; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

{
    echo "# Commands"
    echo
    echo "Every program with all it takes. This page is written by \`make docs\` from the option tables; \`make lint\`"
    echo "compares it with them."
    for program in "$@"; do
        printf '\n## %s\n\n```\n' "$(basename "$program")"
        "$program" --help
        echo '```'
    done
} >"$work/commands.md"

if [ -n "$write" ]; then
    mkdir -p "$root/docs"
    cp "$work/commands.md" "$root/docs/commands.md"
    exit 0
fi

status=0
if ! diff -u "$root/docs/commands.md" "$work/commands.md"; then
    echo "docs/commands.md is not what --help says: make docs" >&2
    status=1
fi

grep -oE -- '--[a-z][a-z0-9-]*' "$work/commands.md" | sort -u >"$work/known"
sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d' "$here/foreign_options" | sort -u >>"$work/known"
cd "$root"
for document in README.md docs/*.md; do
    [ "$document" = docs/commands.md ] && continue
    [ -e "$document" ] || continue
    grep -noE -- '(^|[^-A-Za-z0-9_])--[a-z][a-z0-9.-]*[a-z0-9]' "$document" | while IFS= read -r hit; do
        line=${hit%%:*}
        option=--${hit##*--}
        grep -qxF -- "$option" "$work/known" || echo "$document:$line: no program has the option $option"
    done
done >"$work/unknown"
if [ -s "$work/unknown" ]; then
    cat "$work/unknown"
    echo "(an option of another tool belongs into tests/lint/foreign_options)"
    status=1
fi
exit $status
