// lk-parallel | SPDX-License-Identifier: MIT

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <support/catch.hpp>

#include <recsys/evaluation_json.hpp>
#include <recsys/evaluation_plot.hpp>
#include <recsys/evaluation_table.hpp>
#include <recsys/parameter_grid.hpp>

using namespace recsys;
using lk::parallel::testing::contains;

namespace {

using words = std::vector<std::string>;

const std::vector<algorithm_facts> known{
    {"als", {{"features", 1, 100, true}, {"weight", 0.5, 50, false}}},
    {"other", {{"features", 1, 100, true}}},
    {"popular", {}},
};

words labels(const words& algorithms, const words& grid) {
  words all;
  for (const model_choice& one : expand_grid(algorithms, grid, known)) all.push_back(label_of(one));
  return all;
}

std::string complaint(const words& algorithms, const words& grid) {
  try {
    expand_grid(algorithms, grid, known);
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "nothing";
}

/// All metrics of a model have the same value, and its replicates lie around it.
model_result model_with(const std::string& name, double value, const std::vector<double>& around) {
  model_result made{{name, {{"features", 8}}}, "", {}, {}, {}, {}};
  made.values.fill(value);
  made.intervals.fill({value - 0.01, value + 0.02});
  for (const double off : around) {
    made.replicates.emplace_back();
    made.replicates.back().fill(value + off);
  }
  return made;
}

/// als is best in what is better high, near by hardly behind, far far behind; popular predicts nothing, broken failed.
evaluation example() {
  evaluation made;
  made.data = "a<b>.csv";
  made.n_ratings = 12'000;
  made.n_users = 300;
  made.n_items = 400;
  made.n_training = 9'600;
  made.n_test = 2'400;
  made.n_tested_users = 300;
  made.options.n_replicates = 3;
  made.models = {model_with("als", 0.3, {-0.05, 0, 0.05}), model_with("near", 0.29, {0.01, 0, -0.08}),
                 model_with("far", 0.1, {-0.05, 0, 0.05}), model_with("popular", 0.05, {-0.05, 0, 0.05})};
  for (std::size_t m = static_cast<std::size_t>(metric::rmse); m < n_metrics; ++m) {
    made.models[3].values[m] = m + 1 == n_metrics ? 0 : undefined;
    for (metric_values& one : made.models[3].replicates) one[m] = undefined;
    made.models[3].intervals[m] = {};
  }
  made.models.push_back({{"broken", {}}, "worker 0 was lost & gone", {}, {}, {}, {}});
  for (const model_result& one : made.models) made.asked.push_back(one.model);
  return made;
}

std::size_t count_of(const std::string& part, const std::string& text) {
  std::size_t n = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

} // namespace

TEST_CASE("a grid gives every combination, and a parameter only to the algorithms that have it", "[grid]") {
  CHECK(labels({"als", "popular"}, {}) == words{"als", "popular"});
  CHECK(labels({"popular", "als", "other"}, {"features=8,16", "weight=1.5,2"}) ==
        words{"popular", "als features=8 weight=1.5", "als features=8 weight=2", "als features=16 weight=1.5",
              "als features=16 weight=2", "other features=8", "other features=16"});
  CHECK(labels({"als", "other"}, {"features=8,16", "other.features=3"}) ==
        words{"als features=8", "als features=16", "other features=3"});
  CHECK(labels({"als", "als"}, {"features=8,8"}) == words{"als features=8"});
  CHECK(shortest(1e6) == "1000000");
  CHECK(shortest(1e-6) == "1e-06");
  CHECK(expand_grid({"als"}, {"weight=2"}, known)[0].get("weight", 40) == 2);
  CHECK(expand_grid({"als"}, {"weight=2"}, known)[0].get("features", 50) == 50);
}

TEST_CASE("a grid that makes no sense is refused with a sentence", "[grid]") {
  CHECK(complaint({"svd"}, {}) == "there is no algorithm svd; there are als, other, popular");
  for (const char* word : {"features", "features=", "=8", "features=8,", "features=8;9", "features=,8", ".x=1",
                           "weight=nan", "weight=inf", "features=1e999"})
    CHECK_THAT(complaint({"als"}, {word}), contains(std::string("--grid ") + word + ": expected parameter=number"));
  CHECK(complaint({"als"}, {"features=0"}) == "--grid features=0: features is a whole number from 1 to 100, not 0");
  CHECK_THAT(complaint({"als"}, {"features=1.5"}), contains("not 1.5"));
  CHECK(complaint({"als"}, {"weight=99"}) == "--grid weight=99: weight is a number from 0.5 to 50, not 99");
  CHECK(complaint({"other"}, {"weight=1"}) ==
        "--grid weight=1: none of the algorithms has this parameter; they have other.features");
  CHECK_THAT(complaint({"popular"}, {"weight=1"}), contains("they have none"));
  CHECK_THAT(complaint({"als"}, {"other.features=1"}), contains("none of the algorithms"));
  CHECK(complaint({"als"}, {"features=1", "features=2"}) == "--grid gives features twice; give all values at once");
  std::string many = "features=1";
  for (int i = 2; i <= 100; ++i) many += "," + std::to_string(i);
  std::string weights = "weight=1";
  for (int i = 2; i <= 120; ++i) weights += "," + std::to_string(i / 4.0 + 1);
  CHECK(complaint({"als"}, {many, weights}) == "--grid asks for more than 10,000 models");
}

TEST_CASE("the best model is marked, and what the paired bootstrap does not tell apart from it", "[evaluation]") {
  using enum standing;
  CHECK(standings_of(example(), metric::ndcg) == std::vector{best, level, behind, behind, none});
  CHECK(standings_of(example(), metric::rmse) == std::vector{behind, behind, best, none, none});
  evaluation tie = example();
  tie.models[1].values.fill(0.3);
  CHECK(standings_of(tie, metric::recall) == std::vector{best, best, behind, behind, none});
  CHECK(standings_of(evaluation{}, metric::recall).empty());
}

TEST_CASE("the table says what was done, marks what is best, and why a model failed", "[evaluation]") {
  evaluation from = example();
  CHECK(table_text(from) == R"(data       a<b>.csv: 12,000 ratings of 300 users and 400 items
held out   20 % of each user's ratings, of users with 5 or more, seed 1: 9,600 to train on, 2,400 of 300 users to test
intervals  95 % over users, 3 bootstrap replicates, seed 1

top-10 lists        nDCG@10                recall@10              MRR@10                 hit rate@10
als features=8      0.300* [0.290, 0.320]  0.300* [0.290, 0.320]  0.300* [0.290, 0.320]  0.300* [0.290, 0.320]
near features=8     0.290~ [0.280, 0.310]  0.290~ [0.280, 0.310]  0.290~ [0.280, 0.310]  0.290~ [0.280, 0.310]
far features=8      0.100  [0.090, 0.120]  0.100  [0.090, 0.120]  0.100  [0.090, 0.120]  0.100  [0.090, 0.120]
popular features=8  0.050  [0.040, 0.070]  0.050  [0.040, 0.070]  0.050  [0.040, 0.070]  0.050  [0.040, 0.070]
broken              failed: worker 0 was lost & gone

predictions      RMSE                   MAE                    user RMSE              user MAE               coverage
als features=8   0.300  [0.290, 0.320]  0.300  [0.290, 0.320]  0.300  [0.290, 0.320]  0.300  [0.290, 0.320]  0.300*
near features=8  0.290  [0.280, 0.310]  0.290  [0.280, 0.310]  0.290  [0.280, 0.310]  0.290  [0.280, 0.310]  0.290~
far features=8   0.100* [0.090, 0.120]  0.100* [0.090, 0.120]  0.100* [0.090, 0.120]  0.100* [0.090, 0.120]  0.100

* best  ~ not told apart from the best: the 95 % interval of the difference holds 0
)");
  from.models.back().failure = std::string(85, 'x') + " and more, which the log has\nin several lines";
  CHECK_THAT(table_text(from), contains("failed: " + std::string(85, 'x') + " and ...\n"));
  from.asked.push_back({"never", {}});
  CHECK_THAT(table_text(from), contains("\ninterrupted: 5 of 6 models\n"));
  from.n_repeated = 1;
  from.n_bad_rows = 2;
  CHECK_THAT(table_text(from),
             contains("\nrepeated   1 rating of a pair that is rated later\nleft out   2 bad rows\n"));
  from.holdout.amount = 5;
  CHECK_THAT(table_text(from), contains("held out   5 ratings of each user, of users with 5 or more"));
}

TEST_CASE("the JSON has every metric with its interval, and what failed or was not reached", "[evaluation]") {
  evaluation from = example();
  from.models[0].times.training = 1.5;
  from.asked.push_back({"never", {}});
  const json read = json::parse(json_text(from));
  CHECK(read["complete"] == false);
  CHECK(read["not_evaluated"] == json{"never"});
  CHECK(read["data"]["ratings"] == 12'000);
  CHECK(read["data"]["bad_rows"] == 0);
  CHECK(read["holdout"]["amount"] == 0.2);
  REQUIRE(read["models"].size() == 5);
  const json& first = read["models"][0];
  CHECK(first["label"] == "als features=8");
  CHECK(first["parameters"]["features"] == 8);
  CHECK(first["status"] == "done");
  CHECK(first["metrics"].size() == n_metrics);
  CHECK(first["metrics"]["ndcg"]["value"] == 0.3);
  CHECK(first["metrics"]["ndcg"]["high"] == 0.32);
  CHECK(first["metrics"]["ndcg"]["standing"] == "best");
  CHECK(first["seconds"]["training"] == 1.5);
  CHECK(read["models"][3]["metrics"]["rmse"]["value"].is_null());
  CHECK(read["models"][3]["metrics"]["rmse"]["standing"] == "none");
  CHECK(read["models"][4]["status"] == "failed");
  CHECK(read["models"][4]["error"] == "worker 0 was lost & gone");
  CHECK_FALSE(read["models"][4].contains("metrics"));
}

TEST_CASE("the JSON is valid whatever bytes a file's name has", "[evaluation]") {
  evaluation from = example();
  from.data = "caf\xe9.csv";
  CHECK(json::parse(json_text(from))["data"]["source"] == "caf\xef\xbf\xbd.csv");
}

TEST_CASE("the plot has a dot for each value and its labels are escaped", "[evaluation]") {
  const std::string svg = plot_text(example());
  CHECK(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK_THAT(svg, contains("5 models on a&lt;b&gt;.csv"));
  CHECK_THAT(svg, contains("failed: worker 0 was lost &amp; gone"));
  CHECK(count_of("<g stroke", svg) == 4 * 4 + 3 * 4);
  CHECK(count_of("<text", svg) == count_of("</text>", svg));
  CHECK(count_of("<g", svg) == count_of("</g>", svg));
  CHECK(svg.find("nan") == std::string::npos);
  CHECK_THAT(plot_text(evaluation{}), contains("0 models"));
}

TEST_CASE("an axis has a few round ticks, and holds all values", "[plot]") {
  for (const auto& [least, most] : {std::pair{0.31, 0.38}, {0.0, 1.0}, {2.5, 2.5}, {0.0, 0.0}, {-3.0, 1200.0}}) {
    const plot_axis axis(least, most, 100, 200);
    INFO(least << " to " << most);
    CHECK((axis.place(least) > 100 && axis.place(most) < 200));
    CHECK((axis.ticks().size() >= 2 && axis.ticks().size() <= 8));
    for (const double tick : axis.ticks()) CHECK((axis.place(tick) >= 100 && axis.place(tick) <= 200));
  }
  const plot_axis axis(0.31, 0.38, 100, 200);
  std::vector<std::string> texts;
  for (const double tick : axis.ticks()) texts.push_back(axis.text(tick));
  CHECK(texts == std::vector<std::string>{"0.32", "0.34", "0.36", "0.38"});
}
