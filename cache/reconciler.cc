#include "cache/reconciler.h"

#include <algorithm>
#include <random>

#include "backend/base/log.h"
#include "cache/upload_task.h"

namespace cabinetfs {
namespace {

constexpr std::chrono::seconds kFirstPause{1};
// A lock or a failing server is waited out so often before a delete or rename goes back.
constexpr std::uint32_t kPlaceAttempts = 6;

bool is_place_change(Plan::Action action) {
  return action == Plan::Action::kRename || action == Plan::Action::kMove ||
         action == Plan::Action::kRemoveFile || action == Plan::Action::kRemoveFolder;
}

// An answer that makes no sense, or a bug of ours, that is met so often is not going to pass.
constexpr std::uint32_t kSenselessTries = 4;

// Waits for somebody to do something about it. A full disk does not: room comes back by itself.
bool is_refusal(ErrorCode code, std::uint32_t attempts) {
  if (code == ErrorCode::kNoSpace) return false;
  if (code == ErrorCode::kCorrupt || code == ErrorCode::kInternal)
    return attempts >= kSenselessTries;
  return !is_transient(code);
}

}  // namespace

Reconciler::Reconciler(VolumeCore& core, ListingService& listings)
    : core_(core),
      listings_(listings),
      planner_(core),
      small_("send-small", core.options.small_uploads),
      large_("send-large", core.options.uploads) {}

Reconciler::~Reconciler() { stop(); }

void Reconciler::start() {
  {
    MutexLock lock(mutex_);
    if (started_) return;
    started_ = true;
  }
  wake_all();
  thread_ = std::thread([this] { run(); });
}

void Reconciler::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    work_.notify_all();
    settled_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  small_.shutdown();
  large_.shutdown();
}

bool Reconciler::in_flight(InodeNumber ino) const {
  MutexLock lock(mutex_);
  return flights_.contains(ino);
}

std::vector<InodeNumber> Reconciler::flights() const {
  MutexLock lock(mutex_);
  std::vector<InodeNumber> all;
  all.reserve(flights_.size());
  for (const auto& [ino, flight] : flights_) all.push_back(ino);
  return all;
}

Result<void> Reconciler::wait_landed(const CallContext& call, InodeNumber ino) {
  if (!call.may_block) return fail(ErrorCode::kWouldBlock, "a change that is on its way");
  const CancelToken::Registration wake_up = call.cancel.on_cancel([this] {
    MutexLock lock(mutex_);
    settled_.notify_all();
  });
  MutexLock lock(mutex_);
  while (flights_.contains(ino)) {
    if (stopping_ || call.cancel.cancelled())
      return fail(ErrorCode::kCancelled, "waiting for a change that is on its way");
    if (!settled_.wait_until(mutex_, call.deadline) && flights_.contains(ino))
      return fail(ErrorCode::kTimeout, "waiting for a change that is on its way");
  }
  return {};
}

std::optional<Reconciler::Progress> Reconciler::progress(InodeNumber ino) const {
  MutexLock lock(mutex_);
  const auto found = flights_.find(ino);
  if (found == flights_.end()) return std::nullopt;
  return Progress{found->second->sent, found->second->total};
}

void Reconciler::set_progress(InodeNumber ino, std::uint64_t sent) {
  MutexLock lock(mutex_);
  if (const auto found = flights_.find(ino); found != flights_.end()) found->second->sent = sent;
}

void Reconciler::schedule_locked(InodeNumber ino, SteadyTime at) {
  if (const auto found = due_of_.find(ino); found != due_of_.end()) {
    if (found->second->first <= at) return;
    due_.erase(found->second);
    due_of_.erase(found);
  }
  due_of_[ino] = due_.emplace(at, ino);
  work_.notify_one();
}

void Reconciler::wake(InodeNumber ino) {
  MutexLock lock(mutex_);
  schedule_locked(ino, core_.clock.steady());
  wake_blocked_locked(ino);
  ++settlements_;
  settled_.notify_all();
}

