vcpkg install muster --classic --overlay-ports=../muster/cmake/packaging/vcpkg/ports
cmake -B build -D CMAKE_BUILD_TYPE=Release -D VCPKG_MANIFEST_MODE=OFF -D CMAKE_TOOLCHAIN_FILE="$VCPKG_ROOT/scripts/buildsystems/vcpkg.cmake"
cmake --build build
