#!/bin/sh
# SPDX-License-Identifier: MIT
# Uses muster from outside its tree, as users do: run.sh ROUTE KIND SOURCE_DIR WORK_DIR CXX [BUILD_DIR]
#
# KIND is static or shared. In WORK_DIR an empty folder is made, with the README's example as main.cpp
# beside a CMakeLists.txt and the lines of docs/install.md (lines.sh in each route's folder); then the
# program is started and asked. BUILD_DIR is a finished build of muster, which saves another one.
#   find_package              an installed muster
#   pkg_config                the same, compiled by hand with what pkg-config says
#   add_subdirectory          muster's tree inside the project
#   fetch_content             a repository that CMake clones
#   fetch_content_override    the same, by find_package
#   conan                     the recipe, against the system's packages
#   conan_postgresql          the recipe's package with the programs
#   vcpkg                     the overlay port, against the system's packages
#   components                only the component core, built and used without any other package
#   core_only                 two components of a whole muster, with every dependency hidden
#   c                         the C interface, from a project in C
#   no_exceptions             builds the cores with -fno-exceptions -fno-rtti, and runs the unit and
#                             specification tests with them
# Ends with 77 where what a route needs is not there.
set -eu

route=$1 kind=$2 source=$3 work=$4 cxx=$5 build=${6-}
routes=$source/tests/install
python=${MUSTER_PYTHON:-python3}
case $kind in
  static) shared=OFF ;;
  shared) shared=ON ;;
  *) echo "run.sh: a library is static or shared, not $kind" >&2; exit 2 ;;
esac

# The lines say cmake, and c++ where no build system chooses.
export CXX="$cxx" CMAKE_GENERATOR=Ninja
PATH=$(dirname "$(command -v "${CMAKE_COMMAND:-cmake}")"):$PATH
# That it builds is what counts here, so it is built quickly.
quick="-D CMAKE_CXX_FLAGS_RELEASE=-O0 -D CMAKE_PROJECT_muster_INCLUDE=$routes/quick.cmake"
packages="asio libdeflate utf8proc websocketpp nlohmann_json msgpack-cxx OpenSSL Threads"
more=

mkdir -p "$work"
work=$(cd "$work" && pwd)
games=$work/$route-$kind
rm -rf "$games"
mkdir -p "$games/my_game"
ln -s "$source" "$games/muster"

skip() {
  echo "skipped: $*"
  exit 77
}

# Runs the documented lines of a route in FOLDER/my_game, with the kind of library put in.
lines() {  # lines ROUTE FOLDER
  sed -e "s|^cmake -[SB] .*|& -D BUILD_SHARED_LIBS=$shared $quick $more|" \
    -e "s|^conan .*|& $more|" -e "s|^vcpkg .*|& $more|" \
    -e "$([ "$kind" = static ] || echo 's| --static||')" "$routes/$1/lines.sh" >"$2/lines.sh"
  (cd "$2/my_game" && sh -eux ../lines.sh)
}

installed_kind() {
  if grep -qiE '^BUILD_SHARED_LIBS:[A-Z]*=(ON|1|TRUE|YES)$' "$build/CMakeCache.txt"; then
    echo shared
  else
    echo static
  fi
}

install_to_prefix() {
  if [ -n "$build" ] && [ "$(installed_kind)" = "$kind" ]; then
    cmake --install "$build" --prefix "$games/muster-prefix" >"$games/install.log" || {
      cat "$games/install.log"
      exit 1
    }
  else
    beside=$work/installed-$kind
    mkdir -p "$beside/my_game"
    rm -rf "$beside/muster-prefix"
    ln -sfn "$source" "$beside/muster"
    lines prefix "$beside"
    ln -s "$beside/muster-prefix" "$games/muster-prefix"
  fi
  # Nothing that was installed may point back into the build or source tree.
  if grep -RlF -e "${build:-$work}" -e "$work" -e "$source/" "$games/muster-prefix/" --include='*.cmake' \
      --include='*.pc' --include='*.hpp'; then
    echo "The files above name the tree they were built in." >&2
    exit 1
  fi
}

# The README's program as main.cpp, listening on a port that the system chooses.
type_example() {
  sed -n '/^<!-- snippet: tests\/docs\/embedding.cpp -->$/,/^```$/p' "$source/README.md" |
    sed -e '1,2d' -e '$d' -e 's/"127\.0\.0\.1:8080"/"127.0.0.1:0"/' >"$games/my_game/main.cpp"
}