void Reconciler::wake_all() {
  const std::vector<InodeNumber> unsent = core_.tree.unsent();
  MutexLock lock(mutex_);
  for (const InodeNumber ino : unsent) schedule_locked(ino, core_.clock.steady());
}

bool Reconciler::lane_free_locked(Lane lane) const {
  const auto found = running_.find(lane);
  const unsigned running = found == running_.end() ? 0 : found->second;
  return running < (lane == Lane::kLarge ? core_.options.uploads : core_.options.small_uploads);
}

void Reconciler::run() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (due_.empty()) {
      work_.wait(mutex_);
      continue;
    }
    const SteadyTime next = due_.begin()->first;
    if (next > core_.clock.steady()) {
      // Bounded, so that a clock that tests move is noticed.
      work_.wait_for(mutex_, std::min<std::chrono::nanoseconds>(next - core_.clock.steady(),
                                                                std::chrono::milliseconds(50)));
      continue;
    }
    const InodeNumber ino = due_.begin()->second;
    due_.erase(due_.begin());
    due_of_.erase(ino);
    if (flights_.contains(ino)) continue;  // looked at again when it lands
    lock.unlock();
    send(ino);
    lock.lock();
  }
}

void Reconciler::send(InodeNumber ino) {
  std::optional<Plan> plan = consider(ino, false);
  if (!plan) return;
  const Lane lane = lane_of(*plan);
  if (plan->action != Plan::Action::kRemoveFile) {
    small_or_large(lane).submit([this, one = std::move(*plan), lane] {
      execute(one);
      finish({one.node->ino}, lane);
    });
    return;
  }
  // Where the vendor takes many files in one request, those that are due go together.
  std::vector<NodePtr> together{plan->node};
  while (together.size() < core_.remote.capabilities().bulk_remove_max) {
    InodeNumber next;
    {
      MutexLock lock(mutex_);
      if (due_.empty() || due_.begin()->first > core_.clock.steady()) break;
      next = due_.begin()->second;
      due_.erase(due_.begin());
      due_of_.erase(next);
      if (flights_.contains(next)) continue;  // looked at again when it lands
    }
    const Result<NodePtr> node = core_.tree.find(next);
    if (!node || *node == nullptr || !(*node)->deleted || !(*node)->remote ||
        (*node)->kind != NodeKind::kFile || (*node)->sent_place) {
      MutexLock lock(mutex_);
      schedule_locked(next, SteadyTime::min());
      break;
    }
    std::optional<Plan> more = consider(next, true);
    if (more) together.push_back(more->node);
  }
  small_.submit([this, together = std::move(together)] {
    remove_files(together);
    std::vector<InodeNumber> inos;
    for (const NodePtr& node : together) inos.push_back(node->ino);
    finish(inos, Lane::kSmall);
  });
}

Reconciler::Lane Reconciler::lane_of(const Plan& plan) const {
  const std::uint64_t small_limit =
      std::max<std::uint64_t>(core_.remote.capabilities().put_max, 1u << 20);
  const bool content = plan.action == Plan::Action::kUpload || plan.action == Plan::Action::kDetach;
  return content && plan.node->size > small_limit ? Lane::kLarge : Lane::kSmall;
}

Executor& Reconciler::small_or_large(Lane lane) { return lane == Lane::kLarge ? large_ : small_; }

std::optional<Plan> Reconciler::consider(InodeNumber ino, bool rides_along) {
  Result<std::optional<Plan>> next = plan_next(ino, rides_along);
  if (next) return *std::move(next);
  log_error("planning node {}: {}", ino.value, to_string(next.error()));
  // A name, say, that cannot be sent any more since the options changed: shown, not tried for ever.
  if (!is_transient(next.error().code)) {
    const Result<NodePtr> node = core_.tree.find(ino);
    if (!node || *node == nullptr) return std::nullopt;
    const bool folder = (*node)->kind == NodeKind::kFolder;
    const Plan::Action create = folder ? Plan::Action::kCreateFolder : Plan::Action::kUpload;
    failed(ino, (*node)->moved() ? Plan::Action::kRename : create, next.error());
  }
  MutexLock lock(mutex_);
  schedule_locked(ino, core_.clock.steady() + kFirstPause);
  ++settlements_;
  settled_.notify_all();
  return std::nullopt;
}

