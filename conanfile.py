# SPDX-License-Identifier: MIT
"""The components of the package are those of the CMake package: muster::core, muster::relay, ...

    shared           shared libraries
    fPIC             static libraries that a shared one may contain
    with_tls         wss:// in the component asio, by OpenSSL
    with_deflate     compression of SOE packets in the component soe, by libdeflate
    with_postgresql  the library itself knows no database: the package also holds the programs (muster-relay and
                     the others, in bin), and muster-relay keeps its records in PostgreSQL too, by libpq
"""
import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
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
    test_package_folder = "cmake/packaging/conan/test_package"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "fPIC": [True, False], "with_tls": [True, False],
               "with_deflate": [True, False], "with_postgresql": [True, False]}
    default_options = {
        "shared": False,
        "fPIC": True,
        "with_tls": True,
        "with_deflate": True,
        "with_postgresql": False,
        # Only the opening handshake of WebSocket++ is used: no Boost, and no Asio of its own.
        "websocketpp/*:asio": False,
        "msgpack-cxx/*:use_boost": False,
    }
    implements = ["auto_shared_fpic"]
    exports_sources = "CMakeLists.txt", "LICENSE", "cmake/*", "include/*", "lib/*", "examples/*"

    def set_version(self):
        # The version is written in one place only.
        text = load(self, os.path.join(self.recipe_folder, "include/muster/version.hpp"))
        self.version = re.search(r'MUSTER_VERSION_STRING "([^"]+)"', text).group(1)

    def validate(self):
        check_min_cppstd(self, 20)
        if self.settings.os == "Windows":
            raise ConanInvalidConfiguration("the component asio uses POSIX sockets")
        if "websocketpp" in self.dependencies and \
                self.dependencies["websocketpp"].options.get_safe("asio", False):
            # Its own Asio would be another one than ours, or Boost's.
            raise ConanInvalidConfiguration("muster needs websocketpp/*:asio=False")

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
        if self.options.with_postgresql:  # the programs'
            self.requires("cli11/[>=2.1 <3]", visible=False)
            self.requires("tomlplusplus/[>=3.3 <4]", visible=False)
            self.requires("sqlite3/[>=3.35 <4]", visible=False)
            self.requires("libpq/[>=12]", visible=False)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["MUSTER_BUILD_TESTS"] = False
        toolchain.cache_variables["MUSTER_BUILD_EXAMPLES"] = bool(self.options.with_postgresql)
        # Programs without PostgreSQL would not be what was asked for.
        toolchain.cache_variables["CMAKE_REQUIRE_FIND_PACKAGE_PostgreSQL"] = bool(self.options.with_postgresql)
        toolchain.cache_variables["MUSTER_WITH_TLS"] = bool(self.options.with_tls)
        toolchain.cache_variables["MUSTER_WITH_DEFLATE"] = bool(self.options.with_deflate)
        toolchain.user_presets_path = False
        toolchain.generate()
        CMakeDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        CMake(self).install()

    def package_info(self):
        # Our own package configuration is the one set of targets on every route. Other build systems
        # than CMake get the same components from here; test_package compares them.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self._component("core").builddirs = [os.path.join("lib", "cmake", "muster")]
        self._component("lobby", "core")
        self._component("msgpack", "core")
        self._component("relay", "core")
        self._component("shard", "core", "msgpack")
        self._component("signal", "core", "msgpack", "utf8proc::utf8proc")
        self._component("websocket", "core")
        soe = self._component("soe", "core")
        if self.options.with_deflate:
            soe.requires.append("libdeflate::libdeflate")
        asio = self._component("asio", "core", "lobby", "soe", "websocket", "asio::asio")
        # In every file that includes Asio, see lib/CMakeLists.txt.
        asio.defines = ["ASIO_STANDALONE", "ASIO_DISABLE_STD_ALIGNED_ALLOC"]
        if self.options.with_tls:
            asio.requires.append("openssl::openssl")
        if self.settings.os in ("Linux", "FreeBSD"):
            asio.system_libs = ["pthread"]

    def _component(self, name, *requires):
        component = self.cpp_info.components[name]
        component.libs = [f"muster-{name}"]
        component.requires = list(requires)
        component.set_property("pkg_config_name", f"muster-{name}")
        return component
