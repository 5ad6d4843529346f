cmake -B build -D CMAKE_BUILD_TYPE=Release -D CMAKE_PREFIX_PATH="$PWD/../muster-prefix"
cmake --build build
