// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

// The instrumented part of the program: what runs in worker processes only.

int squared_in_a_worker(int x);
int never_called(int x);
