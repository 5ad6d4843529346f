#!/bin/sh
# SPDX-License-Identifier: MIT
# Uses muster from outside its tree, as users do: run.sh ROUTE SOURCE_DIR BUILD_DIR CXX
#   find_package      installs BUILD_DIR into a temporary prefix and finds it there
#   core_only         the same, two components, with every dependency hidden
#   c                 the same, from a project in C
#   pkg_config        the same, compiled by hand with what pkg-config says
#   add_subdirectory  builds SOURCE_DIR inside another project
#   no_exceptions     builds the cores with -fno-exceptions
set -eu

route=$1 source=$2 build=$3 cxx=$4
cmake=${CMAKE_COMMAND:-cmake}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM

configure() {  # configure SOURCE [ARGUMENT...]
  from=$1
  shift
  # That it builds is what counts here.
  "$cmake" -G Ninja -S "$from" -B "$work/build" -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_CXX_FLAGS_RELEASE=-O0 -DCMAKE_CXX_COMPILER="$cxx" "$@"
}

install_to_prefix() {
  "$cmake" --install "$build" --prefix "$work/prefix" >"$work/install.log" || {
    cat "$work/install.log"
    exit 1
  }
  # Nothing that was installed may point back into the build or source tree.
  if grep -rlF -e "$build" -e "$source/" "$work/prefix" --include='*.cmake' --include='*.pc' \
      --include='*.hpp'; then
    echo "The files above name the tree they were built in." >&2
    exit 1
  fi
}

case $route in
  find_package | core_only | c)
    install_to_prefix
    configure "$source/tests/install/$route" -DCMAKE_PREFIX_PATH="$work/prefix"
    "$cmake" --build "$work/build"
    "$work/build/consumer"
    ;;
  pkg_config)
    install_to_prefix
    pc=$(find "$work/prefix" -name muster.pc)
    flags=$(PKG_CONFIG_PATH=${pc%/*} pkg-config --static --cflags --libs muster)
    echo "flags: $flags"
    # shellcheck disable=SC2086  # the flags are words
    "$cxx" -std=c++20 "$source/tests/install/consumer.cpp" -o "$work/consumer" $flags
    LD_LIBRARY_PATH=$(dirname "${pc%/*}") "$work/consumer"
    ;;
  add_subdirectory)
    configure "$source/tests/install/add_subdirectory" -DMUSTER_SOURCE_DIR="$source"
    "$cmake" --build "$work/build" --target consumer
    "$work/build/consumer"
    ;;
  no_exceptions)
    configure "$source" -DMUSTER_NO_EXCEPTIONS=ON -DMUSTER_BUILD_TESTS=OFF \
      -DMUSTER_BUILD_EXAMPLES=OFF -DMUSTER_INSTALL=OFF -DMUSTER_WARNINGS_AS_ERRORS=OFF
    "$cmake" --build "$work/build"
    ;;
  *)
    echo "run.sh: unknown route $route" >&2
    exit 2
    ;;
esac
