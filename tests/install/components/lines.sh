cmake -S ../muster -B ../muster-build -D CMAKE_BUILD_TYPE=Release -D MUSTER_COMPONENTS=core
cmake --build ../muster-build --parallel
cmake --install ../muster-build --prefix ../muster-prefix
