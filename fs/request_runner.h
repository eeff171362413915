#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "backend/base/call.h"
#include "backend/base/executor.h"
#include "backend/base/mutex.h"
#include "backend/base/result.h"
#include "fs/signals.h"

namespace cabinetfs {

// Which pool a request waits in: a hundred reads of a slow server must not stand before a `stat`,
// nor both before an `fsync`, which needs this machine's disk. With sync = remote it waits for the
// server, here too: behind others of its kind only.
enum class RequestFamily { kNames, kData, kSync };

struct RequestRunnerOptions {
  unsigned waiting_threads = 64;   // of each family
  std::size_t max_waiting = 8192;  // of each family; more are refused with kTryAgain
  std::chrono::milliseconds call_timeout{60'000};
  // Whether what interrupted this thread is to end what it does (see signals.h). Any thread.
  std::function<bool(pid_t)> ends_call = is_ended_by_signal;
};

struct RequestRunnerStats {
  std::uint64_t answered_at_once = 0;  // on the FUSE thread
  std::uint64_t waited = 0;            // on the pools
  std::uint64_t interrupted = 0, timed_out = 0, refused = 0, crashed = 0;
  std::uint64_t waiting = 0;  // now
};

// What a request is to the runner: something that can be given up by the kernel and must be
// answered exactly once. The channel wraps fuse_req_t in it.
//
// `watch` makes the kernel's interrupt call `interrupted` (from any thread, at once if it came
// before; it must not answer the request); a null function takes that away and returns only when no
// call of it is running. `caller`: the thread whose call it is, 0 where that is not known. `fail`
// answers with an error. Called by one thread at a time.
template <class T>
concept KernelRequest = std::is_nothrow_move_constructible_v<T> &&
    requires(T request, std::function<void()> interrupted, const Error& error) {
  request.watch(std::move(interrupted));
  { request.caller() } -> std::same_as<pid_t>;
  request.fail(error);
};

// Runs operations of the kernel: first on the calling (FUSE) thread with `may_block` false, and,
// where that would block, again on a pool, with a deadline counted from the request's arrival and a
// cancellation that the kernel's interrupt fires. A request that is interrupted or out of time
// while it stands in the queue is answered without waiting for its turn. The kernel interrupts for
// any signal that has a handler, also for a timer or an ended child, and does not go on with the
// call afterwards: such a signal waits until the request is answered, as on a local disk. What an
// operation throws becomes kInternal and a log line.
//
// Thread safe. shutdown() (or the destructor) cancels what runs, answers what is queued and waits.
class RequestRunner {
 public:
  explicit RequestRunner(RequestRunnerOptions options);
  ~RequestRunner();
  RequestRunner(const RequestRunner&) = delete;
  RequestRunner& operator=(const RequestRunner&) = delete;

  // `operation(const CallContext&)` returns a Result<T>, is called once or twice and must have no
  // effect when it returns kWouldBlock. `answer(request, T)` answers a success (a void result:
  // `answer(request)`). An operation with a member `keep()` is told to copy what it only borrowed
  // before it leaves the calling thread.
  template <KernelRequest Request, class Operation, class Answer>
  void run(RequestFamily family, const char* name, Request request, Operation operation,
           Answer answer) {
    CallContext call;
    call.may_block = false;
    auto result = guarded(name, operation, call);
    if (result || result.error().code != ErrorCode::kWouldBlock) {
      answered_at_once_.fetch_add(1, std::memory_order_relaxed);
      finish(request, std::move(result), answer);
      return;
    }
    run_waiting(family, name, std::move(request), std::move(operation), std::move(answer));
  }

  // Without the try on the calling thread: for what is known to wait (fsync).
  template <KernelRequest Request, class Operation, class Answer>
  void run_waiting(RequestFamily family, const char* name, Request request, Operation operation,
                   Answer answer) {
    if constexpr (requires { operation.keep(); }) operation.keep();
    auto job = std::make_shared<JobOf<Request, Operation, Answer>>(
        *this, name, std::move(request), std::move(operation), std::move(answer));
    submit(family, std::move(job));
  }

  // No operation waits from here on: running ones are cancelled, new ones that would wait fail with
  // kCancelled. Returns at once.
  void refuse_waiting();
  // refuse_waiting(), and returns when nothing runs any more.
  void shutdown();

  RequestRunnerStats stats() const;

 private:
  class Job;
  template <class Request, class Operation, class Answer>
  class JobOf;

