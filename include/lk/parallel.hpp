// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

// The door: everything a user names. Only <lk/parallel/eigen.hpp> is left out, which needs Eigen.

#include <lk/parallel/backend_pools.hpp>
#include <lk/parallel/base/version.hpp>
#include <lk/parallel/codec.hpp>
#include <lk/parallel/diagnose.hpp>
#include <lk/parallel/errors.hpp>
#include <lk/parallel/for_chunks.hpp>
#include <lk/parallel/huge_page_resource.hpp>
#include <lk/parallel/initialize.hpp>
#include <lk/parallel/invoker.hpp>
#include <lk/parallel/journal.hpp>
#include <lk/parallel/model_op_invoker.hpp>
#include <lk/parallel/progress.hpp>
#include <lk/parallel/stop_on_signals.hpp>
