// lk-parallel | SPDX-License-Identifier: MIT
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "fuzz/decoders.hpp"
#include "fuzz/protocol.hpp"

// fuzz_corpus FOLDER: writes a good message of each decoder into FOLDER/decoders, and the samples of scripts into
// FOLDER/protocol, for libFuzzer to begin with.

namespace {

bool write_all(const std::filesystem::path& folder, const std::vector<lk::parallel::testing::message>& samples) {
  std::filesystem::create_directories(folder);
  int number = 0;
  for (const auto& sample : samples) {
    std::ofstream file(folder / ("sample_" + std::to_string(number++)), std::ios::binary);
    file.write(reinterpret_cast<const char*>(sample.data()), static_cast<std::streamsize>(sample.size()));
    if (!file.flush()) {
      std::perror(folder.c_str());
      return false;
    }
  }
  return true;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: fuzz_corpus FOLDER\n", stderr);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  const bool written = write_all(folder / "decoders", lk::parallel::testing::all_samples()) &&
                       write_all(folder / "protocol", lk::parallel::testing::protocol_samples());
  return written ? 0 : 1;
}
