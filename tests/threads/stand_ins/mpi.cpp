// lk-parallel | SPDX-License-Identifier: MIT

// What the check for MPI sees of an MPI library.

namespace {
int initialised = 0, finalised = 0;
}

extern "C" int MPI_Init(int*, char***) { return initialised = 1, 0; }
extern "C" int MPI_Finalize() { return finalised = 1, 0; }
extern "C" int MPI_Initialized(int* flag) { return *flag = initialised, 0; }
extern "C" int MPI_Finalized(int* flag) { return *flag = finalised, 0; }
