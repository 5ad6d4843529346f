conan create ../muster --profile:all=../muster/cmake/packaging/conan/system.profile --no-remote
conan install . --profile:all=../muster/cmake/packaging/conan/system.profile --no-remote
cmake --preset conan-release
cmake --build --preset conan-release
