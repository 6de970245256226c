// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

// Everything that is declared as LK_PARALLEL_FUNCTION, defined: for the one translation unit of a program whose others
// are compiled with LK_PARALLEL_COMPILED (base/linkage.hpp).

#ifndef LK_PARALLEL_COMPILED
#error "define LK_PARALLEL_COMPILED for all units of the program; without it, this one defines nothing"
#endif

#include <lk/parallel/backend_limit.hpp>
#include <lk/parallel/diagnosis_text.hpp>
#include <lk/parallel/files/file_checksum.hpp>
#include <lk/parallel/launcher.hpp>
#include <lk/parallel/output_journal.hpp>
#include <lk/parallel/progress_displays.hpp>
#include <lk/parallel/report/progress_keeper.hpp>
#include <lk/parallel/runtime.hpp>
#include <lk/parallel/signal_stop.hpp>
#include <lk/parallel/training.hpp>
#include <lk/parallel/wire/failure.hpp>
