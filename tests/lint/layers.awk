# layers.awk - who may include whom (docs/architecture.md draws it), which room owns a third-party header, and calls
# that only one file may make. Input: C files; output: one line per finding; exit 1 when there is one.
#
# allow[ROOM] lists the rooms it may include beside itself; a trailing * stands for all rooms below.
BEGIN {
    allow["lib/base"] = ""
    allow["lib/metric"] = "lib/base"
    allow["lib/match"] = "lib/base"
    allow["lib/wire"] = "lib/base lib/metric"
    allow["lib/httpd"] = "lib/base lib/metric lib/wire"
    allow["lib/db"] = "lib/base"
    allow["lib/chart"] = "lib/base"
    allow["lib/term"] = "lib/base"

    # The collector's rooms from left to right: each may include what stands to its right, and the library.
    n = split("http view event insight slo notify rules query promql store", chain, " ")
    right = "lib/* collector/template collector/live collector/state collector/alert.h"
    for (i = n; i >= 1; i--) {
        allow["collector/" chain[i]] = right
        right = right " collector/" chain[i]
    }
    allow["collector"] = right
    allow["collector/template"] = "lib/*"
    allow["collector/state"] = "lib/base lib/metric lib/db"
    allow["collector/live"] = "lib/base lib/wire"

    allow["loadgen/hurl"] = "lib/*"
    allow["loadgen/engine"] = "lib/* loadgen/hurl"
    allow["loadgen/import"] = "lib/* loadgen/hurl"
    allow["loadgen/compare"] = "lib/*"
    allow["loadgen/bottleneck"] = "lib/* loadgen/hurl loadgen/engine loadgen/report.h"
    allow["loadgen/limit"] = "lib/* loadgen/hurl loadgen/engine loadgen/bottleneck loadgen/report.h"
    allow["loadgen/synthetic"] = "lib/* loadgen/hurl loadgen/engine loadgen/import/names.h"
    allow["loadgen/trial"] = "lib/* loadgen/hurl loadgen/engine"
    allow["loadgen/rehearsal"] = "lib/* loadgen/hurl"
    allow["loadgen/workers"] = "lib/* loadgen/hurl loadgen/engine"
    allow["loadgen"] = "lib/* loadgen/*"
    allow["agent"] = "lib/*"
    allow["tui"] = "lib/*"
    allow["shop"] = "lib/*"

    # The only rooms that may include a third-party header.
    only["sqlite3.h"] = "lib/db"
    only["microhttpd.h"] = "lib/httpd"
    only["curl/curl.h"] = "lib/wire loadgen/engine"
    only["pcre2.h"] = "lib/match"
    only["curses.h"] = only["ncurses.h"] = only["ncursesw/curses.h"] = "lib/term"
    only["yaml.h"] = only["jansson.h"] = only["snappy-c.h"] = "lib/wire"

    # Calls that belong to one place, with the way to do it instead.
    call["pthread_create"] = "lib/base/thread.c: threads start through lib/base/thread.h"
    call["fork"] = "lib/base/process.c: programs start through lib/base/process.h"
    call["vfork"] = call["popen"] = call["system"] = call["fork"]
    call["strtod"] = call["strtol"] = call["strtoul"] = call["strtoll"] = call["strtoull"] = call["sscanf"] = \
        "lib/base/number_parse.c: text becomes numbers through lib/base/number.h"
    call["signal"] = call["sigaction"] = "lib/base/daemon.c lib/base/process.c lib/term/term_signals.c: signals belong to lib/base/daemon.h"
    call["setlocale"] = "lib/term: only the terminal needs the locale"
}

# The longest room that holds the path, "" when none does.
function room_of(path, r) {
    r = path
    while (sub(/\/[^\/]*$/, "", r))
        if (r in allow)
            return r
    return ""
}

function in_list(what, list, parts, n, i) {
    n = split(list, parts, " ")
    for (i = 1; i <= n; i++) {
        if (parts[i] == what)
            return 1
        if (parts[i] ~ /\*$/ && index(what, substr(parts[i], 1, length(parts[i]) - 1)) == 1)
            return 1
    }
    return 0
}

function finding(words) {
    printf "%s:%d: %s\n", FILENAME, FNR, words
    findings++
}

FNR == 1 {
    here = room_of(FILENAME)
    is_test = FILENAME ~ /^tests\//
    if (!is_test && here == "")
        finding("the file is in no room that layers.awk knows")
    in_comment = 0
}

/^[ \t]*#[ \t]*include/ {
    if (match($0, /"[^"]+"/) && !is_test) {
        target = substr($0, RSTART + 1, RLENGTH - 2)
        there = room_of(target)
        if (target ~ /^tests\//)
            finding("a program includes a test's header " target)
        else if (there == "" && target ~ /\//)
            finding("\"" target "\" is in no room that layers.awk knows")
        else if (there != "" && there != here && !in_list(there, allow[here]) && !in_list(target, allow[here]))
            finding(here " may not include " there " (\"" target "\")")
    }
    if (match($0, /<[^>]+>/)) {
        header = substr($0, RSTART + 1, RLENGTH - 2)
        if (header in only && !is_test && !in_list(here, only[header]))
            finding("<" header "> belongs to " only[header] " only")
    }
    next
}

!is_test {
    line = $0
    gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
    gsub(/\/\*[^*]*\*\//, "", line)
    sub(/\/\/.*/, "", line)
    if (in_comment) {
        if (!sub(/^.*\*\//, "", line))
            next
        in_comment = 0
    }
    if (sub(/\/\*.*/, "", line))
        in_comment = 1
    while (match(line, /[A-Za-z_][A-Za-z_0-9]*[ ]*\(/)) {
        before = substr(line, RSTART - 1, 1)
        name = substr(line, RSTART, RLENGTH - 1)
        sub(/ +$/, "", name)
        line = substr(line, RSTART + RLENGTH)
        if (!(name in call) || before == "." || before == ">")
            continue
        owners = call[name]
        sub(/:.*/, "", owners)
        if (!in_list(FILENAME, owners) && !in_list(here, owners))
            finding(name "() belongs to " call[name])
    }
}

END { exit findings > 0 }
