// lk-parallel | SPDX-License-Identifier: MIT
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "fuzz/decoders.hpp"

// fuzz_corpus FOLDER: writes a good message of each decoder there, for libFuzzer to begin with.

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: fuzz_corpus FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  int number = 0;
  for (const auto& sample : lk::parallel::testing::all_samples()) {
    std::ofstream file(folder / ("sample_" + std::to_string(number++)), std::ios::binary);
    file.write(reinterpret_cast<const char*>(sample.data()), static_cast<std::streamsize>(sample.size()));
    if (!file.flush()) {
      std::perror(folder.c_str());
      return 1;
    }
  }
}
