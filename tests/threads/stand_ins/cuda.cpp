// lk-parallel | SPDX-License-Identifier: MIT

// What the check for CUDA sees of libcuda: one function that fails until cuInit was called.

namespace {
bool initialised = false;
}

extern "C" int cuInit(unsigned) {
  initialised = true;
  return 0;
}

extern "C" int cuCtxGetCurrent(void** context) {
  if (!initialised) return 3; // CUDA_ERROR_NOT_INITIALIZED
  *context = nullptr;
  return 0;
}
