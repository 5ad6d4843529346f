# SPDX-License-Identifier: MIT
import os

from conan import ConanFile
from conan.tools.build import can_run
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout


class MusterTestConan(ConanFile):
    settings = "os", "arch", "compiler", "build_type"
    generators = "CMakeDeps"

    def requirements(self):
        self.requires(self.tested_reference_str)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        components = self.dependencies["muster"].cpp_info.components
        toolchain.cache_variables["MUSTER_CONAN_COMPONENTS"] = ";".join(sorted(name for name in components if name))
        toolchain.user_presets_path = False
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def test(self):
        # What the recipe names is in the package, for build systems that go by it.
        package = self.dependencies["muster"]
        folders = package.cpp_info.aggregated_components().libdirs
        kind = "so" if package.options.shared else "a"
        for component in package.cpp_info.components.values():
            for library in component.libs:
                assert any(os.path.exists(os.path.join(folder, f"lib{library}.{kind}")) for folder in folders), library
        if can_run(self):
            for program in ("relay", "server"):
                self.run(os.path.join(self.cpp.build.bindir, program), env="conanrun")
