#!/bin/sh
# Put Debian trixie's etcd (3.5) beside the installed one, for the tests: usr/bin/etcd under DIR.
#
#   tools/fetch_etcd.sh [DIR]        DIR: build/engines/etcd-3.5 of this repository
#
# The package comes through apt, from the mirror and with the keyring that this machine's own
# apt uses, but with a list, a state and a cache of its own: the system is left alone. apt
# checks the signatures as always; nothing unsigned is taken. Does nothing when DIR is there.
# Where it cannot be had: says so, leaves the reason in DIR.missing, and exits 0, so that the
# tests go on with one version, and say so too.
set -eu

suite=trixie
package=etcd-server
wanted=3.5.

root=$(cd "$(dirname "$0")/.." && pwd)
dir=${1:-$root/build/engines/etcd-3.5}

works() {
    "$1/usr/bin/etcd" --version 2>/dev/null | grep -q "^etcd Version: $wanted"
}

if works "$dir"; then
    rm -f "$dir.missing"
    exit 0
fi

mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "${TMPDIR:-/tmp}/yurpc-etcd.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work" # apt's own unprivileged user works in it

missing() {
    echo "$1" >"$dir.missing"
    {
        echo "********************************************************************************"
        echo "etcd 3.5 cannot be had: $1"
        [ ! -s "$work/log" ] || sed 's/^/    /' "$work/log" | tail -n 15
        echo "The tests that need it will be skipped, and the others run on one version of etcd only."
        echo "Once the cause is gone, run tools/fetch_etcd.sh again."
        echo "********************************************************************************"
    } >&2
    exit 0
}

for tool in apt-get dpkg-deb; do
    command -v "$tool" >/dev/null || missing "there is no $tool here"
done

# Both formats of apt's lists; of each entry only the plain suite of this release, made $suite.
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
[ -n "$codename" ] || missing "/etc/os-release does not name this Debian's release"
mkdir -p "$work/lists" "$work/state/lists/partial" "$work/cache/archives/partial"
for file in /etc/apt/sources.list.d/*.sources; do
    [ -r "$file" ] || continue
    # Paragraphs without comments; only those whose Suites have the codename as a word.
    grep -v '^#' "$file" | awk -v from="$codename" -v to="$suite" '
        BEGIN { RS = ""; FS = "\n"; ORS = "\n\n" }
        {
            found = 0
            for (i = 1; i <= NF; i++) {
                if (tolower($i) !~ /^suites:/)
                    continue
                count = split($i, words, /[ \t:]+/)
                for (j = 2; j <= count; j++)
                    found = found || words[j] == from
                $i = "Suites: " to
            }
            if (found) {
                for (i = 1; i <= NF; i++)
                    printf "%s\n", $i
                printf "\n"
            }
        }' >>"$work/lists/own.sources"
done
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -r "$file" ] || continue
    sed -En "s/^(deb[[:space:]].*[[:space:]])$codename([[:space:]].*)\$/\1$suite\2/p" "$file" \
        >>"$work/lists/own.list"
done
grep -qs "$suite" "$work"/lists/* || missing "apt's lists have no mirror of $codename"

cat >"$work/apt.conf" <<END
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "$work/lists";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State "$work/state";
Dir::State::status "/dev/null";
Dir::Cache "$work/cache";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
END

echo "fetching etcd 3.5 ($package of Debian $suite) into $dir"
timeout 300 apt-get -c "$work/apt.conf" -q --error-on=any update >"$work/log" 2>&1 ||
    missing "apt-get cannot read the lists of $suite (a keyring without its keys? see debian-archive-keyring)"
(cd "$work/cache" && timeout 300 apt-get -c "$work/apt.conf" -q download "$package") \
    >"$work/log" 2>&1 || missing "apt-get cannot download $package of $suite"
dpkg-deb -x "$work"/cache/"$package"_*.deb "$work/tree" >"$work/log" 2>&1 ||
    missing "the package cannot be unpacked"
works "$work/tree" || missing "its binary does not run here, or is not etcd $wanted"

# Two of us may run at once: what appears under the name is always whole.
cp -R "$work/tree" "$dir.$$"
rm -rf "$dir"
mv -T "$dir.$$" "$dir" 2>/dev/null || rm -rf "$dir.$$"
rm -f "$dir.missing"
"$dir/usr/bin/etcd" --version | head -n 1
