#!/bin/sh
# packages.sh [--check | --optional] GROUP... - what of these groups of packages.txt is missing?
#
#   ./packages.sh build               installs it on Debian (root or sudo); asks first when a terminal is attached,
#                                     YES=1 answers. Elsewhere it names what to install and fails.
#   ./packages.sh --check build       only looks: names what is missing and fails
#   ./packages.sh --optional peer     where it cannot install it names what is missing and succeeds
#
# Nothing that gets installed is started: a policy-rc.d forbids it meanwhile, and the services that came along are
# disabled, so that they do not come up with the next boot either.
set -eu
cd "$(dirname "$0")"

mode=install
case "${1-}" in
--check | --optional) mode=${1#--}; shift ;;
esac
[ $# -gt 0 ] || { echo "usage: $0 [--check | --optional] GROUP..." >&2; exit 2; }

present() { # PROBE
    case "$1" in
    pc:*) "${PKG_CONFIG:-pkg-config}" --exists "${1#pc:}" 2>/dev/null ;;
    cmd:*) PATH="$PATH:/usr/sbin:/sbin" command -v "${1#cmd:}" >/dev/null 2>&1 ;;
    f:*) [ -e "${1#f:}" ] ;;
    h:*) echo "#include <${1#h:}>" | "${CC_PROBE:-cc}" -E - >/dev/null 2>&1 ;;
    *) echo "packages.txt: unknown probe $1" >&2; exit 2 ;;
    esac
}

missing= # package names
words=   # one line each, for people
for group in "$@"; do
    grep -q "^$group " packages.txt || { echo "packages.txt has no group '$group'" >&2; exit 2; }
    while read -r in_group package probe reason; do
        [ "$in_group" = "$group" ] || continue
        present "$probe" && continue
        missing="$missing $package"
        words="$words  $package: $reason ($probe not found)
"
    done <packages.txt
done
[ -n "$missing" ] || exit 0

echo "Missing:" >&2
printf '%s' "$words" >&2

give_up() { # REASON
    echo "$1" >&2
    [ "$mode" = optional ] && { echo "Going on without: the tests that need it are skipped." >&2; exit 0; }
    exit 1
}
[ "$mode" = check ] && exit 1
command -v apt-get >/dev/null 2>&1 ||
    give_up "These are Debian's names; please install what your system calls them."
as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || give_up "Please run as root: apt-get install --no-install-recommends$missing"
    as_root=sudo
    [ -t 0 ] || as_root="sudo -n"
    $as_root true 2>/dev/null || give_up "Please run as root: apt-get install --no-install-recommends$missing"
fi
if [ -t 0 ] && [ "${YES-}" != 1 ]; then
    printf 'Install them with apt-get? [y/N] ' >&2
    read -r answer
    case "$answer" in
    y | Y | yes) ;;
    *) give_up "Nothing was installed." ;;
    esac
fi

# ---- install, and start nothing ----
policy=${CREST_POLICY_RC_D:-/usr/sbin/policy-rc.d} # another one for the test of this script
saved=$policy.before-crest # an interrupted run leaves it: then it is still the one to put back
restore_policy() {
    if [ -e "$saved" ]; then $as_root mv -f "$saved" "$policy"; else $as_root rm -f "$policy"; fi
}
ours="# written by Crest's packages.sh while it installs"
before=$(mktemp)
trap 'rm -f "$before"; restore_policy' EXIT
trap 'exit 130' INT TERM HUP
if [ -e "$policy" ] && [ ! -e "$saved" ] && ! grep -qF "$ours" "$policy"; then $as_root cp -p "$policy" "$saved"; fi
printf '#!/bin/sh\n%s\nexit 101\n' "$ours" | $as_root tee "$policy" >/dev/null
$as_root chmod 755 "$policy"

installed() { dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' | sed -n 's/^ii //p' | sort; }
installed >"$before"
$as_root apt-get -o DPkg::Lock::Timeout=300 update -q >&2 || echo "apt-get update failed; trying with the lists that are here" >&2
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -q -y --no-install-recommends $missing >&2 ||
    give_up "apt-get could not install them."

command -v systemctl >/dev/null 2>&1 || exit 0 # nothing here would start them at the next boot
for package in $(installed | comm -13 "$before" -); do
    for unit in $(dpkg -L "$package" | sed -nE 's#^(/usr)?/lib/systemd/system/([^/@]+\.(service|timer|socket))$#\2#p'); do
        $as_root systemctl --quiet disable "$unit" >/dev/null 2>&1 || true
    done
done