  template <class Operation>
  auto guarded(const char* name, Operation& operation, const CallContext& call)
      -> std::invoke_result_t<Operation&, const CallContext&> {
    try {
      return operation(call);
    } catch (const std::exception& e) {
      return fail(crashed(name, e.what()));
    } catch (...) {
      return fail(crashed(name, "unknown exception"));
    }
  }

  template <class Request, class R, class Answer>
  static void finish(Request& request, R result, Answer& answer) {
    if (!result) {
      request.fail(result.error());
    } else if constexpr (std::is_void_v<typename R::value_type>) {
      answer(request);
    } else {
      answer(request, *std::move(result));
    }
  }

  Error crashed(const char* name, const char* what);
  void submit(RequestFamily family, std::shared_ptr<Job> job) EXCLUDES(mutex_);
  void run_job(const std::shared_ptr<Job>& job) EXCLUDES(mutex_);
  void interrupted(const std::shared_ptr<Job>& job) EXCLUDES(mutex_);
  void give_up(std::shared_ptr<Job> job) EXCLUDES(mutex_);
  void answered(const Job& job) EXCLUDES(mutex_);
  void keep_time() EXCLUDES(mutex_);
  // Of these, those whose call goes on.
  std::vector<std::shared_ptr<Job>> end_interrupted(std::vector<std::shared_ptr<Job>> jobs)
      EXCLUDES(mutex_);
  Executor& pool(RequestFamily family);

  const RequestRunnerOptions options_;
  std::atomic<std::uint64_t> answered_at_once_{0}, waited_{0}, interrupted_{0}, timed_out_{0},
      refused_{0}, crashed_{0};

  mutable Mutex mutex_;
  CondVar wake_;
  CondVar idle_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool ending_ GUARDED_BY(mutex_) = false;  // the time keeper is to end
  // Jobs that are not answered, by arrival, which is the order of their deadlines.
  std::map<std::uint64_t, std::shared_ptr<Job>> jobs_ GUARDED_BY(mutex_);
  std::uint64_t next_number_ GUARDED_BY(mutex_) = 1;
  std::uint64_t next_overdue_ GUARDED_BY(mutex_) = 1;  // the first whose deadline was not looked at
  std::deque<std::shared_ptr<Job>> given_up_ GUARDED_BY(mutex_);
  // Interrupted by a signal that ends nothing: the kernel does not tell of the next one.
  std::vector<std::shared_ptr<Job>> interrupted_jobs_ GUARDED_BY(mutex_);
  SteadyTime next_look_ GUARDED_BY(mutex_) = SteadyTime::max();

  Executor names_;
  Executor data_;
  Executor sync_;
  std::thread time_keeper_;
};

// A request on its way through a pool. Until queued() it belongs to the thread that submits it;
// then to whoever claims it first: a thread of the pool, or the time keeper.
class RequestRunner::Job : public std::enable_shared_from_this<Job> {
 public:
  Job(RequestRunner& runner, const char* name, pid_t caller)
      : runner_(runner), name_(name), caller_(caller) {}
  virtual ~Job() = default;

  void queued() { state_.store(State::kQueued, std::memory_order_release); }
  bool claim() {
    State expected = State::kQueued;
    return state_.compare_exchange_strong(expected, State::kClaimed, std::memory_order_acq_rel);
  }
  virtual void watch(bool on) = 0;
  virtual void work() = 0;
  virtual void fail(const Error& error) = 0;

  RequestRunner& runner_;
  const char* const name_;
  const pid_t caller_;
  CancelSource cancel_;
  // Set before the job is shared.
  SteadyTime deadline_{};
  std::uint64_t number_ = 0;

 private:
  enum class State { kPreparing, kQueued, kClaimed };
  std::atomic<State> state_{State::kPreparing};
};

template <class Request, class Operation, class Answer>
class RequestRunner::JobOf final : public Job {
 public:
  JobOf(RequestRunner& runner, const char* name, Request request, Operation operation,
        Answer answer)
      : Job(runner, name, request.caller()),
        request_(std::move(request)),
        operation_(std::move(operation)),
        answer_(std::move(answer)) {}

  void watch(bool on) override {
    if (!on) return request_.watch({});
    std::weak_ptr<Job> self = weak_from_this();
    request_.watch([self] {
      if (const auto job = self.lock()) job->runner_.interrupted(job);
    });
  }
  void work() override {
    CallContext call;
    call.deadline = deadline_;
    call.cancel = cancel_.token();
    auto result = runner_.guarded(name_, operation_, call);
    watch(false);
    finish(request_, std::move(result), answer_);
  }
  void fail(const Error& error) override {
    watch(false);
    request_.fail(error);
  }

 private:
  Request request_;
  Operation operation_;
  Answer answer_;
};

}  // namespace cabinetfs