Result<std::optional<Plan>> Reconciler::plan_next(InodeNumber ino, bool rides_along) {
  Tree::Txn txn(core_.tree);
  TRY_ASSIGN(Plan plan, planner_.next(txn, ino));
  TRY(txn.commit());
  MutexLock lock(mutex_);
  switch (plan.action) {
    case Plan::Action::kNothing:
      wake_blocked_locked(ino);  // it may have handed its identity on, or be gone
      ++settlements_;
      settled_.notify_all();
      feed_locked();
      return std::optional<Plan>();
    case Plan::Action::kWait:
      schedule_locked(ino, plan.at);
      feed_locked();
      return std::optional<Plan>();
    case Plan::Action::kBlocked: {
      const auto [from, to] = blocked_.equal_range(plan.blocker);
      const bool known =
          std::any_of(from, to, [ino](const auto& entry) { return entry.second == ino; });
      if (!known) blocked_.emplace(plan.blocker, ino);
      schedule_locked(ino, plan.at);
      feed_locked();
      return std::optional<Plan>();
    }
    case Plan::Action::kCreateFolder:
    case Plan::Action::kUpload:
    case Plan::Action::kRename:
    case Plan::Action::kMove:
    case Plan::Action::kRemoveFile:
    case Plan::Action::kRemoveFolder:
    case Plan::Action::kDescribe:
    case Plan::Action::kLook:
    case Plan::Action::kForget:
    case Plan::Action::kUnlock:
    case Plan::Action::kDetach:
      break;
  }
  if (stopping_) return std::optional<Plan>();
  if (rides_along && plan.action != Plan::Action::kRemoveFile) {
    // Not what the others are sent for: planned again by itself. Not "now", which they would meet
    // once more.
    schedule_locked(ino, core_.clock.steady() + std::chrono::milliseconds(1));
    return std::optional<Plan>();
  }
  if (const auto pause = not_before_.find(ino); pause != not_before_.end()) {
    if (pause->second > core_.clock.steady()) {
      schedule_locked(ino, pause->second);
      feed_locked();
      return std::optional<Plan>();
    }
    not_before_.erase(pause);
  }
  const Lane lane = lane_of(plan);
  if (!rides_along) {
    if (!lane_free_locked(lane)) {
      (lane == Lane::kLarge ? waiting_large_ : waiting_small_).push_back(ino);
      return std::optional<Plan>();
    }
    if (!core_.net.may_try()) {
      schedule_locked(ino, core_.net.next_probe());
      feed_locked();
      return std::optional<Plan>();
    }
    ++running_[lane];
  }
  // Marked while the tree's mutex is held: from here on nobody hands this node's identity on.
  auto flight = std::make_shared<Flight>();
  flight->total = plan.action == Plan::Action::kUpload ? plan.node->size : 0;
  flights_[ino] = std::move(flight);
  return std::optional<Plan>(std::move(plan));
}

// Who waits for a lane is looked at again when it may be free; too many do no harm, they queue up
// again.
void Reconciler::feed_locked() {
  for (const Lane lane : {Lane::kSmall, Lane::kLarge}) {
    if (!lane_free_locked(lane)) continue;
    std::deque<InodeNumber>& queue = lane == Lane::kLarge ? waiting_large_ : waiting_small_;
    if (queue.empty()) continue;
    schedule_locked(queue.front(), SteadyTime::min());
    queue.pop_front();
  }
}

