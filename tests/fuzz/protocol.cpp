// lk-parallel | SPDX-License-Identifier: MIT
#include "fuzz/protocol.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <lk/parallel/process/answers.hpp>
#include <lk/parallel/process/crash_report.hpp>
#include <lk/parallel/process/dispatcher.hpp>
#include <lk/parallel/process/worker_slot.hpp>
#include <lk/parallel/report/log_record.hpp>
#include <lk/parallel/wire/failure.hpp>

#include "fuzz/worker_side.hpp"

namespace lk::parallel::testing {
namespace {

constexpr int n_workers = 3; // so that one has neighbours on both sides
constexpr std::size_t ring_bytes = 4096;

void promise(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

/// What a script can say; the numbers are its first bytes.
enum class step : std::uint8_t {
  submit,    ///< how many, size
  run,       ///< how many: tasks that go many in a frame
  pump,      ///< the host sends and takes in
  begin_map, ///<
  abandon,   ///<
  expect,    ///< how many tasks the map is said to have
  rest,      ///< the host finds nothing to do
  die,       ///< worker, which task was overdue
  fork,      ///< worker
  work,      ///< worker, how it answers
  work_fast, ///< worker, how many tasks, room for how many results: those of eight bytes share a frame
  start,     ///< worker: takes a task and does not answer
  tell,      ///< worker, kind, ticket, contents, size of a piece
  repeat,    ///< worker: its last frame again
  spoil,     ///< worker, where, added length, changed bits of kind and flags: its last header, or any
  scribble,  ///< worker, where, bytes
  smudge,    ///< worker, which byte from its last header on, changed bits
  status,    ///< worker, which word, value
  tamper,    ///< worker, which byte: writes into the next result while the host reads it
  last = tamper
};

/// The script, byte by byte; zeros where it is over.
class script_reader {
 public:
  explicit script_reader(std::span<const std::byte> bytes) : rest_(bytes) {}
  bool over() const { return rest_.empty(); }
  std::uint8_t byte() { return number<std::uint8_t>(); }
  std::uint16_t two() { return number<std::uint16_t>(); }
  std::uint64_t eight() { return number<std::uint64_t>(); }
  std::vector<std::byte> bytes(std::size_t n) {
    const auto taken = rest_.first(std::min(n, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return {taken.begin(), taken.end()};
  }

 private:
  template <class Number> Number number() {
    Number value{};
    const auto taken = bytes(sizeof value);
    if (!taken.empty()) std::memcpy(&value, taken.data(), taken.size());
    return value;
  }
  std::span<const std::byte> rest_;
};

/// Log records of workers go nowhere, and loggers that they name are forgotten.
class silence {
 public:
  silence() { spdlog::set_default_logger(quiet()); }
  ~silence() {
    spdlog::drop_all();
    spdlog::set_default_logger(before_);
  }
  silence(const silence&) = delete;
  silence& operator=(const silence&) = delete;

 private:
  static std::shared_ptr<spdlog::logger> quiet() {
    return std::make_shared<spdlog::logger>("quiet", std::make_shared<spdlog::sinks::null_sink_mt>());
  }
  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
};

/// While it lives, touching any page of the segment is a SIGSEGV, but for host line, status line and result ring of one
/// worker.
class only_one_channel {
 public:
  only_one_channel(const shm::pool_memory& memory, int worker) {
    const std::size_t page = shm::page_bytes();
    const auto first = memory.at(0), last = memory.at(memory.n_workers() - 1), mine = memory.at(worker);
    begin_ = first.host_pages.data() - page;
    end_ = last.worker_pages.data() + last.worker_pages.size();
    protect(begin_, mine.host_pages.data(), PROT_NONE);
    protect(mine.host_pages.data() + page, mine.worker_pages.data(), PROT_NONE);
    protect(mine.worker_pages.data() + mine.worker_pages.size(), end_, PROT_NONE);
  }
  ~only_one_channel() { protect(begin_, end_, PROT_READ | PROT_WRITE); }
  only_one_channel(const only_one_channel&) = delete;
  only_one_channel& operator=(const only_one_channel&) = delete;

 private:
  static void protect(std::byte* from, std::byte* to, int rights) {
    if (from != to) ::mprotect(from, static_cast<std::size_t>(to - from), rights);
  }
  std::byte* begin_;
  std::byte* end_;
};

/// What was submitted, by ticket, and what became of it.
struct ledger {
  struct task {
    std::vector<std::byte> argument;
    bool over = false;
    std::vector<std::vector<std::byte>> said = {}; ///< results that workers have given for it
  };
  std::vector<task> tasks;
  std::size_t first_of_map = 0;
  std::size_t first_wanted = 0;

  void finish(std::uint64_t ticket) {
    promise(ticket >= first_wanted && ticket < tasks.size(), "an answer came for a task that nobody waits for");
    promise(!std::exchange(tasks[ticket].over, true), "a task was answered twice");
    tasks[ticket].argument = {};
  }
  void say(std::uint64_t ticket, const std::vector<std::byte>& result) {
    if (ticket < tasks.size()) tasks[ticket].said.push_back(result);
  }
  bool was_said(std::uint64_t ticket, const std::vector<std::byte>& result) const {
    return ticket < tasks.size() && std::count(tasks[ticket].said.begin(), tasks[ticket].said.end(), result) > 0;
  }
  bool anything_left() const {
    return std::any_of(tasks.begin() + static_cast<std::ptrdiff_t>(first_wanted), tasks.end(),
                       [](const task& one) { return !one.over; });
  }
};

class game final : public process::answer_sink {
 public:
  game(std::span<const std::byte> script, forgery seals)
      : in_(script)
      , forgery_(seals)
      , memory_(n_workers, ring_bytes, ring_bytes)
      , tasks_(memory_) {
    for (int worker = 0; worker < n_workers; ++worker) {
      workers_.emplace_back(memory_.at(worker));
      tasks_.slot(worker).state = process::slot_state::running;
    }
    begin_map();
  }

  void play() {
    while (!in_.over()) take_step(static_cast<step>(in_.byte() % (static_cast<int>(step::last) + 1)));
    recover();
  }

 private:
  void take_step(step what) {
    switch (what) {
    case step::submit:
      return submit(1 + in_.byte() % 16, argument_bytes(in_.byte()));
    case step::run:
      return submit_run(1 + in_.byte() % 128);
    case step::pump:
      return pump();
    case step::begin_map:
      return begin_map();
    case step::abandon:
      return abandon();
    case step::expect:
      return tasks_.expect(in_.byte() * std::uint64_t{in_.two()});
    case step::rest:
      return rest();
    case step::fork:
      return fork(in_.byte() % n_workers);
    default:
      const int worker = in_.byte() % n_workers;
      if (tasks_.slot(worker).state == process::slot_state::running) take_step_of(worker, what);
    }
  }

  void take_step_of(int worker, step what) {
    side(worker).lied |= what != step::die && what != step::work && what != step::work_fast && what != step::start;
    side(worker).talked |= what == step::tell || what == step::repeat;
    switch (what) {
    case step::die:
      return die(worker, some_ticket(worker) + 1);
    case step::work:
      return work(worker, in_.byte());
    case step::work_fast:
      return work_fast(worker, 1 + in_.byte() % 128, 1 + in_.byte() % 128);
    case step::start:
      return start(worker);
    case step::tell:
      return send_message(worker);
    case step::repeat:
      return side(worker).put(outgoing(side(worker).last_sent()));
    case step::spoil:
      return spoil(worker);
    case step::scribble:
      return scribble(worker);
    case step::smudge:
      return smudge(worker);
    case step::status:
      return tell_status(worker);
    default:
      side(worker).tamper_at = in_.two();
    }
  }

  // --- the host: as process::supervisor does it

  void begin_map() {
    tasks_.begin_map({.entry = [](void*, process::running_task&) {}, .argument_bytes = sizeof(std::uint64_t)});
    ledger_.first_of_map = ledger_.first_wanted = ledger_.tasks.size();
  }

  void abandon() {
    tasks_.abandon_map();
    ledger_.first_wanted = ledger_.tasks.size();
  }

  void rest() {
    tasks_.note_wait();
    tasks_.call_sleepers();
    promise(!tasks_.call_sleepers(),
            "workers go without tasks that were called a moment ago: the host would never rest");
  }

  static std::size_t argument_bytes(std::uint8_t choice) {
    constexpr std::size_t largest = shm::largest_payload(ring_bytes);
    constexpr std::size_t sizes[] = {0, 1, 8, 63, 200, 1000, largest / 2, largest - 1, largest, largest + 1, 9000};
    return sizes[choice % std::size(sizes)];
  }

  void submit(int n, std::size_t bytes) {
    for (; n > 0 && tasks_.has_room(); --n) {
      std::vector<std::byte> argument(bytes, static_cast<std::byte>(ledger_.tasks.size()));
      ledger_.tasks.push_back({.argument = argument});
      tasks_.begin_task().write(argument.data(), argument.size());
      tasks_.end_task();
    }
  }

  void submit_run(int n) {
    while (n > 0 && tasks_.has_room()) {
      auto run = tasks_.open_run();
      promise(run.n_left > 0, "there is room, and then there is none");
      const std::size_t n_in_run = std::min(run.n_left, static_cast<std::size_t>(n));
      for (std::size_t i = 0; i < n_in_run; ++i, --n, run.next += sizeof(std::uint64_t)) {
        const auto argument = static_cast<std::uint64_t>(ledger_.tasks.size()) << 32;
        const auto bytes = std::as_bytes(std::span(&argument, 1));
        ledger_.tasks.push_back({.argument = {bytes.begin(), bytes.end()}});
        std::memcpy(run.next, &argument, sizeof argument);
      }
      tasks_.close_run(n_in_run);
    }
  }

  void pump() {
    tasks_.publish();
    for (int worker = 0; worker < n_workers; ++worker) side(worker).send();
    for (int worker = 0; worker < n_workers; ++worker) drain(worker);
    tasks_.send_parked();
    for (const auto& slot : tasks_.slots())
      promise(!slot.has_arrivals(), "something is still there after everything was taken: the host would never rest");
    tasks_.publish();
    tasks_.note_look();
  }

  void drain(int worker) {
    process::worker_slot& slot = tasks_.slot(worker);
    if (slot.broke_protocol) return;
    const only_one_channel guard(memory_, worker);
    try {
      slot.tasks().learn_consumed();
      const auto take_one = [&](const wire::message& message) { take(slot, worker, message); };
      while (take_many(slot, worker) || slot.next_message(take_one)) {
      }
    } catch (const wire_error&) {
      slot.broke_protocol = true;
    }
    slot.free_results();
    slot.learn_depth();
    promise(slot.depth() >= base::queue_depth::least && slot.depth() <= base::queue_depth::most,
            "a queue is to be deeper than any may be");
  }

  /// Results that are eight bytes, by the short way.
  bool take_many(process::worker_slot& slot, int worker) {
    draining_ = worker;
    front_.reset();
    if (!slot.outstanding().empty()) front_ = slot.outstanding().ticket();
    const std::size_t n_before = slot.outstanding().size();
    n_plain_ = 0;
    const bool was_any = answers_.take_results(slot, sizeof(std::uint64_t), *this);
    promise(slot.outstanding().size() + n_plain_ == n_before, "as many tasks are over as were not answered");
    promise(was_any == (n_plain_ > 0), "it says that there was a result where there was none");
    return was_any;
  }

  void take(process::worker_slot& slot, int worker, const wire::message& message) {
    const std::uint64_t produced = channel(worker).host->results_consumed.bytes.load() + ring_bytes;
    promise(message.bytes.size() <= produced, "a message is longer than all that its worker has written");
    draining_ = worker;
    front_.reset();
    if (!slot.outstanding().empty()) front_ = slot.outstanding().ticket();
    const std::size_t n_before = slot.outstanding().size();
    answers_.take(slot, worker, message, *this);
    promise(slot.outstanding().size() + 1 >= n_before, "one message answered several tasks");
    answers_.take_init_failure();
  }

 public:
  void on_result(std::uint64_t index, int worker, const wire::message& message) override {
    const std::vector<std::byte> decoded(message.bytes.begin(), message.bytes.end());
    const bool tampered = tamper(worker, message);
    message.require_intact();
    promise(!tampered, "a result was believed that changed while it was read");
    believe(index, worker, decoded);
  }
  /// The worker writes into a message while the host makes something of it.
  bool tamper(int worker, const wire::message& message) {
    const auto at = std::exchange(side(worker).tamper_at, std::nullopt);
    if (!at || message.is_copy || message.bytes.empty()) return false;
    const auto ring = channel(worker).results;
    ring[static_cast<std::size_t>(message.bytes.data() - ring.data()) + *at % message.bytes.size()] ^= std::byte{1};
    return true;
  }

  void on_plain_results(std::uint64_t first, std::size_t n, const std::byte* results) override {
    for (; n_plain_ < n; ++n_plain_, ++*front_, results += sizeof(std::uint64_t))
      believe(first + n_plain_, draining_, {results, results + sizeof(std::uint64_t)});
  }
  void on_error(std::uint64_t index, std::exception_ptr what) override {
    try {
      std::rethrow_exception(what);
    } catch (const task_error& failed) {
      promise(failed.stage >= task_stage::encode_argument && failed.stage <= task_stage::decode_result,
              "a stage is none");
      on_answer(index, failed.worker);
    }
  }

 private:
  void believe(std::uint64_t index, int worker, const std::vector<std::byte>& result) {
    const std::uint64_t ticket = ledger_.first_of_map + index;
    promise(side(worker).talked || forgery_ == forgery::possible || ledger_.was_said(ticket, result),
            "a result arrived that no worker has given");
    on_answer(index, worker);
  }

  void on_answer(std::uint64_t index, int worker) {
    const std::uint64_t ticket = ledger_.first_of_map + index;
    promise(worker == draining_, "an answer is told of another worker than the one who gave it");
    promise(front_ == ticket, "an answer came for another task than the oldest that its worker has");
    ledger_.finish(ticket);
  }

  /// As supervisor::bury.
  void die(int worker, std::uint64_t overdue) {
    process::worker_slot& slot = tasks_.slot(worker);
    if (slot.state == process::slot_state::vacant) return;
    drain(worker);
    promise(slot.log().joined().size() <= 5 * 501, "the host keeps more of a worker's log than it may");
    static_cast<void>(process::crash_text(worker, {}, channel(worker).status->crash));
    bool broke_protocol = slot.broke_protocol, had_started = false;
    try {
      had_started = slot.had_started();
    } catch (const wire_error&) {
      broke_protocol = true;
    }
    promise(!broke_protocol || side(worker).lied, "an honest worker is said to have broken the protocol");
    auto unanswered = bury(slot);
    const bool is_overdue = !unanswered.empty() && overdue == unanswered.front().ticket + 1;
    const bool to_blame = !unanswered.empty() && (broke_protocol || is_overdue || had_started);
    if (to_blame && ++unanswered.front().attempt > 2) {
      const auto culprit = unanswered.front().ticket;
      unanswered.pop_front();
      if (tasks_.is_wanted(culprit)) ledger_.finish(culprit);
    }
    tasks_.take_back(std::move(unanswered));
  }

  /// The tasks that come back are those that were sent, as they were sent.
  std::deque<process::parked_task> bury(process::worker_slot& slot) {
    std::vector<std::uint64_t> tickets;
    for (std::size_t i = 0; i < slot.outstanding().size(); ++i) tickets.push_back(slot.outstanding().ticket(i));
    auto unanswered = slot.clear();
    promise(unanswered.size() == tickets.size(), "a dead worker's tasks are not all there");
    for (std::size_t i = 0; i < tickets.size(); ++i) {
      promise(unanswered[i].ticket == tickets[i], "a dead worker's tasks have lost their order");
      const auto& task = ledger_.tasks[tickets[i]];
      promise(task.over || unanswered[i].argument == task.argument, "an argument has changed in a worker's queue");
    }
    return unanswered;
  }

  void fork(int worker) {
    process::worker_slot& slot = tasks_.slot(worker);
    if (slot.state != process::slot_state::vacant) return;
    workers_[static_cast<std::size_t>(worker)] = worker_side(memory_.at(worker));
    slot.state = process::slot_state::running;
  }

  // --- the workers

  worker_side& side(int worker) { return workers_[static_cast<std::size_t>(worker)]; }
  const shm::channel& channel(int worker) { return side(worker).channel(); }

  std::optional<incoming> take_task(int worker) {
    auto task = side(worker).take_task();
    if (!task || side(worker).lied) return task;
    promise(task->ticket < ledger_.tasks.size(), "a worker got a task that was never submitted");
    const auto& submitted = ledger_.tasks[task->ticket];
    promise(submitted.over || task->argument == submitted.argument, "a worker got another argument than was submitted");
    return task;
  }

  /// Begins a task that will not be answered.
  void start(int worker) {
    const auto task = take_task(worker);
    if (!task) return;
    channel(worker).status->attempt_started(task->ticket);
    side(worker).lied |= std::exchange(side(worker).left_one, true);
  }

  /// One task: 0 a result, 1 a failure, 2 left out, 3 the ticket of another, 4 answered twice.
  void work(int worker, std::uint8_t how) {
    const auto task = take_task(worker);
    if (!task) return;
    const auto ticket = how % 5 == 3 ? some_ticket(worker) : task->ticket;
    side(worker).lied |= how % 5 > 2 || side(worker).left_one;
    const bool leave_out = how % 5 == 2 || task->ticket < ledger_.first_wanted;
    side(worker).lied |= leave_out && task->ticket >= ledger_.first_wanted;
    channel(worker).status->attempt_started(task->ticket);
    ledger_.say(ticket, task->argument);
    for (int times = how % 5 == 4 ? 2 : 1; times > 0; --times) {
      if (leave_out)
        side(worker).put(wire::frame_kind::skipped, ticket, {}, 1);
      else if (how % 5 == 1)
        side(worker).put(wire::frame_kind::failure, ticket, a_failure(), piece_bytes);
      else
        side(worker).put(wire::frame_kind::result, ticket, task->argument, piece_bytes);
    }
    channel(worker).status->attempt_ended();
  }

  /// Several tasks, whose results share frames for n results.
  void work_fast(int worker, int n_tasks, std::size_t n) {
    for (; n_tasks > 0; --n_tasks) {
      const auto task = take_task(worker);
      if (!task) return;
      side(worker).lied |= side(worker).left_one;
      channel(worker).status->attempt_started(task->ticket);
      ledger_.say(task->ticket, task->argument);
      // Only tasks with consecutive tickets go into one run.
      const bool goes_on = task->ticket == side(worker).next_of_run;
      side(worker).next_of_run = task->ticket + 1;
      if (!goes_on) side(worker).close_run();
      if (!side(worker).put_in_run(task->ticket, task->argument, n))
        side(worker).put(wire::frame_kind::result, task->ticket, task->argument, piece_bytes);
      channel(worker).status->attempt_ended();
    }
  }

  void send_message(int worker) {
    const auto kind = static_cast<wire::frame_kind>(1 + in_.byte() % 13); // 0 is the ring's own
    const std::uint64_t ticket = some_ticket(worker);
    const auto contents = some_contents();
    const std::size_t piece = 1 + in_.two() % (2 * piece_bytes);
    side(worker).put(kind, ticket, contents, piece);
  }

  std::uint64_t some_ticket(int worker) {
    const auto& here = tasks_.slot(worker).outstanding();
    const auto& next_door = tasks_.slot((worker + 1) % n_workers).outstanding();
    switch (in_.byte() % 6) {
    case 0:
      return here.empty() ? 0 : here.ticket();
    case 1:
      return here.empty() ? 0 : here.ticket(here.size() - 1);
    case 2:
      return next_door.empty() ? 0 : next_door.ticket();
    case 3:
      return ledger_.tasks.size();
    case 4:
      return ledger_.first_wanted;
    default:
      return in_.eight();
    }
  }

  std::vector<std::byte> some_contents() {
    switch (in_.byte() % 6) {
    case 0:
      return {};
    case 1:
      return a_failure(in_.byte() % 8 - 1);
    case 2:
      return a_log_record();
    case 3:
      return std::vector<std::byte>(in_.two() % 8192, std::byte{1});
    case 4: { // a good beginning
      auto bytes = in_.byte() % 2 == 0 ? a_failure() : a_log_record();
      bytes.resize(bytes.size() - in_.byte() % bytes.size());
      const auto rest = in_.bytes(in_.byte());
      bytes.insert(bytes.end(), rest.begin(), rest.end());
      return bytes;
    }
    default:
      return in_.bytes(in_.byte());
    }
  }

  static std::vector<std::byte> a_failure(std::int32_t stage = 2) {
    wire::writer out;
    out.put(stage);
    const wire::failure inner{"std::logic_error", "inner", wire::std_kind::logic_error, 0, {}, {}};
    wire::encode_failure({"std::system_error", "outer", wire::std_kind::system_error, 2, "system", {inner}}, out);
    return {out.bytes().begin(), out.bytes().end()};
  }

  static std::vector<std::byte> a_log_record() {
    wire::writer out;
    report::encode_log_record({2, 1, 77, {}, 12, "file.cpp", "function", "lk", std::string(600, 't')}, out);
    return {out.bytes().begin(), out.bytes().end()};
  }

  void spoil(int worker) {
    const auto ring = channel(worker).results;
    const std::size_t where = in_.two();
    const std::size_t at = where % 2 == 0 ? side(worker).last_header() : where % (ring.size() / 8 - 1) * 8;
    shm::frame_header header;
    std::memcpy(&header, ring.data() + at, sizeof header);
    header.payload_bytes += in_.two();
    header.kind = static_cast<std::uint16_t>(header.kind ^ in_.byte() % 16);
    header.flags = static_cast<std::uint16_t>(header.flags ^ in_.byte() % 4);
    std::memcpy(ring.data() + at, &header, sizeof header);
  }

  void scribble(int worker) {
    const auto pages = channel(worker).worker_pages;
    const std::size_t at = in_.two() % pages.size();
    const auto bytes = in_.bytes(std::min<std::size_t>(in_.byte(), pages.size() - at));
    if (!bytes.empty()) std::memcpy(pages.data() + at, bytes.data(), bytes.size());
  }

  /// Near the last frame, where it is not read yet, or a run that grows.
  void smudge(int worker) {
    const auto ring = channel(worker).results;
    ring[(side(worker).last_header() + in_.two() % 1024) % ring.size()] ^= static_cast<std::byte>(in_.byte());
  }

  /// A word of the status line: a number from the script, or near what is there.
  void tell_status(int worker) {
    shm::status_line& status = *channel(worker).status;
    const std::uint8_t which = in_.byte();
    const auto change = [&](auto& word) {
      using number = typename std::remove_reference_t<decltype(word)>::value_type;
      const bool by_little = which >= 133;
      word.store(by_little ? static_cast<number>(word.load() + in_.two() - 1024) : static_cast<number>(in_.eight()));
    };
    switch (which % 9) {
    case 0:
      return change(status.tasks_consumed.bytes);
    case 1:
      return change(status.results_produced.bytes);
    case 2:
      return change(status.sleeps);
    case 3:
      return change(status.started);
    case 4:
      return change(status.tasks_finished);
    case 5:
      return change(status.not_started);
    case 6:
      return change(status.sleeps_begun);
    case 7:
      return change(status.sleeps_for_room);
    default:
      return change(status.busy_ns);
    }
  }

  // --- the end

  /// Nothing that a worker did outlives it: with honest ones in their places everything left gets done.
  void recover() {
    for (int worker = 0; worker < n_workers; ++worker) {
      die(worker, 0);
      fork(worker);
    }
    std::size_t patience = 1000 + 100 * ledger_.tasks.size();
    for (; patience > 0 && ledger_.anything_left(); --patience) {
      pump();
      for (int worker = 0; worker < n_workers; ++worker) {
        promise(!tasks_.slot(worker).broke_protocol, "a worker's crimes are charged to its successor");
        if (side(worker).send()) work(worker, 0);
      }
    }
    promise(!ledger_.anything_left(), "tasks are left that no worker gets");
  }

  static constexpr std::size_t piece_bytes = shm::largest_payload(ring_bytes) / 2;

  const silence quiet_;
  script_reader in_;
  forgery forgery_;
  shm::pool_memory memory_;
  process::dispatcher tasks_;
  process::answers answers_{tasks_};
  std::vector<worker_side> workers_;
  ledger ledger_;
  int draining_ = 0;
  std::size_t n_plain_ = 0;            ///< results that came by the short way, of one drain
  std::optional<std::uint64_t> front_; ///< ticket of the oldest task of the worker being drained
};

// --- samples

/// Writes a script.
class script_writer {
 public:
  script_writer& operator()(step what, std::initializer_list<int> bytes = {}) {
    script_.push_back(static_cast<std::byte>(what));
    for (const int byte : bytes) script_.push_back(static_cast<std::byte>(byte));
    return *this;
  }
  operator message() const { return script_; }

 private:
  message script_;
};

/// The word of the status line, changed by little.
constexpr int near(int word) { return 133 + word; }

script_writer honest_workers(int size) {
  script_writer script;
  for (int round = 0; round < 4; ++round) {
    script(step::submit, {7, size})(step::pump);
    for (int i = 0; i < 9; ++i) script(step::work, {i, i == 5})(step::pump);
  }
  return script;
}

/// A worker that says it is fast gets its tasks many in a frame.
script_writer fast_worker(int worker) {
  return script_writer()(step::submit, {1, 2})(step::pump)(step::work, {worker, 0})(
      step::status, {worker, 4, 0, 0, 1, 0, 0, 0, 0, 0})(step::status, {worker, 8, 1, 0, 0, 0, 0, 0, 0, 0})(step::pump)(
      step::run, {99})(step::pump);
}

} // namespace

void play_protocol(std::span<const std::byte> script, forgery seals) {
  try {
    game(script, seals).play();
  } catch (const wire_error& escaped) {
    throw std::logic_error(std::string("a wire_error came out of the host's side: ") + escaped.what());
  }
}

std::vector<message> protocol_samples() {
  using enum step;
  std::vector<message> samples;
  for (int size = 0; size < 11; ++size) samples.push_back(honest_workers(size));
  samples.push_back(honest_workers(3)(die, {1, 0})(fork, {1})(pump)(work, {1, 0})(pump)(start, {2})(die, {2, 0}));
  for (int worker = 0; worker < n_workers; ++worker) // which says that it sleeps
    samples.push_back(fast_worker(0)(expect, {40, 9, 0})(status, {worker, 2, 1, 0, 0, 0, 0, 0, 0, 0})(run, {120})(
        pump)(run, {60})(rest)(run, {127})(pump)(work_fast, {0, 99, 99})(rest)(submit, {9, 2})(pump));
  samples.push_back(honest_workers(4)(abandon)(pump)(begin_map)(submit, {3, 2})(pump)(work, {0, 0})(work, {0, 0}));
  samples.push_back(
      script_writer()(submit, {15, 10})(pump)(work, {0, 0})(status, {0, near(0), 4, 4})(pump)(submit, {9, 3})(pump));
  for (int how = 0; how < 5; ++how)
    samples.push_back(script_writer()(submit, {5, 3})(pump)(work, {0, how})(work, {1, how})(pump)(die, {0, 0}));
  for (int kind = 1; kind < 14; ++kind) {
    for (int contents = 0; contents < 6; ++contents)
      samples.push_back(script_writer()(submit, {2, 3})(pump)(tell, {0, kind, 0, contents, 4, 3, 9, 9, 9, 9})(pump));
  }
  samples.push_back(script_writer()(submit, {9, 3})(pump)(work, {0, 0})(repeat, {0})(pump));
  for (int how = 0; how < 5; ++how) // in the middle of a frame with many tasks
    for (int worker = 0; worker < n_workers; ++worker)
      samples.push_back(fast_worker(worker)(work, {worker, 0})(work, {worker, 0})(pump)(work, {worker, how})(
          pump)(run, {40})(start, {worker})(die, {worker, 0})(fork, {worker})(pump)(work, {worker, 0})(pump));
  for (int room = 1; room < 128; room += 42) { // results that share frames, of which the host sees a part
    const int half = room / 2;
    samples.push_back(
        fast_worker(1)(work_fast, {1, half, room})(pump)(work_fast, {1, half, room})(pump)(tell, {1, 8, 0, 2, 0, 9})(
            work_fast, {1, 2, room})(pump)(run, {70})(pump)(work_fast, {1, 99, room})(pump));
    samples.push_back(fast_worker(0)(work_fast, {0, half, room})(pump)(work_fast, {0, 3, room})(work, {0, 1})(
        pump)(abandon)(begin_map)(run, {20})(pump)(work_fast, {0, 127, room})(pump)(start, {0})(die, {0, 0})(fork,
                                                                                                             {0}));
    for (int at = 0; at < 64; at += 7)
      samples.push_back(fast_worker(0)(work_fast, {0, 2, room})(pump)(work_fast, {0, 2, room})(
          smudge, {0, at, 0, 1 << at % 8})(pump));
  }
  samples.push_back(
      script_writer()(submit, {9, 3})(pump)(work, {0, 0})(tamper, {0, 9, 0})(pump)(die, {0, 0})(fork, {0}));
  samples.push_back(script_writer()(submit, {2, 3})(pump)(tell, {0, 3, 0, 1, 7, 0, 9})(pump)); // no such stage
  script_writer talker;
  for (int i = 0; i < 8; ++i) talker(tell, {0, 7, 0, 2, 0, 9})(pump);
  samples.push_back(talker);
  for (int size = 3; size < 8; ++size) // a longer last frame, at different distances from the end of the ring
    samples.push_back(honest_workers(size)(submit, {9, 3})(pump)(work, {0, 0})(spoil, {0, 0, 0, 99, 2, 0, 0})(pump));
  samples.push_back(script_writer()(submit, {9, 3})(pump)(scribble, {0, 9, 1, 4, 1, 2, 3, 4})(pump)(die, {0, 0}));
  for (int word = 0; word < 7; ++word) {
    samples.push_back(script_writer()(submit, {9, 3})(pump)(work, {0, 0})(status, {0, near(word), 8, 4})(pump));
    samples.push_back(script_writer()(submit, {9, 3})(pump)(status, {0, word, 1, 2, 3, 4, 5, 6, 7, 8})(pump));
  }
  return samples;
}

} // namespace lk::parallel::testing
