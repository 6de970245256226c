# lk-parallel | SPDX-License-Identifier: MIT
# conan create cmake/packaging/conan: packs the headers of this source tree, for Conan 2. Not tried with Conan itself; the
# test consumers.conan_recipe runs it with stand-ins for Conan's modules.

import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load
from conan.tools.layout import basic_layout

required_conan_version = ">=2.0"


class LkParallel(ConanFile):
    name = "lk-parallel"
    license = "MIT"
    description = "Model operations in parallel: worker processes, chunked training, logs and progress across processes"
    topics = ("parallel", "recommender", "processes", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"  # to refuse what cannot work; no setting changes the package
    no_copy_source = True

    def _tree(self):
        return os.path.join(self.recipe_folder, "..", "..", "..")

    def set_version(self):
        header = load(self, os.path.join(self._tree(), "include", "lk", "parallel", "base", "version.hpp"))
        self.version = ".".join(re.findall(r"define LK_PARALLEL_VERSION_[A-Z]+ (\d+)", header))

    def export_sources(self):
        copy(self, "LICENSE", self._tree(), self.export_sources_folder)
        copy(self, "*.hpp", os.path.join(self._tree(), "include"), os.path.join(self.export_sources_folder, "include"))

    def layout(self):
        basic_layout(self)

    def requirements(self):
        self.requires("onetbb/[>=2021.6]", transitive_headers=True, transitive_libs=True)
        self.requires("hwloc/[>=2 <3]", transitive_headers=True, transitive_libs=True)
        self.requires("spdlog/[>=1.9 <2]", transitive_headers=True, transitive_libs=True)

    def package_id(self):
        self.info.clear()

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("lk-parallel needs Linux")
        if self.settings.get_safe("compiler.cppstd"):
            check_min_cppstd(self, 20)
        if not self.dependencies["onetbb"].options.get_safe("shared", True):
            raise ConanInvalidConfiguration("lk-parallel needs oneTBB as a shared library, option onetbb/*:shared: "
                                            "a static one cannot be brought to rest before a fork")

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "*.hpp", os.path.join(self.source_folder, "include"), os.path.join(self.package_folder, "include"))

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.system_libs = ["dl", "pthread"]
        self.cpp_info.requires = ["onetbb::libtbb", "hwloc::hwloc", "spdlog::libspdlog"]
        self.cpp_info.set_property("cmake_file_name", "lk-parallel")
        self.cpp_info.set_property("cmake_target_name", "lk::parallel")  # headers only, as the second name says
        self.cpp_info.set_property("cmake_target_aliases", ["lk::parallel_header_only"])
        self.cpp_info.set_property("pkg_config_name", "lk-parallel")