void Reconciler::finish(const std::vector<InodeNumber>& inos, Lane lane) {
  MutexLock lock(mutex_);
  const SteadyTime now = core_.clock.steady();
  for (const InodeNumber ino : inos) {
    flights_.erase(ino);
    wake_blocked_locked(ino);
    schedule_locked(ino, now);
  }
  --running_[lane];
  feed_locked();
  ++settlements_;
  settled_.notify_all();
}

void Reconciler::wake_blocked_locked(InodeNumber blocker) {
  const auto [from, to] = blocked_.equal_range(blocker);
  std::vector<InodeNumber> waiting;
  for (auto it = from; it != to; ++it) waiting.push_back(it->second);
  blocked_.erase(from, to);
  for (const InodeNumber other : waiting) schedule_locked(other, core_.clock.steady());
}

void Reconciler::execute(const Plan& plan) {
  const NodeRecord& node = *plan.node;
  log_debug("node {} generation {}: {} begins, remote id={}", node.ino.value, node.generation,
            to_string(plan.action), node.remote ? node.remote->id.value : "");
  Result<void> done;
  switch (plan.action) {
    case Plan::Action::kNothing:
    case Plan::Action::kWait:
    case Plan::Action::kBlocked:
      return;
    case Plan::Action::kCreateFolder:
      done = create_folder(node);
      break;
    case Plan::Action::kUpload:
      done = upload(node);
      break;
    case Plan::Action::kRename:
    case Plan::Action::kMove:
      done = change_place(node, plan);
      break;
    case Plan::Action::kRemoveFile:
      remove_files({plan.node});
      return;
    case Plan::Action::kRemoveFolder:
      done = remove_folder(node);
      break;
    case Plan::Action::kDescribe:
      done = describe(node);
      break;
    case Plan::Action::kLook:
      done = look_at_place(node);
      break;
    case Plan::Action::kForget:
      done = forget(node);
      break;
    case Plan::Action::kUnlock:
      done = give_lock_back(node);
      break;
    case Plan::Action::kDetach:
      done = UploadTask(core_, *this, node.ino).detach();
      break;
  }
  if (done) {
    // A look that only found out that a create has not arrived is no success: what is sent next is
    // sent once more.
    const Result<NodePtr> now = core_.tree.find(node.ino);
    const bool in_vain = node.intent.kind != Intent::Kind::kNone && now && *now != nullptr &&
                         !(*now)->remote && (*now)->intent.kind == Intent::Kind::kNone;
    MutexLock lock(mutex_);
    if (!in_vain) attempts_.erase(node.ino);
    return;
  }
  failed(node.ino, plan.action, done.error(), node.generation);
}

Result<void> Reconciler::upload(const NodeRecord& node) {
  UploadTask task(core_, *this, node.ino);
  return task.run();
}

std::chrono::nanoseconds Reconciler::pause_after(InodeNumber ino) {
  MutexLock lock(mutex_);
  const unsigned attempt = std::min(attempts_[ino]++, 16u);
  const auto pause = std::min<std::chrono::nanoseconds>(kFirstPause * (1u << std::min(attempt, 9u)),
                                                        kLongestPause);
  // Half fixed, half random: many nodes that failed together do not come back together.
  static thread_local std::minstd_rand random(std::random_device{}());
  return pause / 2 + std::chrono::nanoseconds(
                         std::uniform_int_distribution<std::int64_t>(0, pause.count() / 2)(random));
}

