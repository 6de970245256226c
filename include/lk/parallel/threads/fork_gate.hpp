// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <dlfcn.h>
#include <unwind.h>

#include <chrono>
#include <cstdint>
#include <future>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <utility>

#include <oneapi/tbb/global_control.h>

#include <lk/parallel/threads/arena.hpp>

// Makes oneTBB let go of all its threads before a fork, since a child that inherits a scheduler without its threads
// runs on one thread or hangs. Whoever forks holds a fork_gate meanwhile; it is tried once and never waited for beyond
// its patience. What oneTBB 2021.8 does, and why the steps come in this order:
//  - finalize() is true only when nothing holds the scheduler any more: no live task_arena, no other
//    task_scheduler_handle, no thread alive that used oneTBB (such a thread lets go when it ends, or by a finalize() of
//    its own, which is false as long as others hold on, but has that effect).
//  - The last finalize() joins the oneTBB threads, waiting for tasks that run on them without a limit, for instance one
//    that was enqueued in an arena since dropped. Therefore it runs on a thread of its own that can be abandoned.
//  - A oneTBB thread leaves an arena only after some hundred turns of yielding. That is 0.4 ms where CPUs are idle, but
//    seconds where other processes want all of them (1.7 s, at most 2.7 s, with six busy loops on two CPUs).
//  - When the last hold goes without a finalize(), the threads end by themselves some time later and a finalize() that
//    comes after says true at once. Therefore a first handle is taken before anything is let go: it keeps the scheduler
//    until the end, so that true means joined, and it makes every earlier finalize() return at once.
//  - finalize() inside task_arena::execute destroys what execute still uses, and the process crashes. oneTBB has no
//    question to ask, so the stack of the thread is searched for a frame of oneTBB.
//  - Where it was not true, a child's one-slot arena works, but for the forks that meet a oneTBB thread inside the
//    scheduler's mutex: probe_tbb() finds them out.
//  - Arenas may be used again afterwards; oneTBB starts afresh, in the parent as in the child.

namespace lk::parallel::threads {

/// True where a function of the oneTBB library is on the stack of this thread, or where that cannot be told (oneTBB
/// linked statically).
inline bool inside_tbb() {
  struct search {
    void* library;
    bool found = false;
  };
  Dl_info tbb{};
  const void* const anything = ::dlsym(RTLD_DEFAULT, "TBB_runtime_version");
  if (anything == nullptr || ::dladdr(anything, &tbb) == 0) return true;
  search here{tbb.dli_fbase};
  ::_Unwind_Backtrace(
      [](_Unwind_Context* frame, void* state) {
        auto& looking = *static_cast<search*>(state);
        Dl_info place{};
        const auto address = static_cast<std::uintptr_t>(::_Unwind_GetIP(frame));
        if (::dladdr(reinterpret_cast<const void*>(address), &place) != 0) {
          looking.found = looking.found || place.dli_fbase == looking.library;
        }
        return looking.found ? _URC_END_OF_STACK : _URC_NO_REASON;
      },
      &here);
  return here.found;
}

/// Lets the calling thread go of oneTBB. Blocks: not while another handle lives.
inline bool let_go_of_tbb() {
  oneapi::tbb::task_scheduler_handle handle{oneapi::tbb::attach{}};
  return oneapi::tbb::finalize(handle, std::nothrow);
}

struct quiesce_result {
  bool quiesced = false;
  std::string reason; ///< why not, as a part of a sentence
};

/// Quiesces oneTBB when it is made and keeps the training arena closed for as long as it lives.
/// Threads: it is not for other threads than the one that made it. Fork: the child's copy is inert.
class fork_gate {
 public:
  /// Blocks: as long as oneTBB needs to join its threads, at most `patience`. Only a task that runs on them uses it up.
  explicit fork_gate(arena& training, std::chrono::milliseconds patience = std::chrono::seconds(10)) {
    if (inside_task() || training.on_owner() || inside_tbb()) {
      result_.reason = "this thread is inside a oneTBB task or arena";
      return;
    }
    closed_ = training.try_to_close();
    if (!closed_.owns_lock()) {
      result_.reason = "the training arena is at work";
      return;
    }
    quiesce(training, patience);
  }

  bool quiesced() const { return result_.quiesced; }
  const std::string& reason() const { return result_.reason; }

 private:
  void quiesce(arena& training, std::chrono::milliseconds patience) {
    oneapi::tbb::task_scheduler_handle first{oneapi::tbb::attach{}};
    let_go_of_tbb();
    training.let_go([] { let_go_of_tbb(); });
    std::promise<bool> said;
    std::future<bool> answer = said.get_future();
    std::thread last([handle = std::move(first), said = std::move(said)]() mutable {
      said.set_value(oneapi::tbb::finalize(handle, std::nothrow));
    });
    if (answer.wait_for(patience) != std::future_status::ready) {
      last.detach();
      result_.reason = "tasks are still running on oneTBB's threads";
      return;
    }
    last.join();
    result_.quiesced = answer.get();
    if (!result_.quiesced) {
      result_.reason = "another thread that used oneTBB is alive, or a task_arena or task_scheduler_handle is";
    }
  }

  std::unique_lock<std::mutex> closed_;
  quiesce_result result_;
};

} // namespace lk::parallel::threads
