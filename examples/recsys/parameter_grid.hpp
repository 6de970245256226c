// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// From the words of a command line to the models that they ask for: `features=8,16` gives every algorithm that has
// features two models, `als-implicit.features=8,16` only this one, and several such words every combination.

namespace recsys {

struct parameter_facts {
  std::string name;
  double least = 0, most = 0;
  bool is_whole = false;
};

struct algorithm_facts {
  std::string name;
  std::vector<parameter_facts> parameters;

  const parameter_facts* find(std::string_view parameter) const {
    const auto at =
        std::find_if(parameters.begin(), parameters.end(), [&](auto& one) { return one.name == parameter; });
    return at != parameters.end() ? &*at : nullptr;
  }
};

/// One model that is to be evaluated. What the grid does not say is left to the algorithm.
struct model_choice {
  std::string algorithm;
  std::vector<std::pair<std::string, double>> parameters; ///< in the order of the grid

  const double* find(std::string_view name) const {
    for (const auto& [key, value] : parameters)
      if (key == name) return &value;
    return nullptr;
  }
  double get(std::string_view name, double otherwise) const {
    const double* const value = find(name);
    return value != nullptr ? *value : otherwise;
  }
};

/// The shortest text that reads back as the same number; whole numbers without an exponent.
inline std::string shortest(double number) {
  char text[64];
  const bool is_whole = number == std::floor(number) && std::abs(number) < 1e15;
  const auto end = is_whole ? std::to_chars(text, text + sizeof text, number, std::chars_format::fixed)
                            : std::to_chars(text, text + sizeof text, number);
  return std::string(text, end.ptr);
}

/// "als-implicit features=16".
inline std::string label_of(const model_choice& model) {
  std::string label = model.algorithm;
  for (const auto& [name, value] : model.parameters) label += " " + name + "=" + shortest(value);
  return label;
}

/// The values of one parameter, for one algorithm or, where that is empty, for all that have it.
struct grid_axis {
  std::string word, algorithm, parameter;
  std::vector<double> values;
};

/// Throws: std::invalid_argument where the word is not [algorithm.]parameter=number,number...
inline grid_axis parse_axis(const std::string& word) {
  const auto refuse = [&] {
    throw std::invalid_argument("--grid " + word +
                                ": expected parameter=number,number... or "
                                "algorithm.parameter=number,number...");
  };
  const std::size_t equals = word.find('=');
  if (equals == std::string::npos) refuse();
  const std::size_t dot = word.substr(0, equals).find('.');
  grid_axis axis{word, dot == std::string::npos ? "" : word.substr(0, dot), "", {}};
  const std::size_t begin = dot == std::string::npos ? 0 : dot + 1;
  axis.parameter = word.substr(begin, equals - begin);
  if (axis.parameter.empty() || dot == 0) refuse();

  const char *at = word.data() + equals, *const end = word.data() + word.size();
  while (at != end) {
    if (at != word.data() + equals && *at != ',') refuse();
    double value = 0;
    const auto [next, error] = std::from_chars(at + 1, end, value);
    if (error != std::errc() || !std::isfinite(value)) refuse();
    if (std::find(axis.values.begin(), axis.values.end(), value) == axis.values.end()) axis.values.push_back(value);
    at = next;
  }
  return axis;
}

/// "a, b, c".
inline std::string listed(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

/// Throws: std::invalid_argument where the parameter cannot have one of the values.
inline void check_values(const grid_axis& axis, const parameter_facts& facts) {
  for (const double value : axis.values)
    if (value < facts.least || value > facts.most || (facts.is_whole && value != std::floor(value)))
      throw std::invalid_argument("--grid " + axis.word + ": " + facts.name + " is a " +
                                  (facts.is_whole ? "whole number" : "number") + " from " + shortest(facts.least) +
                                  " to " + shortest(facts.most) + ", not " + shortest(value));
}

/// The axes that concern this algorithm; one of its own goes before one for all.
inline std::vector<const grid_axis*> axes_of(const algorithm_facts& algorithm, std::span<const grid_axis> axes) {
  std::vector<const grid_axis*> chosen;
  for (const grid_axis& axis : axes) {
    if (!axis.algorithm.empty() && axis.algorithm != algorithm.name) continue;
    const parameter_facts* const facts = algorithm.find(axis.parameter);
    if (facts == nullptr) continue;
    check_values(axis, *facts);
    const auto same = std::find_if(chosen.begin(), chosen.end(),
                                   [&](const grid_axis* other) { return other->parameter == axis.parameter; });
    if (same == chosen.end())
      chosen.push_back(&axis);
    else if ((*same)->algorithm.empty() == axis.algorithm.empty())
      throw std::invalid_argument("--grid gives " + axis.parameter + " twice; give all values at once");
    else if (!axis.algorithm.empty())
      *same = &axis;
  }
  return chosen;
}

inline const algorithm_facts& find_algorithm(const std::string& name, std::span<const algorithm_facts> known) {
  std::vector<std::string> names;
  for (const algorithm_facts& one : known) {
    if (one.name == name) return one;
    names.push_back(one.name);
  }
  throw std::invalid_argument("there is no algorithm " + name + "; there are " + listed(names));
}

/// Throws: std::invalid_argument where a word of the grid concerns none of the algorithms.
inline void require_use(const grid_axis& axis, const std::vector<const algorithm_facts*>& algorithms) {
  std::vector<std::string> names;
  for (const algorithm_facts* one : algorithms)
    for (const parameter_facts& parameter : one->parameters) {
      if (parameter.name == axis.parameter && (axis.algorithm.empty() || axis.algorithm == one->name)) return;
      names.push_back(one->name + "." + parameter.name);
    }
  throw std::invalid_argument("--grid " + axis.word + ": none of the algorithms has this parameter; they have " +
                              (names.empty() ? "none" : listed(names)));
}

/// Every combination, algorithm by algorithm; the last word of the grid changes fastest.
/// Throws: std::invalid_argument where a word is not understood, or more than 10,000 models are asked for.
inline std::vector<model_choice> expand_grid(const std::vector<std::string>& algorithms,
                                             const std::vector<std::string>& words,
                                             std::span<const algorithm_facts> known) {
  std::vector<grid_axis> axes;
  for (const std::string& word : words) axes.push_back(parse_axis(word));
  std::vector<const algorithm_facts*> asked;
  for (const std::string& name : algorithms) {
    const algorithm_facts* const one = &find_algorithm(name, known);
    if (std::find(asked.begin(), asked.end(), one) == asked.end()) asked.push_back(one);
  }
  for (const grid_axis& axis : axes) require_use(axis, asked);

  std::vector<model_choice> all;
  for (const algorithm_facts* algorithm : asked) {
    std::vector<model_choice> models{{algorithm->name, {}}};
    for (const grid_axis* axis : axes_of(*algorithm, axes)) {
      if (all.size() + models.size() * axis->values.size() > 10'000)
        throw std::invalid_argument("--grid asks for more than 10,000 models");
      std::vector<model_choice> longer;
      for (const model_choice& model : models)
        for (const double value : axis->values) {
          longer.push_back(model);
          longer.back().parameters.emplace_back(axis->parameter, value);
        }
      models = std::move(longer);
    }
    all.insert(all.end(), models.begin(), models.end());
  }
  return all;
}

} // namespace recsys
