// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// The exception tree of the library. Every error a user can see derives from lk::parallel::error, keeps its facts in
// public members, and says in what() what happened, to which thing, and what to do. The front re-exports this header.

namespace lk::parallel {

/// Base of every error thrown by lk-parallel.
class error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A knob or option holds something that is not usable.
class config_error : public error {
 public:
  /// `expectation` completes the sentence "... is not usable: ".
  config_error(std::string variable_name, std::string text_found, const std::string& expectation)
      : error(variable_name + ": \"" + text_found + "\" is not usable: " + expectation)
      , variable(std::move(variable_name))
      , text(std::move(text_found)) {}
  std::string variable; ///< the environment variable or option
  std::string text;     ///< what it held
};

/// The library was called in a way its contract rules out.
class usage_error : public error {
 public:
  using error::error;
};

/// Where in a task's life an exception was thrown.
enum class task_stage { encode_argument, decode_argument, call, encode_result, decode_result };

/// What is done in this stage: "running the function".
constexpr const char* to_string(task_stage stage) noexcept {
  switch (stage) {
  case task_stage::encode_argument:
    return "encoding its argument";
  case task_stage::decode_argument:
    return "decoding its argument";
  case task_stage::call:
    return "running the function";
  case task_stage::encode_result:
    return "encoding its result";
  case task_stage::decode_result:
    return "decoding its result";
  }
  return "an unknown stage";
}

/// A task's function (or a codec at work for it) threw. Originals of standard types are nested
/// (std::rethrow_if_nested).
class task_error : public error {
 public:
  /// Made by the back ends.
  task_error(std::size_t task_index, std::string thrown_type, std::string thrown_message, int worker_number,
             task_stage where)
      : error("task " + std::to_string(task_index) + " failed while " + to_string(where) +
              (worker_number < 0 ? std::string() : " in worker " + std::to_string(worker_number)) + ": " + thrown_type +
              ": " + thrown_message)
      , task(task_index)
      , type_name(std::move(thrown_type))
      , message(std::move(thrown_message))
      , worker(worker_number)
      , stage(where) {}
  std::size_t task;      ///< position of the argument in the input, from invoker_options::first_task on
  std::string type_name; ///< demangled type of what was thrown
  std::string message;   ///< its what(), cut to 64 KiB
  int worker;            ///< number of the worker, from 0; -1 where the argument never reached one
  task_stage stage;      ///< what was being done for the task
};

/// How a worker process ended.
enum class loss_kind {
  killed,   ///< by a signal
  exited,   ///< by itself, inside a task
  protocol, ///< stopped, since it had written over the memory it shares with the host
  start_up, ///< worker_init threw
  zygote,   ///< with the process that holds the model for all workers
};

/// What is known about the loss of a worker process.
struct loss_facts {
  std::optional<std::size_t> task = {}; ///< the task it was running, if any
  loss_kind kind = loss_kind::killed;   ///< how it ended
  int code = 0;                         ///< signal number (killed), exit status (exited), 0 else
  int attempts = 0;                     ///< how often the task was started
  bool out_of_memory = false;           ///< the kernel, in all likelihood, killed it because memory ran out
  std::size_t peak_rss_bytes = 0;  ///< most memory it held at a time, its share of the model included; 0: not known
  std::string last_log_lines = {}; ///< what the worker said last, may be empty
};

/// A worker process ended, or broke the protocol, while it was needed. Its facts are its members.
class worker_lost : public error, public loss_facts {
 public:
  /// Made by the back end of worker processes.
  worker_lost(const std::string& sentence, loss_facts facts) : error(sentence), loss_facts(std::move(facts)) {}
};

/// A task ran longer than invoker_options::task_timeout and its worker was killed.
class task_timeout : public error {
 public:
  /// Made by the back end of worker processes.
  task_timeout(std::size_t task_index, std::chrono::milliseconds time_limit)
      : error("task " + std::to_string(task_index) + " ran longer than its limit of " +
              std::to_string(time_limit.count()) +
              " ms and its worker was killed; raise invoker_options::task_timeout, or look at what this argument does")
      , task(task_index)
      , limit(time_limit) {}
  std::size_t task;                ///< position of the argument in the input, from invoker_options::first_task on
  std::chrono::milliseconds limit; ///< invoker_options::task_timeout
};

/// The operating system refused something the library needs.
class resource_error : public error {
 public:
  /// `remedy` says what can be done about it.
  resource_error(std::string call_name, int errno_value, const std::string& remedy)
      : error(call_name + " failed" + (errno_value ? std::string(": ") + std::strerror(errno_value) : "") + "; " +
              remedy)
      , call(std::move(call_name))
      , errno_code(errno_value) {}
  std::string call; ///< the system call or step
  int errno_code;   ///< its errno, 0 if it has none
};

/// Bytes could not be decoded as the type that was asked for.
class wire_error : public error {
 public:
  using error::error;
};

/// Why a journal is not continued.
enum class journal_refusal {
  other_job,      ///< it belongs to a job with another identity
  in_use,         ///< a process is writing it
  target_changed, ///< the output was complete, and is not any more what the job has written
  foreign_file,   ///< the file with the journal's name is no journal, or one of another format
};

/// An output cannot be continued. Its files are as they were.
class journal_error : public error {
 public:
  /// `sentence` says what and what to do.
  journal_error(journal_refusal why, std::string file, const std::string& sentence,
                std::vector<std::string> changed_names = {})
      : error(sentence)
      , reason(why)
      , path(std::move(file))
      , changed(std::move(changed_names)) {}
  journal_refusal reason;           ///< why
  std::string path;                 ///< of the output
  std::vector<std::string> changed; ///< other_job: the names of what differs
};

/// invoker_options::stop was requested; the map ends here.
class cancelled : public error {
 public:
  cancelled() : error("the map was cancelled by its stop token") {}
};

} // namespace lk::parallel
