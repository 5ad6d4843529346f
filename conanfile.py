# SPDX-License-Identifier: MIT
import os
import re

from conan import ConanFile
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, load

required_conan_version = ">=2.4"


class MusterConan(ConanFile):
    name = "muster"
    description = "An embeddable library for realtime game servers"
    license = "MIT"
    topics = ("game-server", "websocket", "rooms", "realtime")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], "with_tls": [True, False],
               "with_deflate": [True, False]}
    default_options = {
        "shared": False,
        "fPIC": True,
        "with_tls": True,
        "with_deflate": True,
        # Only the opening handshake of WebSocket++ is used: no Boost, and no Asio of its own.
        "websocketpp/*:asio": False,
        "msgpack-cxx/*:use_boost": False,
    }
    implements = ["auto_shared_fpic"]
    exports_sources = ("CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "lib/*", "tests/*",
                       "examples/*")

    def set_version(self):
        # The version is written in one place only.
        text = load(self, os.path.join(self.recipe_folder, "include/muster/version.hpp"))
        self.version = re.search(r'MUSTER_VERSION_STRING "([^"]+)"', text).group(1)

    def validate(self):
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        # Asio shows in the headers of the component asio; the others are private headers.
        self.requires("asio/[>=1.22 <2]", transitive_headers=True)
        self.requires("websocketpp/0.8.2", visible=False)
        self.requires("nlohmann_json/[>=3.10 <4]", visible=False)
        self.requires("msgpack-cxx/[>=4.1 <8]", visible=False)
        self.requires("utf8proc/[>=2.4 <3]")
        if self.options.with_tls:
            self.requires("openssl/[>=3.0 <4]")
        if self.options.with_deflate:
            self.requires("libdeflate/[>=1.7 <2]")

    def _with_tests(self):
        # Off unless asked for: -c tools.build:skip_test=False
        return not self.conf.get("tools.build:skip_test", default=True, check_type=bool)

    def build_requirements(self):
        if self._with_tests():
            self.test_requires("catch2/[>=2.13 <4]")

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["MUSTER_BUILD_TESTS"] = self._with_tests()
        toolchain.cache_variables["MUSTER_BUILD_EXAMPLES"] = False
        toolchain.cache_variables["MUSTER_WITH_TLS"] = bool(self.options.with_tls)
        toolchain.cache_variables["MUSTER_WITH_DEFLATE"] = bool(self.options.with_deflate)
        toolchain.user_presets_path = False
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()
        if self._with_tests():
            cmake.ctest(["--output-on-failure", "--label-regex", "^(unit|spec)$"])

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        # Our own package configuration is the one set of targets on every route.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs.append(os.path.join("lib", "cmake", "muster"))
