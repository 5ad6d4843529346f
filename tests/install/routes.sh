#!/bin/sh
# SPDX-License-Identifier: MIT
# Walks every route of docs/install.md, with static and with shared libraries, and prints a line for each:
# passed, failed or skipped. Ends with 1 if one failed: routes.sh [WORK_DIR]
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
work=${1:-$source/build/routes}
mkdir -p "$work"
failed=0

walk() {  # walk ROUTE KIND
  log=$work/$1-$2.log
  started=$(date +%s)
  status=0
  "$source/tests/install/run.sh" "$1" "$2" "$source" "$work" "${CXX:-c++}" >"$log" 2>&1 || status=$?
  case $status in
    0) verdict=passed ;;
    77) verdict=$(grep '^skipped: ' "$log") ;;
    *) verdict="failed: see $log" failed=1 ;;
  esac
  printf '%-24s %-7s %4d s  %s\n' "$1" "$2" $(($(date +%s) - started)) "$verdict"
}

for route in find_package pkg_config add_subdirectory fetch_content fetch_content_override conan vcpkg; do
  walk "$route" static
  walk "$route" shared
done
walk components static
walk components shared
walk core_only static
exit $failed
