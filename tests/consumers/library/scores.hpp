// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <vector>

/// The squares of users, found by worker processes.
std::vector<int> scores_of(const std::vector<int>& users);

/// How many of them.
int scoring_processes();
