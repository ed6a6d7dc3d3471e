#!/bin/sh
# embed.sh OUT.c - the ready mixes (each folder beside this file) as byte arrays (loadgen/mix/mix.h).
set -eu
cd "$(dirname "$0")"
out=$1
{
    echo '#include "loadgen/mix/mix.h"'
    i=0
    list=''
    for file in */*.yml */*.hurl */*.csv; do
        echo "static const unsigned char file_$i[] = {"
        od -An -v -tu1 "$file" | sed 's/[0-9][0-9]*/&,/g'
        echo '};'
        list="$list    {\"${file%/*}\", \"${file#*/}\", file_$i, sizeof file_$i},
"
        i=$((i + 1))
    done
    printf 'const struct mix_file MIX_FILES[] = {\n%s    {0}};\n' "$list"
} >"$out"