run_example() {  # run_example PROGRAM
  needed=$(readelf -d "$1" | grep -c 'NEEDED.*libmuster-relay' || true)
  if [ "$kind" = static ] && [ "$needed" != 0 ] || [ "$kind" = shared ] && [ "$needed" != 1 ]; then
    echo "$1 is not linked with a $kind library." >&2
    exit 1
  fi
  "$python" "$routes/relay_answers.py" "$1"
}

conan_from_pypi() {
  venv=$work/conan
  if [ ! -x "$venv/bin/conan" ]; then
    rm -rf "$venv"
    "$python" -m venv "$venv" || skip "this Python makes no virtual environments"
    "$venv/bin/python" -m pip --disable-pip-version-check install --quiet --retries 1 --timeout 15 \
      conan==2.34.0 >"$games/pip.log" 2>&1 || skip "PyPI does not give Conan: $(tail -n 1 "$games/pip.log")"
  fi
  PATH=$venv/bin:$PATH
  unset CXX  # the compiler is the profile's
  export CONAN_HOME="$games/conan_home"
  mkdir "$CONAN_HOME"
  cat >"$CONAN_HOME/global.conf" <<TEXT
tools.cmake.cmaketoolchain:generator=Ninja
tools.cmake.cmake_layout:test_folder=$games/test_package
tools.cmake.cmaketoolchain:extra_variables={"CMAKE_CXX_FLAGS_RELEASE": "-O0", "CMAKE_PROJECT_muster_INCLUDE": "$routes/quick.cmake"}
TEXT
  [ "$kind" = static ] || more='-o "muster/*:shared=True"'
}

case $route in
  find_package)
    install_to_prefix
    type_example
    cp "$routes/$route/CMakeLists.txt" "$games/my_game"
    lines "$route" "$games"
    run_example "$games/my_game/build/my_game"
    ;;
  pkg_config)
    command -v pkg-config >/dev/null || skip "there is no pkg-config"
    install_to_prefix
    type_example
    mkdir "$games/bin"
    ln -s "$(command -v "$cxx")" "$games/bin/c++"
    PATH=$games/bin:$PATH
    lines "$route" "$games"
    export LD_LIBRARY_PATH="$games/muster-prefix/lib"
    run_example "$games/my_game/my_game"
    ;;
  add_subdirectory)
    type_example
    cp "$routes/$route/CMakeLists.txt" "$games/my_game"
    # What is muster's alone is not added, and a user's own rules do not concern it.
    cat >>"$games/my_game/CMakeLists.txt" <<'TEXT'
foreach(target muster-unit muster-relay all_verify_interface_header_sets)
  if(TARGET ${target})
    message(FATAL_ERROR "${target} was added although muster is not the top level project.")
  endif()
