# lk-parallel | SPDX-License-Identifier: MIT
"""conan_recipe.py TREE VERSION OUT: runs the Conan recipe of a source tree with stand-ins for Conan's modules, which do
what matters here: copy files and keep what is said. Looks at version, files and requirements, and at whether the recipe's
own consumer is where test_package looks for it."""

import fnmatch
import importlib.util
import pathlib
import re
import shutil
import sys
import types

tree, version, out = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
folder = tree / "cmake" / "packaging" / "conan"


class Refused(Exception):
    pass


class Settings(dict):
    os = property(lambda self: self["os"])
    get_safe = dict.get


class Options(dict):
    get_safe = dict.get


class Recipe:
    """What Conan gives a recipe, as far as this one asks for it."""

    def __init__(self, settings=None, onetbb_is_shared=True):
        self.recipe_folder = str(folder)
        self.source_folder = self.export_sources_folder = str(out / "sources")
        self.package_folder = str(out / "package")
        self.settings = Settings({"os": "Linux", "compiler.cppstd": "20"} | (settings or {}))
        self.dependencies = {"onetbb": types.SimpleNamespace(options=Options(shared=onetbb_is_shared))}
        self.required = {}
        self.cpp_info = types.SimpleNamespace(properties={})
        self.cpp_info.set_property = self.cpp_info.properties.__setitem__

    def requires(self, reference, **_):
        name, versions = reference.split("/")
        self.required[name] = versions


def copy(_, pattern, source, destination):
    """As Conan's: the pattern is held against the whole path below the source, and `*` matches a slash, too."""
    source = pathlib.Path(source)
    files = list(source.rglob("*")) if "*" in pattern else [source / pattern]
    for file in files:
        name = file.relative_to(source)
        if file.is_file() and fnmatch.fnmatch(str(name), pattern):
            to = pathlib.Path(destination) / name
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, to)


def check_min_cppstd(recipe, least):
    if int(recipe.settings["compiler.cppstd"]) < least:
        raise Refused(f"needs C++{least}")


def stand_in(name, **members):
    sys.modules[name] = types.ModuleType(name)
    vars(sys.modules[name]).update(members)


stand_in("conan.tools")
stand_in("conan", ConanFile=Recipe)
stand_in("conan.errors", ConanInvalidConfiguration=Refused)
stand_in("conan.tools.build", check_min_cppstd=check_min_cppstd, can_run=lambda _: True)
stand_in("conan.tools.files", copy=copy, load=lambda _, path: pathlib.Path(path).read_text())
stand_in("conan.tools.layout", basic_layout=lambda _: None)
stand_in("conan.tools.cmake", CMake=None, cmake_layout=None)


def class_in(path):
    specification = importlib.util.spec_from_file_location(path.parent.name, path)
    module = importlib.util.module_from_spec(specification)
    sys.dont_write_bytecode = True
    specification.loader.exec_module(module)
    return next(c for c in vars(module).values() if isinstance(c, type) and issubclass(c, Recipe) and c is not Recipe)


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"conan_recipe.py: {what}: {found} instead of {wanted}")


def refused(**given):
    try:
        made(**given).validate()
    except Refused as reason:
        return str(reason)
    return "not at all"


made = class_in(folder / "conanfile.py")
shutil.rmtree(out, ignore_errors=True)
recipe = made()

recipe.set_version()
expect("the version", recipe.version, version)

recipe.export_sources()
recipe.package()
files = sorted(str(file.relative_to(out / "package")) for file in (out / "package").rglob("*") if file.is_file())
headers = [str(header.relative_to(tree)) for header in (tree / "include").rglob("*.hpp")]
expect("the files of the package", files, sorted(headers + ["licenses/LICENSE"]))

# The least versions are those that the source tree asks for; hwloc's stands in Findhwloc.cmake.
names = {"TBB": "onetbb"}
wanted = {"hwloc": "2"}
cmake = (tree / "CMakeLists.txt").read_text()
for name, least in re.findall(r'^lk_parallel_require\((\w+) "[^"]*"(?: ([\d.]+))?\)', cmake, re.M):
    if name != "Threads":
        wanted.setdefault(names.get(name, name), least)
recipe.requirements()
least_versions = {name: re.sub(r"\[>=([\d.]+).*\]", r"\1", versions) for name, versions in recipe.required.items()}
expect("the requirements", least_versions, wanted)

recipe.package_info()
expect("what is linked", sorted(one.split("::")[0] for one in recipe.cpp_info.requires), sorted(wanted))
expect("the name of the target", recipe.cpp_info.properties["cmake_target_name"], "lk::parallel")
expect("its other names", recipe.cpp_info.properties["cmake_target_aliases"], ["lk::parallel_header_only"])

recipe.validate()
expect("macOS is refused", refused(settings={"os": "Macos"}), "lk-parallel needs Linux")
expect("C++17 is refused", refused(settings={"compiler.cppstd": "17"}), "needs C++20")
expect("a static oneTBB is refused", "shared library" in refused(onetbb_is_shared=False), True)

asked = []
consumer = class_in(folder / "test_package" / "conanfile.py")
stand_in_cmake = types.SimpleNamespace(configure=lambda **given: asked.append(given), build=lambda: None)
consumer.build.__globals__["CMake"] = lambda _: stand_in_cmake
consumer().build()
project = folder / "test_package" / asked[0]["build_script_folder"] / "CMakeLists.txt"
expect(f"{project} is there", project.is_file(), True)
print("conan_recipe.py: the recipe is as it should be")
