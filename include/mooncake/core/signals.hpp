#pragma once

#include <pthread.h>
#include <signal.h>

#include <initializer_list>

namespace mooncake::core::detail {

/// No signal reaches this thread, nor one that it starts, as long as this lives: a library's threads must not take the
/// application's signals. What a thread's own fault raises, and the profilers' clock, still do.
class SignalsBlocked {
  public:
    SignalsBlocked() noexcept {
        auto all = sigset_t();
        sigfillset(&all);
        for (const auto own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, SIGPROF})
            sigdelset(&all, own);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_;
};

} // namespace mooncake::core::detail
