#include "cache/volume_impl.h"

#include <algorithm>
#include <unordered_set>

namespace cabinetfs {
namespace {

constexpr const char* kCursorKey = "changes.cursor";
// Without a change feed, these folders are listed again: those that programs looked at lately, the
// latest first.
constexpr std::chrono::minutes kInUse{10};
constexpr std::size_t kPolledFolders = 50;
// Names that the kernel is asked to forget when a folder changes that nobody has listed lately.
constexpr std::size_t kMaxDoubted = 10'000;

}  // namespace

Result<std::unique_ptr<Volume>> Volume::open(VolumeOptions options, RemoteStore& remote,
                                             MetaStore& meta, ContentStore& contents,
                                             Clock& clock) {
  auto volume = std::make_unique<VolumeImpl>(std::move(options), remote, meta, contents, clock);
  TRY(volume->load());
  return std::unique_ptr<Volume>(std::move(volume));
}

VolumeImpl::VolumeImpl(VolumeOptions options, RemoteStore& remote, MetaStore& meta,
                       ContentStore& contents, Clock& clock)
    : core_(std::move(options), remote, meta, contents, clock),
      listings_(core_),
      reconciler_(core_, listings_),
      walk_(core_, listings_),
      pins_(core_, listings_, walk_) {
  core_.in_flight = &reconciler_;
}

VolumeImpl::~VolumeImpl() { stop(); }

Result<void> VolumeImpl::load() {
  TRY(core_.tree.load());
  TRY_ASSIGN(const NodePtr root, core_.tree.find(kRootInode));
  if (root == nullptr) {
    Tree::Txn txn(core_.tree);
    NodeRecord node;
    node.ino = kRootInode;
    node.kind = NodeKind::kFolder;
    node.mtime = node.atime = node.ctime = node.btime = core_.now();
    txn.put(std::move(node));
    TRY(txn.commit());
  }
  std::vector<std::string> live;
  for (const InodeNumber ino : core_.tree.unsent()) {
    TRY_ASSIGN(const NodePtr node, core_.tree.find(ino));
    if (node != nullptr && !node->staged.empty()) live.push_back(node->staged);
  }
  core_.contents.collect_staged(live);
  return {};
}

void VolumeImpl::set_notifier(KernelNotifier* notifier) { core_.notifier = notifier; }

void VolumeImpl::start() {
  reconciler_.start();
  pins_.wake();
  if (core_.options.poll_interval.count() > 0 && !poller_.joinable()) {
    poller_ = std::thread([this] { poll_loop(); });
  }
}

void VolumeImpl::stop() {
  core_.stopping.cancel();
  {
    MutexLock lock(poll_mutex_);
    poll_stop_ = true;
    poll_wake_.notify_all();
  }
  if (poller_.joinable()) poller_.join();
  reconciler_.stop();
  walk_.shutdown();
  pins_.shutdown();
  checks_.shutdown();
  listings_.shutdown();
  core_.contents.shutdown();
}

void VolumeImpl::poll_loop() {
  // At once: the change feed tells of nothing that happened before its first answer.
  if (core_.net.may_try()) poll_once();
  pins_.wake();
  while (true) {
    {
      MutexLock lock(poll_mutex_);
      const SteadyTime until = std::chrono::steady_clock::now() + core_.options.poll_interval;
      while (!poll_stop_ && poll_wake_.wait_until(poll_mutex_, until)) {
      }
      if (poll_stop_) return;
    }
    if (core_.net.may_try()) poll_once();
    pins_.wake();
  }
}

// Marks the listing as old and has the kernel ask for the names again. False where listing it again
// is the better way.
bool VolumeImpl::doubt_listing(InodeNumber folder) {
  const Result<std::vector<NodePtr>> children = core_.tree.children(folder);
  if (!children || children->size() > kMaxDoubted || !refresh(folder)) return false;
  Notices notices;
  for (const NodePtr& child : *children) notices.entry(folder, child->name);
  notices.inode(folder, true);
  notices.send(core_.notifier);
  return true;
}

void VolumeImpl::poll_once() {
  const CallContext call = core_.background_call(Priority::kMetadata);
  const SteadyTime now = core_.clock.steady();
  std::vector<std::pair<SteadyTime, InodeNumber>> in_use;
  const auto find_in_use = [&] {
    in_use.clear();
    MutexLock lock(mutex_);
    std::erase_if(in_use_, [now](const auto& entry) { return now - entry.second > kInUse; });
    for (const auto& [ino, at] : in_use_) in_use.emplace_back(at, ino);
    std::ranges::sort(in_use, std::greater<>());
    if (in_use.size() > kPolledFolders) in_use.resize(kPolledFolders);
  };
  find_in_use();
  const auto list_again = [&] {
    for (const auto& [at, ino] : in_use) listings_.refresh_ahead(ino, true);
  };
  if (!core_.remote.capabilities().change_feed) return list_again();

  const Result<std::optional<std::string>> cursor = core_.meta.value(kCursorKey);
  const std::string since = cursor && *cursor ? **cursor : std::string();
  const Result<ChangeSet> changes = core_.seen(core_.remote.changes(call, since));
  if (!changes) {
    if (changes.error().code == ErrorCode::kNotSupported ||
        changes.error().code == ErrorCode::kDenied)
      list_again();
    return;
  }
  // Our own changes come back as news too, and cannot be told from others' of the same file in the
  // same moment: one listing for each folder, whoever changed it.
  std::unordered_set<InodeNumber> seen;
  for (const RemoteChange& change : changes->changes) {
    InodeNumber folder;
    if (!change.folder.empty()) {
      if (const Result<NodePtr> node = core_.tree.find_remote(change.folder);
          node && *node != nullptr)
        folder = (*node)->ino;
    }
    if (!folder && !change.file.empty()) {
      if (const Result<NodePtr> node = core_.tree.find_remote(change.file);
          node && *node != nullptr)
        folder = (*node)->remote_parent;
    }
    if (!folder || !seen.insert(folder).second) continue;
    const Result<NodePtr> node = core_.tree.find(folder);
    if (!node || *node == nullptr || !(*node)->listed) continue;
    const bool watched =
        std::ranges::any_of(in_use, [folder](const auto& entry) { return entry.second == folder; });
    // The feed tells of a change once: a listing that fails leaves the doubt behind.
    if (watched || !doubt_listing(folder))
      listings_.refresh_ahead(folder, true, {}, [this, folder] { (void)doubt_listing(folder); });
  }
  if (since.empty())
    find_in_use();  // what was listed before the feed began may have missed something
  if (since.empty() || !changes->complete) list_again();
  Tree::Txn txn(core_.tree);
  txn.set_value(kCursorKey, changes->cursor);
  if (const Result<void> stored = txn.commit(); !stored)
    log_warn("storing the change feed's position: {}", to_string(stored.error()));
}

}  // namespace cabinetfs
