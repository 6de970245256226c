// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

void start();          // the shared library: sets the knobs of the process
int processes_known(); // the object library: reads one of them
