// lk-parallel | SPDX-License-Identifier: MIT
#pragma once

#include <execinfo.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <lk/parallel/shm/channel.hpp>

// What a worker leaves behind when the user's code crashes: the addresses on its stack, written into its status line by
// a signal handler. The host, which is the same program at the same addresses, gives them names (crash_report.hpp), so
// the handler allocates nothing, takes no lock and formats nothing.

namespace lk::parallel::process {

/// The first stack trace of a process loads what later ones need (backtrace(3)); to be done before a handler needs it.
inline void load_stack_traces() {
  void* one[1];
  ::backtrace(one, 1);
}

/// Source: signal-safety(7); glibc since 2.35 finds the unwinding tables without a lock (_dl_find_object).
class crash_handler {
 public:
  /// Handles the fatal signals of this process until one comes. Handlers that the task installs take precedence.
  /// Fork: for a worker; in what its tasks fork it does nothing but die. Lifetime: `record` until the process ends.
  static void install(shm::crash_record& record) {
    static std::array<std::byte, stack_bytes> stack; // a stack that has overflowed has no room for a handler
    const stack_t alternate{.ss_sp = stack.data(), .ss_flags = 0, .ss_size = stack.size()};
    ::sigaltstack(&alternate, nullptr);
    record_ = &record;
    owner_ = ::getpid();
    struct sigaction action {};
    action.sa_sigaction = &on_crash;
    action.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND);
    ::sigemptyset(&action.sa_mask);
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS})
      ::sigaction(signal, &action, nullptr);
  }

 private:
  static constexpr std::size_t stack_bytes = std::size_t{64} << 10;
  static constexpr unsigned longest_seconds = 2;

  static void on_crash(int signal, siginfo_t* info, void* context) {
    pid_t first_thread = 0;
    const bool is_first = ::getpid() == owner_ && thread_.compare_exchange_strong(first_thread, ::gettid());
    if (is_first) {
      end_even_if_stuck();
      write_down(signal, info, context);
      ::alarm(0);
    }
    while (::getpid() == owner_ && !is_first && first_thread != ::gettid()) ::pause(); // the first one ends us all
    const bool comes_again = signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE || signal == SIGILL;
    if (info->si_code <= 0 || !comes_again) ::raise(signal); // it was sent, or the code would go on behind it
  }

  /// The stack may be in such a state that walking it never ends.
  static void end_even_if_stuck() {
    struct sigaction usual {};
    usual.sa_handler = SIG_DFL;
    ::sigaction(SIGALRM, &usual, nullptr);
    ::alarm(longest_seconds);
  }

  static void write_down(int signal, const siginfo_t* info, const void* context) {
    record_->signal.store(static_cast<std::uint32_t>(signal), std::memory_order_relaxed);
    if (info->si_code > 0)
      record_->address.store(reinterpret_cast<std::uintptr_t>(info->si_addr), std::memory_order_relaxed);
    void* frames[shm::crash_record::most_frames];
    void** const end = frames + ::backtrace(frames, static_cast<int>(std::size(frames)));
    void** first = std::find(static_cast<void**>(frames), end, interrupted_at(context));
    if (first == end) first = frames; // this handler's own frames are in front then
    std::uint32_t n = 0;
    for (; first != end; ++first)
      record_->frames[n++].store(reinterpret_cast<std::uintptr_t>(*first), std::memory_order_relaxed);
    record_->n_frames.store(n, std::memory_order_release);
  }

  /// Where the signal hit, null where this processor's registers are not known here.
  static void* interrupted_at([[maybe_unused]] const void* context) {
#if defined(__x86_64__)
    return reinterpret_cast<void*>(static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
    return reinterpret_cast<void*>(static_cast<const ucontext_t*>(context)->uc_mcontext.pc);
#else
    return nullptr;
#endif
  }

  inline static shm::crash_record* record_ = nullptr;
  inline static pid_t owner_ = 0;
  inline static std::atomic<pid_t> thread_{0}; ///< the one that crashed first and writes
};

} // namespace lk::parallel::process