endforeach()
target_compile_options(my_game PRIVATE -Wall -Wextra -Werror)
TEXT
    lines "$route" "$games"
    run_example "$games/my_game/build/my_game"
    ;;
  fetch_content | fetch_content_override)
    command -v git >/dev/null || skip "there is no git"
    type_example
    cp "$routes/$route/CMakeLists.txt" "$games/my_game"
    # A repository with what is here, at the address that the lines name.
    mkdir "$games/repository"
    cp -R "$source/CMakeLists.txt" "$source/LICENSE" "$source/cmake" "$source/include" "$source/lib" \
      "$games/repository"
    (cd "$games/repository" && git init --quiet && git add . &&
      git -c user.name=muster -c user.email=muster@example.com commit --quiet --message=muster && git tag v0.1.0)
    export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$games/repository.insteadOf" \
      GIT_CONFIG_VALUE_0=https://example.com/muster.git
    lines "$route" "$games"
    run_example "$games/my_game/build/my_game"
    ;;
  conan)
    conan_from_pypi
    type_example
    cp "$routes/find_package/CMakeLists.txt" "$routes/conan/conanfile.txt" "$games/my_game"
    lines conan "$games"
    run_example "$games/my_game/build/Release/my_game"
    profile=$source/cmake/packaging/conan/system.profile
    if conan install --requires=muster/0.1.0 --profile:all="$profile" --no-remote -s compiler.cppstd=17; then
      echo "The recipe does not refuse C++17." >&2
      exit 1
    fi
    ;;
  conan_postgresql)
    conan_from_pypi
    conan create "$source" --profile:all="$source/cmake/packaging/conan/system.profile" --no-remote \
      -o "muster/*:with_postgresql=True"
    relay=$(find "$CONAN_HOME" -path '*/p/bin/muster-relay')
    "$relay" --version
    readelf -d "$relay" | grep 'NEEDED.*libpq'
    ;;
  vcpkg)
    command -v vcpkg >/dev/null || skip "vcpkg is not on the path"
    export VCPKG_ROOT="${VCPKG_ROOT:-$(dirname "$(readlink -f "$(command -v vcpkg)")")}"
    # The ports that muster needs are empty here, and what they stand for is Debian's.
    packaging=$source/cmake/packaging/vcpkg
    triplet=x64-linux-system
    [ "$kind" = static ] || triplet=x64-linux-system-shared
    export VCPKG_FORCE_SYSTEM_BINARIES=1 VCPKG_DISABLE_METRICS=1 VCPKG_BINARY_SOURCES=clear \
      X_VCPKG_ASSET_SOURCES='clear;x-block-origin' VCPKG_DEFAULT_TRIPLET="$triplet" \
      VCPKG_DEFAULT_HOST_TRIPLET="$triplet" VCPKG_OVERLAY_TRIPLETS="$packaging/triplets"
    type_example
    cp "$routes/find_package/CMakeLists.txt" "$games/my_game"
    sed -e "s|^vcpkg .*|& --overlay-ports=$packaging/system-ports --x-install-root=$games/installed|" \
      -e "s|^cmake -B .*|& $quick -D VCPKG_INSTALLED_DIR=$games/installed -D VCPKG_TARGET_TRIPLET=$triplet -D VCPKG_HOST_TRIPLET=$triplet -D VCPKG_OVERLAY_TRIPLETS=$packaging/triplets|" \
      "$routes/vcpkg/lines.sh" >"$games/lines.sh"
    (cd "$games/my_game" && sh -eux ../lines.sh)
    run_example "$games/my_game/build/my_game"
    ;;
  components)
    for package in $packages; do
      more="$more -D CMAKE_DISABLE_FIND_PACKAGE_$package=ON"
    done
    lines components "$games"
    if ninja -C "$games/muster-build" -t deps |
        grep -E '/(asio|openssl|nlohmann|msgpack|websocketpp|boost)/|/(utf8proc|libdeflate|zlib)\.h'; then
      echo "The component core includes the headers above." >&2
      exit 1
    fi
    cp "$routes/components/CMakeLists.txt" "$routes/components/main.cpp" "$games/my_game"
    lines find_package "$games"
    "$games/my_game/build/my_game" | diff "$routes/components/expected.txt" -
    if readelf -d "$games/my_game/build/my_game" | grep NEEDED | grep -vE 'lib(stdc\+\+|m|gcc_s|c|muster-core)\.so'; then
      echo "The program needs the libraries above." >&2
      exit 1
    fi
    # Relay rooms need one package more, and only to be built.
    without_json=$(echo "$more" | sed 's| -D CMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON||')
    # shellcheck disable=SC2086  # the options are words
    cmake -S "$source" -B "$games/relay-build" -D MUSTER_COMPONENTS=relay $without_json
    if cmake -S "$source" -B "$games/no-build" -D MUSTER_COMPONENTS=no_such_component; then
      echo "A component that does not exist was accepted." >&2
      exit 1
    fi
    ;;
  core_only | c)
    install_to_prefix
    cmake -S "$routes/$route" -B "$games/build" -D CMAKE_PREFIX_PATH="$games/muster-prefix"
    cmake --build "$games/build"
    "$games/build/consumer"
    ;;
  no_exceptions)
    cmake -S "$source" -B "$games/build" -D CMAKE_BUILD_TYPE=RelWithDebInfo \
      -D CMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -D MUSTER_NO_EXCEPTIONS=ON -D MUSTER_BUILD_EXAMPLES=OFF \
      -D MUSTER_INSTALL=OFF -D MUSTER_WARNINGS_AS_ERRORS=OFF
    cmake --build "$games/build" --target muster-unit muster-spec
    # What a service throws passes through such cores, and leaves them in no state to go on.
    "$games/build/tests/muster-unit" '~[exceptions]'
    "$games/build/tests/muster-spec" '~[exceptions]~[soak]'
    ;;
  *)
    echo "run.sh: unknown route $route" >&2
    exit 2
    ;;
esac
rm -rf "$games"
