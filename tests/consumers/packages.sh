#!/usr/bin/env bash
# lk-parallel | SPDX-License-Identifier: MIT
# packages.sh CPACK BUILD SOURCE OUT PROGRAM...: packs what is built in BUILD twice, and looks at what users of the Debian
# packages rely on. Leaves the unpacked packages in OUT/dev and OUT/tools.
set -euo pipefail

cpack=$1 build=$2 source=$3 out=$4
programs=("${@:5}")
failures=0

fail() {
  printf 'packages.sh: %s\n' "$*" >&2
  failures=$((failures + 1))
}

pack() { # FOLDER
  "$cpack" --config "$build/CPackConfig.cmake" -G DEB -B "$1" >"$out/cpack.log" 2>&1 || {
    cat "$out/cpack.log" >&2
    exit 1
  }
  rm -r "$1/_CPack_Packages"
}

field_matches() { # PACKAGE FIELD REGEX
  local value
  value=$(dpkg-deb --field "$1" "$2")
  [[ $value =~ $3 ]] || fail "$(basename "$1"): the field $2 is \"$value\", which does not match \"$3\""
}

# The paths of a package are the lines of standard input, in any order.
holds() { # TREE
  local differences
  differences=$(diff <(sort) <(cd "$1" && find . -type f | sort)) || fail "$1: expected (<) and found (>):"$'\n'"$differences"
}

documents() { # PACKAGE
  printf './usr/share/doc/%s/%s\n' "$1" copyright "$1" changelog.gz "$1" changelog.Debian.gz
}

sound() { # PACKAGE TREE
  local odd
  dpkg-deb --raw-extract "$1" "$2"
  (cd "$2" && md5sum --check --quiet DEBIAN/md5sums) || fail "$1: md5sums do not fit"
  rm -r "$2/DEBIAN"
  odd=$(dpkg-deb --contents "$1" | awk '!/^(drwxr-xr-x|-rwxr-xr-x|-rw-r--r--) root\/root /')
  [ -z "$odd" ] || fail "$1: odd owners or rights:"$'\n'"$odd"
  field_matches "$1" Version '^[0-9.]+-0upstream1$'
  field_matches "$1" Maintainer '^.+ <.+@.+>$'
  field_matches "$1" Description $'^[^\n]{1,79}\n .'
}

rm -rf "$out"
mkdir -p "$out"
umask 022
export SOURCE_DATE_EPOCH=1700000000
pack "$out/packages"
pack "$out/again"
diff -r "$out/packages" "$out/again" || fail "the second packing gave other bytes than the first"

dev=$(echo "$out"/packages/liblk-parallel-dev_*_all.deb)
sound "$dev" "$out/dev"
field_matches "$dev" Architecture '^all$'
field_matches "$dev" Section '^libdevel$'
for package in libtbb-dev libhwloc-dev libspdlog-dev; do
  field_matches "$dev" Depends "(^|, )$package \(>= [0-9.:]+\)(,|$)"
done
{
  (cd "$source/include" && find . -name '*.hpp' -printf './usr/include/%P\n')
  printf './usr/share/cmake/lk-parallel/%s\n' {Findhwloc,compiled,lk-parallel-{config,config-version,targets}}.cmake definitions.cpp
  printf './usr/share/pkgconfig/lk-parallel.pc\n'
  documents liblk-parallel-dev
} | holds "$out/dev"
find "$out/dev" -exec touch {} + # the packed dates never change, so what was compiled before would look up to date

tools=$(echo "$out"/packages/lk-parallel-tools_*.deb)
sound "$tools" "$out/tools"
field_matches "$tools" Architecture "^$(dpkg --print-architecture)$"
for library in libc6 libstdc++6 libtbb libhwloc libspdlog; do
  field_matches "$tools" Depends "(^|, )${library//+/\\+}"
done
{
  printf './usr/bin/%s\n' "${programs[@]}"
  printf './usr/share/man/man1/%s.1.gz\n' "${programs[@]}"
  documents lk-parallel-tools
} | holds "$out/tools"
for program in "${programs[@]}"; do
  page=$out/tools/usr/share/man/man1/$program.1.gz
  zgrep -q '^\.SH OPTIONS' "$page" || fail "$program: its manual page has no options"
  odd=$(zgrep -A 1 '^\.HP' "$page" || true) # what help2man took for an option without a text
  [ -z "$odd" ] || fail "$program: its manual page does not tell an option's name from its text:"$'\n'"$odd"
done

if command -v lintian >/dev/null; then
  lintian --allow-root --fail-on error,warning "$out"/packages/*.deb || fail "lintian objects"
else
  printf 'packages.sh: lintian is not here, so it was not asked\n'
fi
[ "$failures" -eq 0 ] && printf 'packages.sh: both packages are as they should be\n'
