#!/bin/sh
# coverage.sh - every row of docs/coverage.md names tests that exist, a check or a bench of the Makefile, or says `missing`.
# A test is written `FOLDER/test_FILE.c: NAME, NAME` below tests/ (`browser/FILE.mjs: ITS TITLE` of the page); a target `make NAME`.
set -eu
cd "$(dirname "$0")/../.."
awk '
function wrong(words) { printf "docs/coverage.md:%d: %s\n", FNR, words; bad = 1 }
function is_there(path,    text, line) {
    if (!(path in source)) {
        text = ""
        while ((getline line <path) > 0)
            text = text line "\n"
        close(path)
        source[path] = text
    }
    if (source[path] == "")
        wrong("there is no " path)
    return source[path] != ""
}
function check_title(path, title) {
    if (is_there(path) && !index(source[path], "test(\047" title "\047"))
        wrong(path " has no test " title)
}
function check_test(path, names,    n, i, name) {
    if (!is_there(path))
        return
    n = split(names, name, ", *")
    for (i = 1; i <= n; i++)
        if (source[path] !~ "[^a-zA-Z0-9_]" name[i] "[^a-zA-Z0-9_]")
            wrong(path " has no test " name[i])
}
FILENAME == "Makefile" { makefile = makefile $0 "\n"; next }
/^\| / && !/^\| (requirement|---)/ {
    rows++
    if (split($0, cell, " *\\| *") != 4) { wrong("a row is | requirement | shown by |"); next }
    shown = cell[3]
    if (shown !~ /`/ && shown !~ /^missing/)
        wrong("neither a test nor `missing`")
    while (match(shown, /`[^`]*`/)) {
        piece = substr(shown, RSTART + 1, RLENGTH - 2)
        shown = substr(shown, RSTART + RLENGTH)
        if (piece ~ /^(unit|e2e|bench|fuzz)\/[^:]*\.c: /)
            check_test("tests/" substr(piece, 1, index(piece, ":") - 1), substr(piece, index(piece, ": ") + 2))
        else if (piece ~ /^browser\/[^:]*\.mjs: /)
            check_title("tests/" substr(piece, 1, index(piece, ":") - 1), substr(piece, index(piece, ": ") + 2))
        else if (piece ~ /^make bench-/) {
            if ((getline line <("tests/bench/" substr(piece, 12) ".c")) <= 0)
                wrong("there is no tests/bench/" substr(piece, 12) ".c")
        } else if (piece ~ /^make [a-z-]+$/) {
            if (makefile !~ "\n" substr(piece, 6) ":")
                wrong("the Makefile has no target " substr(piece, 6))
        }
    }
}
END {
    if (rows == 0) { print "docs/coverage.md has no rows"; bad = 1 }
    exit bad
}' Makefile docs/coverage.md
