# Builds against Debian 12's own packages: conan create . --profile:all cmake/packaging/conan/system.profile --no-remote
[settings]
os=Linux
arch=x86_64
compiler=gcc
compiler.version=12
compiler.libcxx=libstdc++11
compiler.cppstd=20
build_type=Release
[platform_requires]
asio/1.22.1
websocketpp/0.8.2
libdeflate/1.14
nlohmann_json/3.11.2
msgpack-cxx/4.1.3
utf8proc/2.8.0
catch2/2.13.10
