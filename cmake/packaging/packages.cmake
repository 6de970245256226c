# lk-parallel | SPDX-License-Identifier: MIT
# Two Debian packages for `cpack -G DEB`; cmake/packaging/build-deb is the command that does it all. liblk-parallel-dev is
# what install.cmake installs, lk-parallel-tools has the programs, which a plain installation leaves out.

set(lk_parallel_tools lk_doctor batch_recommend batch_predict batch_merge evaluate) # the targets of the programs; a new one goes in here

add_custom_target(lk_parallel_tools DEPENDS ${lk_parallel_tools})
install(TARGETS ${lk_parallel_tools} DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT lk_parallel_tools EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL lk_parallel_dev lk_parallel_tools)
set(CPACK_PACKAGE_CONTACT "lk-parallel authors <lk-parallel@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "") # CPack would put it before the description of each package
set(CPACK_THREADS 1) # with more, xz cuts the data by their number
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/debian/finish.cmake)
set(CPACK_LK_PARALLEL_SOURCE_DIR ${PROJECT_SOURCE_DIR})

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SOURCE lk-parallel)
set(CPACK_DEBIAN_PACKAGE_RELEASE 0upstream1) # below any that a distribution gives
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

# Not `Multi-Arch: foreign`: the packages it depends on must be those of the architecture that is compiled for.
set(CPACK_DEBIAN_LK_PARALLEL_DEV_PACKAGE_NAME liblk-parallel-dev)
set(CPACK_DEBIAN_LK_PARALLEL_DEV_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_LK_PARALLEL_DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LK_PARALLEL_DEV_PACKAGE_DEPENDS
    "libtbb-dev (>= 2021.6), libhwloc-dev (>= 2), libspdlog-dev (>= 1:1.9)")
set(CPACK_DEBIAN_LK_PARALLEL_DEV_PACKAGE_SUGGESTS "libeigen3-dev (>= 3.3), lk-parallel-tools")
set(CPACK_DEBIAN_LK_PARALLEL_DEV_DESCRIPTION "model operations in parallel, header-only C++20 library
Gives recommender programs four knobs for their threads, a training arena,
and an invoker that applies a function of a model to many arguments in worker
processes. The workers are forked and share the model, which is never copied;
results come back in order, and with them log lines, progress and errors.

This package has the headers, a CMake package and a pkg-config file.")

set(CPACK_DEBIAN_LK_PARALLEL_TOOLS_PACKAGE_NAME lk-parallel-tools)
set(CPACK_DEBIAN_LK_PARALLEL_TOOLS_PACKAGE_SECTION science)
set(CPACK_DEBIAN_LK_PARALLEL_TOOLS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LK_PARALLEL_TOOLS_DESCRIPTION "batch jobs of recommenders in worker processes
Programs made with lk-parallel. lk-doctor tells how the library sees a machine:
CPUs, thread pools, limits, and what makes forking hard, with advice. The batch
programs train models on files of ratings and score users in worker processes.")

include(CPack)
