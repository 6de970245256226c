// lk-parallel | SPDX-License-Identifier: MIT

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <numeric>
#include <ranges>
#include <string>
#include <vector>

#include <unistd.h>

#include <lk/parallel.hpp>

// A job whose output survives the end of the process. docs/guide/batch-jobs.md shows the marked lines.

namespace parallel = lk::parallel;

using ratings_by_user = std::vector<std::vector<double>>;

double mean_rating(const ratings_by_user& model, std::size_t user) {
  return std::accumulate(model[user].begin(), model[user].end(), 0.0) / static_cast<double>(model[user].size());
}

//! [job]
/// One line for each user. `patience` users later the process ends, or so it seems.
void write_means(const ratings_by_user& model, const std::filesystem::path& input, const std::filesystem::path& output,
                 std::size_t patience) {
  parallel::journal out(output, {{"ratings", to_string(parallel::fingerprint(input))}, {"program", "means 1.0"}});
  if (out.is_complete()) return;
  std::cout << "goes on with user " << out.n_records() << '\n';

  parallel::invoker inv{model, mean_rating, {.n_jobs = 2, .first_task = out.n_records()}};
  const auto users_left = std::views::iota(out.n_records(), model.size());
  for (const double mean : inv.map(users_left)) {
    if (patience-- == 0) return;
    out.append(std::to_string(out.n_records()) + ',' + std::to_string(mean) + '\n');
  }
  out.commit();
}
//! [job]

int main() {
  const ratings_by_user model{{4, 5}, {3}, {1, 2}, {5}, {2, 3}};
  const auto folder = std::filesystem::temp_directory_path() / ("resumable_job-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const auto input = folder / "ratings.csv", output = folder / "means.csv";
  std::ofstream(input) << "4,5\n3\n1,2\n5\n2,3\n";

  write_means(model, input, output, 2);
  std::cout << (std::filesystem::exists(output) ? "complete" : "not complete") << '\n';
  write_means(model, input, output, 99);
  std::ifstream means(output);
  std::cout << std::string(std::istreambuf_iterator<char>(means), {});
  means.close();

  //! [refused]
  std::ofstream(input) << "1,1\n"; // another input: what is there was not made of it
  try {
    write_means(model, input, output, 99);
  } catch (const parallel::journal_error& refused) {
    for (const std::string& name : refused.changed) std::cout << "changed: " << name << '\n';
  }
  //! [refused]
  std::filesystem::remove_all(folder);
}
