// lk-parallel | SPDX-License-Identifier: MIT

#include <cstddef>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <lk/parallel.hpp>

// A progress display of one's own; docs/guide/progress.md shows the marked lines.

//! [display]
/// Tells each tenth of the work, and at the end how much of it failed.
class tenths_display : public lk::parallel::Progress {
 public:
  tenths_display(std::string label, std::size_t total) : Progress(std::move(label), total, "items") {}
  ~tenths_display() override { finish(); } // here: in the base's destructor show() is gone

 protected:
  void show(const lk::parallel::progress_snapshot& now) override {
    while (told_ < static_cast<int>(now.fraction().value_or(0) * 10))
      std::cout << now.label << ": " << ++told_ << "0 %\n";
    if (now.finished) std::cout << now.label << ": " << now.count(state::failed) << " failed\n";
  }

 private:
  int told_ = 0;
};
//! [display]

int main() {
  std::vector<int> users(1000, 7);
  const auto square = [](int, int user) { return user * user; };

  std::vector<int> squares;
  //! [use]
  const auto progress = std::make_shared<tenths_display>("scoring", users.size());
  lk::parallel::invoker inv{0, square, {.progress = progress}};
  for (const int each : inv.map(users)) squares.push_back(each);
  progress->finish();
  //! [use]

  std::vector<float> factors(10'000);
  //! [chunks]
  const auto chunks = lk::parallel::WorkChunks::create(factors.size());
  lk::parallel::for_chunks(
      chunks,
      [&](auto rows) {
        for (std::size_t row = rows.begin; row < rows.end; ++row) factors[row] = 0.1f;
      },
      std::make_shared<tenths_display>("training", factors.size()));
  //! [chunks]
}
