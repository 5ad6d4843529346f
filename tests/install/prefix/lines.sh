cmake -S ../muster -B ../muster-build -D CMAKE_BUILD_TYPE=Release -D MUSTER_BUILD_TESTS=OFF -D MUSTER_BUILD_EXAMPLES=OFF
cmake --build ../muster-build --parallel
cmake --install ../muster-build --prefix ../muster-prefix
