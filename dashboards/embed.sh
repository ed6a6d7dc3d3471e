#!/bin/sh
# embed.sh OUT.c - the files of dashboards/web/served.txt as compressed byte arrays (collector/http/assets.h).
# embed.sh --dir DIR - the same files, joined but not compressed, into a folder (the browser tests' fake collector).
#
# VERSION in the text of index.html becomes a hash of all other files: their addresses change with their content, so that
# they can be kept for ever, and a page never mixes two versions.
set -eu
cd "$(dirname "$0")/.."
web=dashboards/web

if [ ! -e node_modules/uplot ]; then
    echo "uPlot (the page's charts) is missing. Run: make deps" >&2
    exit 1
fi
sha256sum --quiet -c $web/served.sha256 >&2 || { echo "uPlot is not the version that is expected; remove node_modules, then run: make deps" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
names=$(sed 's/#.*//' $web/served.txt | awk 'NF { print $1 }')
for name in $names; do
    mkdir -p "$work/$(dirname "$name")"
    for part in $(awk -v name="$name" '$1 == name { for (i = 2; i <= NF; i++) print $i }' $web/served.txt); do
        case $part in
        node_modules/*) cat "$part" ;;
        *) cat "$web/$part" ;;
        esac
        echo
    done >"$work/$name"
done
version=$(cd "$work" && for name in $names; do sha256sum "$name"; done | sha256sum | cut -c1-16)
sed "s/VERSION/$version/g" "$work/index.html" >"$work/index.new"
mv "$work/index.new" "$work/index.html"

if [ "$1" = --dir ]; then
    mkdir -p "$2"
    cp -R "$work"/. "$2"
    echo "$version"
    exit 0
fi

type_of() {
    case $1 in
    *.html) echo 'text/html; charset=utf-8' ;;
    *.css) echo 'text/css; charset=utf-8' ;;
    *.js) echo 'text/javascript; charset=utf-8' ;;
    *.txt) echo 'text/plain; charset=utf-8' ;;
    *) echo "embed.sh: what type has $1?" >&2; exit 1 ;;
    esac
}
{
    echo '/* Written by dashboards/embed.sh. */'
    echo '#include "collector/http/assets.h"'
    n=0
    for name in $names; do
        echo "static const unsigned char BYTES_$n[] = {"
        gzip -9nc "$work/$name" | od -An -v -tx1 | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
        echo '};'
        n=$((n + 1))
    done
    echo "const char ASSETS_VERSION[] = \"$version\";"
    echo 'const struct asset ASSETS[] = {'
    n=0
    for name in $names; do
        hash=$(sha256sum "$work/$name" | cut -c1-16)
        echo "    {\"$name\", \"$(type_of "$name")\", \"\\\"$hash\\\"\", BYTES_$n, sizeof BYTES_$n, $(wc -c <"$work/$name")},"
        n=$((n + 1))
    done
    echo '    {0},'
    echo '};'
} >"$work/assets.c"
mv "$work/assets.c" "$1"
