#!/usr/bin/env bash
# lk-parallel | SPDX-License-Identifier: MIT
# cmake/setup.sh build|deb|docs|ci...: installs what is missing to build and test (build), to make and test packages (deb),
# to build the site (docs), and what the further cells of continuous integration need (ci, which has build in it), with
# apt-get, as root or through sudo. Says nothing and takes no time where nothing is missing.
set -euo pipefail

# A row is what to install; after a `|` stands what to take instead on systems that do not have the first.
build=(g++ cmake ninja-build pkg-config libtbb-dev libhwloc-dev libspdlog-dev
  catch2 libeigen3-dev libcli11-dev nlohmann-json3-dev libbenchmark-dev)
deb=(dpkg-dev file binutils gzip help2man lintian python3)
ci=("clang-19 libclang-rt-19-dev|clang-18 libclang-rt-18-dev|clang"
  "clang-format-14|clang-format" libopenblas-dev git
  libopenblas0-pthread libopenblas0-openmp libopenblas64-0-pthread libblis4-pthread libblis4-openmp libgomp1
  "libomp5|libomp5-19|libomp5-18")
docs=(doxygen doxygen-awesome-css python3)

die() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

installed() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || return 1
  done
}

known() {
  local package
  for package in "$@"; do
    apt-cache show --no-all-versions "$package" >/dev/null 2>&1 || return 1
  done
}

# Prints the first alternative of row "$1" that this system has.
first_known() {
  local alternatives alternative
  IFS='|' read -ra alternatives <<<"$1"
  for alternative in "${alternatives[@]}"; do
    # shellcheck disable=SC2086 # an alternative is a list of packages
    if known $alternative; then
      printf '%s\n' "$alternative"
      return
    fi
  done
  return 1
}

# Whether nothing is to be installed for row "$1": what is there counts where nothing before it in the row can be had.
is_there() {
  local alternatives alternative
  IFS='|' read -ra alternatives <<<"$1"
  for alternative in "${alternatives[@]}"; do
    # shellcheck disable=SC2086
    if installed $alternative; then return 0; fi
    # shellcheck disable=SC2086
    if known $alternative; then return 1; fi
  done
  return 1
}

rows=()
for group in "${@:-build}"; do
  case "$group" in
    build) rows+=("${build[@]}") ;;
    deb) rows+=("${deb[@]}") ;;
    ci) rows+=("${build[@]}" "${ci[@]}") ;;
    docs) rows+=("${docs[@]}") ;;
    *) die "there is no group \`$group\`; there are: build, deb, docs, ci" ;;
  esac
done

if ! command -v apt-get >/dev/null; then
  printf 'setup: no apt-get here, so nothing is installed. By their Debian names these are needed: %s\n' "${rows[*]}" >&2
  exit 0
fi

missing=()
for row in "${rows[@]}"; do
  is_there "$row" || missing+=("$row")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || die "needs root or sudo to install: ${missing[*]}"
  as_root=(sudo)
fi
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

printf 'setup: installing what is missing: %s\n' "${missing[*]}" >&2
apt update
packages=()
for row in "${missing[@]}"; do
  alternative=$(first_known "$row") || die "the package lists of this system have none of: $row"
  read -ra words <<<"$alternative"
  packages+=("${words[@]}")
done
apt install -y --no-install-recommends "${packages[@]}"
