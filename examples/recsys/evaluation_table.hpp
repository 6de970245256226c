// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <string>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include <recsys/evaluation_results.hpp>
#include <recsys/shown_numbers.hpp>

// An evaluation as text for people: what was done in three lines, a table of the lists, one of the predictions, and
// what the marks mean. No times: the same bytes on every run.

namespace recsys {

/// "20 % of each user's ratings", "5 ratings of each user".
inline std::string holdout_text(const holdout_options& holdout) {
  const std::string from = ", of users with " + with_commas(std::max<std::size_t>(holdout.min_ratings, 2)) + " or more";
  if (holdout.amount < 1) return fmt::format("{:g} % of each user's ratings", holdout.amount * 100) + from;
  return count_of(static_cast<std::size_t>(holdout.amount), "rating") + " of each user" + from;
}

inline std::string intervals_text(const evaluation& from) {
  return fmt::format("{:g} % over users, {}", from.options.confidence * 100,
                     count_of(from.options.n_replicates, "bootstrap replicate"));
}

inline std::string header_text(const evaluation& from) {
  std::string text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "data       {}: {} of {} and {}\n", from.data, count_of(from.n_ratings, "rating"),
                 count_of(from.n_users, "user"), count_of(from.n_items, "item"));
  if (from.n_repeated > 0)
    fmt::format_to(out, "repeated   {} of a pair that is rated later\n", count_of(from.n_repeated, "rating"));
  if (from.n_bad_rows > 0) fmt::format_to(out, "left out   {}\n", count_of(from.n_bad_rows, "bad row"));
  fmt::format_to(out, "held out   {}, seed {}: {} to train on, {} of {} to test\n", holdout_text(from.holdout),
                 from.holdout.seed, with_commas(from.n_training), with_commas(from.n_test),
                 count_of(from.n_tested_users, "user"));
  fmt::format_to(out, "intervals  {}, seed {}\n", intervals_text(from), from.options.seed);
  return text;
}

/// Best "*", not told apart from the best "~".
inline char mark_of(standing one) { return one == standing::best ? '*' : one == standing::level ? '~' : ' '; }

/// "0.312* [0.298, 0.327]", or a dash where there is no value.
inline std::string cell_text(const model_result& model, metric m, standing stands) {
  if (std::isnan(model.value(m))) return "-";
  const std::string value = fmt::format("{:.3f}{}", model.value(m), mark_of(stands));
  if (m == metric::coverage) return value;
  return value + fmt::format(" [{:.3f}, {:.3f}]", model.range(m).low, model.range(m).high);
}

/// Rows of cells, each column as wide as its widest cell.
class text_table {
 public:
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  std::string text() const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_)
      for (std::size_t c = 0; c < row.size(); ++c) {
        if (c == widths.size()) widths.push_back(0);
        if (row.size() > 2 || c == 0) widths[c] = std::max(widths[c], row[c].size()); // a sentence may be longer
      }
    std::string all;
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t c = 0; c < row.size(); ++c) line += fmt::format("{:<{}}", row[c], widths[c] + 2);
      all += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return all;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// The beginning of a reason, where all of it would be in the way; the log and the JSON have the rest.
inline std::string short_reason(const std::string& failure) {
  const std::string line = failure.substr(0, failure.find('\n'));
  return line.size() > 90 ? line.substr(0, line.rfind(' ', 90)) + " ..." : line;
}

/// Models without any of the metrics are left out, but for failed ones in the table that has reasons.
inline std::string metrics_table(const evaluation& from, const std::string& title, const std::vector<metric>& metrics,
                                 bool has_reasons) {
  std::vector<std::vector<standing>> standings;
  text_table table;
  std::vector<std::string> head{title};
  for (const metric m : metrics) {
    standings.push_back(standings_of(from, m));
    head.push_back(title_of(m, from.options.k));
  }
  table.add(head);
  std::size_t n_rows = 0;
  for (std::size_t row = 0; row < from.models.size(); ++row) {
    const model_result& model = from.models[row];
    std::vector<std::string> cells{label_of(model.model)};
    if (model.has_failed()) {
      if (!has_reasons) continue;
      cells.push_back("failed: " + short_reason(model.failure));
    } else {
      if (std::all_of(metrics.begin(), metrics.end(), [&](metric m) { return !(model.value(m) > 0); }) && !has_reasons)
        continue;
      for (std::size_t c = 0; c < metrics.size(); ++c) cells.push_back(cell_text(model, metrics[c], standings[c][row]));
    }
    table.add(cells);
    ++n_rows;
  }
  return n_rows > 0 ? "\n" + table.text() : "";
}

inline std::string table_text(const evaluation& from) {
  std::string text = header_text(from);
  text += metrics_table(from, "top-" + std::to_string(from.options.k) + " lists",
                        {metric::ndcg, metric::recall, metric::reciprocal_rank, metric::hit}, true);
  text += metrics_table(from, "predictions",
                        {metric::rmse, metric::mae, metric::user_rmse, metric::user_mae, metric::coverage}, false);
  text += fmt::format("\n* best  ~ not told apart from the best: the {:g} % interval of the difference holds 0\n",
                      from.options.confidence * 100);
  if (!from.is_complete()) text += fmt::format("interrupted: {} of {} models\n", from.models.size(), from.asked.size());
  return text;
}

} // namespace recsys
