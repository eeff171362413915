#include "fs/request_runner.h"

#include <algorithm>
#include <vector>

#include "backend/base/log.h"

namespace cabinetfs {
namespace {

// How long a program that is to end waits at most for a call of which the kernel told us earlier.
constexpr std::chrono::milliseconds kSignalPoll{100};

}  // namespace

RequestRunner::RequestRunner(RequestRunnerOptions options)
    : options_(std::move(options)),
      names_("cabinet-names", options_.waiting_threads, options_.max_waiting),
      data_("cabinet-data", options_.waiting_threads, options_.max_waiting),
      sync_("cabinet-sync", options_.waiting_threads, options_.max_waiting),
      time_keeper_([this] { keep_time(); }) {}

RequestRunner::~RequestRunner() { shutdown(); }

Error RequestRunner::crashed(const char* name, const char* what) {
  crashed_.fetch_add(1, std::memory_order_relaxed);
  log_error("{} threw: {}", name, what);
  return {ErrorCode::kInternal, what};
}

Executor& RequestRunner::pool(RequestFamily family) {
  switch (family) {
    case RequestFamily::kNames:
      return names_;
    case RequestFamily::kData:
      break;
    case RequestFamily::kSync:
      return sync_;
  }
  return data_;
}

void RequestRunner::submit(RequestFamily family, std::shared_ptr<Job> job) {
  job->deadline_ = Clock::system().steady() + options_.call_timeout;
  bool stopping = false;
  {
    MutexLock lock(mutex_);
    stopping = stopping_;
    if (!stopping) {
      job->number_ = next_number_++;
      jobs_.emplace(job->number_, job);
      // All that are older have been timed: the time keeper waits without an end. Else it waits for
      // a deadline that comes before this one.
      if (jobs_.lower_bound(next_overdue_)->first == job->number_) wake_.notify_all();
    }
  }
  if (stopping) {
    job->fail({ErrorCode::kCancelled, "the file system is being unmounted"});
    return;
  }
  waited_.fetch_add(1, std::memory_order_relaxed);
  job->watch(true);
  job->queued();
  // An interrupt that came before queued() found nothing to claim.
  if (job->cancel_.token().cancelled()) give_up(job);
  if (pool(family).try_submit([this, job] { run_job(job); })) return;
  if (!job->claim()) return;
  refused_.fetch_add(1, std::memory_order_relaxed);
  job->fail({ErrorCode::kTryAgain, "too many requests wait for the server"});
  answered(*job);
}

void RequestRunner::run_job(const std::shared_ptr<Job>& job) {
  if (!job->claim()) return;
  job->work();
  answered(*job);
}

void RequestRunner::answered(const Job& job) {
  std::shared_ptr<Job> last;  // destroyed outside the lock
  MutexLock lock(mutex_);
  if (auto node = jobs_.extract(job.number_)) last = std::move(node.mapped());
  idle_.notify_all();
  lock.unlock();
}

// Runs inside the kernel request's own lock (libfuse), so it may not answer; the time keeper does.
void RequestRunner::interrupted(const std::shared_ptr<Job>& job) {
  if (options_.ends_call(job->caller_)) {
    job->cancel_.cancel();
    give_up(job);
    return;
  }
  MutexLock lock(mutex_);
  if (interrupted_jobs_.empty()) next_look_ = Clock::system().steady() + kSignalPoll;
  interrupted_jobs_.push_back(job);
  wake_.notify_all();
}

std::vector<std::shared_ptr<RequestRunner::Job>> RequestRunner::end_interrupted(
    std::vector<std::shared_ptr<Job>> jobs) {
  std::vector<std::shared_ptr<Job>> others;
  for (auto& job : jobs) {
    if (options_.ends_call(job->caller_)) {
      job->cancel_.cancel();
      give_up(std::move(job));
    } else {
      others.push_back(std::move(job));
    }
  }
  return others;
}

void RequestRunner::give_up(std::shared_ptr<Job> job) {
  MutexLock lock(mutex_);
  given_up_.push_back(std::move(job));
  wake_.notify_all();
}

void RequestRunner::keep_time() {
  MutexLock lock(mutex_);
  while (true) {
    std::shared_ptr<Job> job;
    bool late = false;
    const SteadyTime now = Clock::system().steady();
    if (next_look_ <= now) {
      std::vector<std::shared_ptr<Job>> jobs;
      for (auto& each : interrupted_jobs_) {
        if (jobs_.contains(each->number_)) jobs.push_back(std::move(each));
      }
      interrupted_jobs_.clear();
      lock.unlock();
      jobs = end_interrupted(std::move(jobs));
      lock.lock();
      interrupted_jobs_.insert(interrupted_jobs_.end(), jobs.begin(), jobs.end());
      next_look_ =
          interrupted_jobs_.empty() ? SteadyTime::max() : Clock::system().steady() + kSignalPoll;
      continue;
    }
    const auto next = jobs_.lower_bound(next_overdue_);
    if (!given_up_.empty()) {
      job = std::move(given_up_.front());
      given_up_.pop_front();
    } else if (ending_) {
      return;
    } else if (next == jobs_.end() && next_look_ == SteadyTime::max()) {
      wake_.wait(mutex_);
      continue;
    } else if (next == jobs_.end() || next->second->deadline_ > now) {
      wake_.wait_until(mutex_, std::min(next_look_, next == jobs_.end() ? SteadyTime::max()
                                                                        : next->second->deadline_));
      continue;
    } else {
      next_overdue_ = next->first + 1;
      job = next->second;
      late = true;
    }
    lock.unlock();
    // One that runs already sees its own deadline or cancellation.
    if (job->claim()) {
      if (late) {
        timed_out_.fetch_add(1, std::memory_order_relaxed);
        job->fail({ErrorCode::kTimeout, "no thread was free in time"});
      } else {
        interrupted_.fetch_add(1, std::memory_order_relaxed);
        job->fail({ErrorCode::kCancelled, "interrupted"});
      }
      answered(*job);
    }
    job.reset();
    lock.lock();
  }
}

void RequestRunner::refuse_waiting() {
  std::vector<std::shared_ptr<Job>> jobs;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (const auto& [number, job] : jobs_) jobs.push_back(job);
  }
  for (auto& job : jobs) {
    job->cancel_.cancel();
    give_up(std::move(job));
  }
}

void RequestRunner::shutdown() {
  refuse_waiting();
  {
    MutexLock lock(mutex_);
    while (!jobs_.empty()) idle_.wait(mutex_);
    ending_ = true;
    wake_.notify_all();
  }
  names_.shutdown();
  data_.shutdown();
  sync_.shutdown();
  if (time_keeper_.joinable()) time_keeper_.join();
}

RequestRunnerStats RequestRunner::stats() const {
  RequestRunnerStats stats;
  stats.answered_at_once = answered_at_once_.load(std::memory_order_relaxed);
  stats.waited = waited_.load(std::memory_order_relaxed);
  stats.interrupted = interrupted_.load(std::memory_order_relaxed);
  stats.timed_out = timed_out_.load(std::memory_order_relaxed);
  stats.refused = refused_.load(std::memory_order_relaxed);
  stats.crashed = crashed_.load(std::memory_order_relaxed);
  MutexLock lock(mutex_);
  stats.waiting = jobs_.size();
  return stats;
}

}  // namespace cabinetfs
