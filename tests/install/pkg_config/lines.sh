export PKG_CONFIG_PATH="$PWD/../muster-prefix/lib/pkgconfig"
c++ -std=c++20 main.cpp -o my_game $(pkg-config --static --cflags --libs muster)
