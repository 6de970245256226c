// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <spdlog/fmt/fmt.h>

#include <recsys/evaluation_results.hpp>
#include <recsys/evaluation_table.hpp>
#include <recsys/plot_axis.hpp>
#include <recsys/shown_numbers.hpp>

// An evaluation as a picture (SVG 1.1): a row for each model, a panel for each metric, in each of them a dot with its
// interval. Rows are labelled once, at the left, so that fifty models stay readable.

namespace recsys {

/// Text as XML has it. Control bytes, which XML has not, become spaces.
inline std::string escaped(std::string_view text) {
  std::string made;
  for (const char c : text) {
    if (c == '&')
      made += "&amp;";
    else if (c == '<')
      made += "&lt;";
    else if (c == '>')
      made += "&gt;";
    else if (c == '"')
      made += "&quot;";
    else
      made += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return made;
}

class evaluation_plot {
 public:
  explicit evaluation_plot(const evaluation& from) : from_(from) {
    for (const model_result& one : from.models) label_width_ = std::max(label_width_, width_of(label_of(one.model)));
    label_width_ = std::clamp(label_width_, 150.0, 420.0);
  }

  std::string text() {
    draw_title();
    draw_block("top-" + std::to_string(from_.options.k) + " lists, more is better",
               {metric::ndcg, metric::recall, metric::reciprocal_rank, metric::hit}, true);
    draw_block("predictions, less is better", {metric::rmse, metric::mae, metric::user_rmse, metric::user_mae}, false);
    draw_legend();
    return fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
                       "viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\" font-family=\"'Helvetica Neue', Arial, "
                       "'DejaVu Sans', sans-serif\" font-size=\"12\" fill=\"#24292f\">\n"
                       "<title>Evaluation of {2}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{3}"
                       "</svg>\n",
                       panels_left() + 4 * (panel + gap) - gap + margin, y_ + margin - 6,
                       count_of(from_.models.size(), "model"), body_);
  }

 private:
  static constexpr double margin = 24, panel = 160, gap = 24, row = 22;

  /// Units: pixels, about.
  static double width_of(std::string_view text) { return 6.6 * static_cast<double>(text.size()); }
  double panels_left() const { return margin + label_width_ + 16; }

  template <class... Values> void put(fmt::format_string<Values...> what, Values&&... values) {
    fmt::format_to(std::back_inserter(body_), what, std::forward<Values>(values)...);
    body_ += '\n';
  }

  /// One colour for each algorithm. Source: Okabe and Ito, "Color universal design", 2008.
  const char* colour_of(const std::string& algorithm) {
    static constexpr std::array<const char*, 7> colours{"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                        "#e69f00", "#56b4e9", "#666666"};
    const auto at = std::find(algorithms_.begin(), algorithms_.end(), algorithm);
    const auto number = static_cast<std::size_t>(at - algorithms_.begin());
    if (at == algorithms_.end()) algorithms_.push_back(algorithm);
    return colours[number % colours.size()];
  }

  void draw_title() {
    put("<text x=\"{}\" y=\"36\" font-size=\"18\" font-weight=\"600\">{} on {}</text>", margin,
        count_of(from_.asked.size(), "model"), escaped(std::filesystem::path(from_.data).filename().string()));
    put("<text x=\"{}\" y=\"56\" fill=\"#57606a\">{}; {} tested; bars: {}{}</text>", margin,
        escaped(holdout_text(from_.holdout)), count_of(from_.n_tested_users, "user"), escaped(intervals_text(from_)),
        from_.is_complete() ? "" : fmt::format("; interrupted after {}", count_of(from_.models.size(), "model")));
    y_ = 84;
  }

  /// A model belongs into a block that has a value for it; a failed one into the first.
  bool belongs(const model_result& model, const std::vector<metric>& metrics, bool has_failed_ones) const {
    if (model.has_failed()) return has_failed_ones;
    return std::any_of(metrics.begin(), metrics.end(), [&](metric m) { return !std::isnan(model.value(m)); });
  }

  void draw_block(const std::string& title, const std::vector<metric>& metrics, bool has_failed_ones) {
    std::vector<std::size_t> rows;
    for (std::size_t i = 0; i < from_.models.size(); ++i)
      if (belongs(from_.models[i], metrics, has_failed_ones)) rows.push_back(i);
    if (rows.empty()) return;
    put("<text x=\"{}\" y=\"{}\" font-weight=\"600\">{}</text>", margin, y_ + 12, escaped(title));
    const double top = y_ + 22, bottom = top + row * static_cast<double>(rows.size());
    draw_rows(rows, top);
    for (std::size_t c = 0; c < metrics.size(); ++c)
      draw_panel(metrics[c], rows, panels_left() + static_cast<double>(c) * (panel + gap), top, bottom);
    y_ = bottom + 44;
  }

  void draw_rows(const std::vector<std::size_t>& rows, double top) {
    const double width = panels_left() + 4 * (panel + gap) - gap - margin + 8;
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const model_result& model = from_.models[rows[r]];
      const double y = top + row * static_cast<double>(r);
      if (r % 2 == 0)
        put("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"#f6f8fa\"/>", margin - 8, y, width + 8, row);
      put("<text x=\"{}\" y=\"{}\" text-anchor=\"end\"{}>{}</text>", panels_left() - 16, y + 15,
          model.has_failed() ? " fill=\"#8c959f\"" : "", escaped(label_of(model.model)));
      if (model.has_failed())
        put("<text x=\"{}\" y=\"{}\" fill=\"#8c959f\">failed: {}</text>", panels_left(), y + 15,
            escaped(short_reason(model.failure)));
    }
  }

  void draw_panel(metric m, const std::vector<std::size_t>& rows, double left, double top, double bottom) {
    std::vector<double> ends;
    for (const std::size_t i : rows)
      for (const double end : {from_.models[i].value(m), from_.models[i].range(m).low, from_.models[i].range(m).high})
        if (!from_.models[i].has_failed() && !std::isnan(end)) ends.push_back(end);
    put("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" font-weight=\"600\">{}</text>", left + panel / 2, top - 10,
        escaped(title_of(m, from_.options.k)));
    if (ends.empty()) return;
    const auto [least, most] = std::minmax_element(ends.begin(), ends.end());
    const plot_axis axis(*least, *most, left, left + panel);
    draw_axis(axis, left, top, bottom);
    const std::vector<standing> standings = standings_of(from_, m);
    draw_best_line(axis, m, top, bottom);
    for (std::size_t r = 0; r < rows.size(); ++r)
      if (standings[rows[r]] != standing::none)
        draw_model(from_.models[rows[r]], m, standings[rows[r]], axis, top + row * (static_cast<double>(r) + 0.5));
  }

  void draw_axis(const plot_axis& axis, double left, double top, double bottom) {
    for (const double tick : axis.ticks()) {
      put("<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"#d8dee4\"/>", axis.place(tick), top,
          bottom);
      put("<text x=\"{:.1f}\" y=\"{}\" font-size=\"10\" text-anchor=\"middle\" fill=\"#57606a\">{}</text>",
          axis.place(tick), bottom + 14, axis.text(tick));
    }
    put("<line x1=\"{0}\" y1=\"{2}\" x2=\"{1}\" y2=\"{2}\" stroke=\"#8c959f\"/>", left, left + panel, bottom);
  }

  void draw_best_line(const plot_axis& axis, metric m, double top, double bottom) {
    put("<line x1=\"{0:.1f}\" y1=\"{1}\" x2=\"{0:.1f}\" y2=\"{2}\" stroke=\"#57606a\" stroke-dasharray=\"2 3\"/>",
        axis.place(best_model(from_.models, m)->value(m)), top, bottom);
  }

  /// Full for the best and for what is not told apart from it, hollow for the rest; the best has a ring.
  void draw_model(const model_result& model, metric m, standing stands, const plot_axis& axis, double y) {
    const char* const colour = colour_of(model.model.algorithm);
    const interval& range = model.range(m);
    put("<g stroke=\"{}\" stroke-width=\"1.6\"><title>{}: {} {:.4f} [{:.4f}, {:.4f}]</title>", colour,
        escaped(label_of(model.model)), escaped(title_of(m, from_.options.k)), model.value(m), range.low, range.high);
    if (!std::isnan(range.low)) draw_interval(axis.place(range.low), axis.place(range.high), y);
    const double x = axis.place(model.value(m));
    if (stands == standing::best) put("<circle cx=\"{:.1f}\" cy=\"{}\" r=\"7\" fill=\"#ffffff\"/>", x, y);
    put("<circle cx=\"{:.1f}\" cy=\"{}\" r=\"4\" fill=\"{}\"/></g>", x, y,
        stands == standing::behind ? "#ffffff" : colour);
  }

  /// A short one has no ends, which would be in the way of the dot.
  void draw_interval(double low, double high, double y) {
    put("<path d=\"M{:.1f} {}H{:.1f}\"/>", low, y, high);
    if (high - low > 20) put("<path d=\"M{0:.1f} {2}V{3}M{1:.1f} {2}V{3}\"/>", low, high, y - 3.5, y + 3.5);
  }

  void draw_legend() {
    double x = margin;
    const double y = y_ + 4;
    const auto entry = [&](const char* drawing, std::string_view says) {
      put("<g transform=\"translate({:.0f} {})\" stroke=\"#24292f\" stroke-width=\"1.6\">{}</g>", x + 8, y, drawing);
      put("<text x=\"{:.0f}\" y=\"{}\">{}</text>", x + 22, y + 4, escaped(says));
      x += 22 + 0.95 * width_of(says) + 16;
    };
    entry("<circle r=\"7\" fill=\"none\"/><circle r=\"4\" fill=\"#24292f\"/>", "best");
    entry("<circle r=\"4\" fill=\"#24292f\"/>", "not told apart from the best (paired bootstrap)");
    entry("<circle r=\"4\" fill=\"#ffffff\"/>", "behind");
    y_ = y + 16;
  }

  const evaluation& from_;
  double label_width_ = 0, y_ = 0;
  std::vector<std::string> algorithms_; ///< in the order of their colours
  std::string body_;
};

inline std::string plot_text(const evaluation& from) { return evaluation_plot(from).text(); }

} // namespace recsys