void Reconciler::failed(InodeNumber ino, Plan::Action action, const Error& error,
                        std::optional<std::uint64_t> sent) {
  if (error.code == ErrorCode::kCancelled) return;  // stopping
  const std::chrono::nanoseconds pause = pause_after(ino);
  if (is_unreachable(error.code)) {
    log_info("{} of node {} waits for the network: {}", to_string(action), ino.value,
             to_string(error));
    MutexLock lock(mutex_);
    not_before_[ino] = std::max(
        core_.net.next_probe(),
        core_.clock.steady() + std::min<std::chrono::nanoseconds>(pause, std::chrono::seconds(30)));
    return;
  }
  bool take_it_back = false;
  bool is_stored = true;
  {
    Tree::Txn txn(core_.tree);
    const Result<NodePtr> node = txn.find(ino);
    if (!node || *node == nullptr) return;
    // A newer content is not to blame for what was wrong with the older one.
    if (sent && action == Plan::Action::kUpload && (*node)->generation != *sent) return;
    NodeRecord next = **node;
    Failure failure = next.failure.value_or(Failure{});
    if (failure.attempts == 0) failure.since = core_.now();
    failure.code = error.code;
    failure.message = error.context;
    ++failure.attempts;
    failure.refused = is_refusal(error.code, failure.attempts);
    failure.next_try = core_.now() + pause;
    take_it_back =
        is_place_change(action) && (failure.refused || failure.attempts >= kPlaceAttempts);
    // What goes back at once is never seen as failed: it leaves a notice instead.
    if (!take_it_back) {
      next.failure = failure;
      txn.put(std::move(next));
      if (const Result<void> stored = txn.commit(); !stored) {
        log_error("storing a failure: {}", to_string(stored.error()));
        is_stored = false;
      }
    }
  }
  if (!is_stored) {
    // The row says nothing of the pause.
    MutexLock lock(mutex_);
    not_before_[ino] = core_.clock.steady() + pause;
  }
  const std::string path = core_.tree.path_of(ino).value_or("?");
  log_warn("{}: {} failed: {}", path, to_string(action), to_string(error));
  if (take_it_back) {
    const bool removal =
        action == Plan::Action::kRemoveFile || action == Plan::Action::kRemoveFolder;
    if (const Result<void> back = take_back(ino, error, removal); !back)
      log_error("{}: taking back: {}", path, to_string(back.error()));
    MutexLock lock(mutex_);
    attempts_.erase(ino);
  }
}

void Reconciler::expect(InodeNumber ino) {
  MutexLock lock(mutex_);
  refusals_.erase(ino);
}

void Reconciler::retry_now(InodeNumber ino) {
  {
    MutexLock lock(mutex_);
    not_before_.erase(ino);
    attempts_.erase(ino);
  }
  wake(ino);
}

Result<void> Reconciler::wait_settled(const CallContext& call, InodeNumber ino) {
  const CancelToken::Registration wake_up = call.cancel.on_cancel([this] {
    MutexLock lock(mutex_);
    settled_.notify_all();
  });
  std::optional<std::uint64_t> wanted;  // the state that was committed when the wait began
  while (true) {
    std::uint64_t seen = 0;
    {
      MutexLock lock(mutex_);
      seen = settlements_;
      if (const auto refusal = refusals_.find(ino); refusal != refusals_.end()) {
        const Error error = refusal->second;
        refusals_.erase(refusal);
        return fail(error);
      }
    }
    TRY_ASSIGN(const NodePtr node, core_.tree.find(ino));
    if (node == nullptr) return {};
    if (node->failure) return fail(node->failure->code, node->failure->message);
    if (!node->dirty() && !in_flight(ino)) return {};
    if (!wanted) wanted = node->generation;
    const bool in_place = node->remote && !node->deleted && !node->moved();
    if (in_place && node->content_dirty && node->uploaded_generation >= *wanted && *wanted > 0)
      return {};
    MutexLock lock(mutex_);
    while (settlements_ == seen) {
      if (stopping_) return fail(ErrorCode::kCancelled, "unmounting");
      if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "waiting for the server");
      if (!settled_.wait_until(mutex_, call.deadline) && settlements_ == seen) {
        return fail(ErrorCode::kTimeout,
                    "the change is kept here, but has not reached the server yet");
      }
    }
  }
}

void Reconciler::wait_for_change(std::chrono::milliseconds span) {
  MutexLock lock(mutex_);
  const std::uint64_t seen = settlements_;
  const SteadyTime until = std::chrono::steady_clock::now() + span;
  while (settlements_ == seen && !stopping_) {
    if (!settled_.wait_until(mutex_, until)) return;
  }
}

}  // namespace cabinetfs
