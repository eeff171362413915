#include "tests/support/faulty_remote_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace cabinetfs {

RemoteFault RemoteFault::failing(ErrorCode code, const std::string& context) {
  RemoteFault fault;
  fault.kind = Kind::kFail;
  fault.error = {code, context};
  return fault;
}

RemoteFault RemoteFault::losing_answer() {
  RemoteFault fault;
  fault.kind = Kind::kLose;
  fault.error = {ErrorCode::kUnavailable, "injected: the answer was lost"};
  return fault;
}

RemoteFault RemoteFault::truncating(std::uint64_t bytes) {
  RemoteFault fault;
  fault.kind = Kind::kTruncate;
  fault.error = {ErrorCode::kCorrupt, "injected: short answer"};
  fault.bytes = bytes;
  return fault;
}

RemoteFault RemoteFault::corrupting(std::uint64_t offset) {
  RemoteFault fault;
  fault.kind = Kind::kCorrupt;
  fault.bytes = offset;
  return fault;
}

RemoteFault RemoteFault::holding(Gate& gate) {
  RemoteFault fault;
  fault.gate = &gate;
  return fault;
}

void FaultyRemoteStore::set_hook(Hook hook) {
  MutexLock lock(mutex_);
  hook_ = std::move(hook);
}

void FaultyRemoteStore::script(const std::string& operation, const RemoteFault& fault, int times,
                               int skip) {
  MutexLock lock(mutex_);
  rules_.push_back({operation, fault, times, skip});
}

void FaultyRemoteStore::set_offline(bool offline) {
  MutexLock lock(mutex_);
  offline_ = offline;
}

void FaultyRemoteStore::set_chances(std::uint64_t seed, const Chances& chances) {
  MutexLock lock(mutex_);
  random_.seed(seed);
  chances_ = chances;
}

void FaultyRemoteStore::heal() {
  MutexLock lock(mutex_);
  hook_ = nullptr;
  rules_.clear();
  offline_ = false;
  chances_ = {};
}

std::uint64_t FaultyRemoteStore::calls(const std::string& operation) const {
  MutexLock lock(mutex_);
  const auto found = calls_.find(operation);
  return found == calls_.end() ? 0 : found->second;
}

std::uint64_t FaultyRemoteStore::faults() const {
  MutexLock lock(mutex_);
  return faults_;
}

RemoteFault FaultyRemoteStore::chance_locked(Nature nature) {
  const auto happens = [&](double probability) REQUIRES(mutex_) {
    return std::uniform_real_distribution<double>(0, 1)(random_) < probability;
  };
  if (chances_.fail > 0 && happens(chances_.fail)) {
    return RemoteFault::failing(ErrorCode::kUnavailable);
  }
  if (nature == Nature::kChange && chances_.lose > 0 && happens(chances_.lose)) {
    return RemoteFault::losing_answer();
  }
  if (nature == Nature::kRead && chances_.truncate > 0 && happens(chances_.truncate)) {
    return RemoteFault::truncating(random_() % 65536);
  }
  if (nature == Nature::kRead && chances_.corrupt > 0 && happens(chances_.corrupt)) {
    return RemoteFault::corrupting(random_());
  }
  return {};
}

RemoteFault FaultyRemoteStore::decide(const char* operation, Nature nature,
                                      const std::string& what) {
  Hook hook;
  RemoteCall seen;
  {
    MutexLock lock(mutex_);
    seen = {operation, what, ++calls_[operation], ++overall_};
    if (offline_) return RemoteFault::failing(ErrorCode::kUnavailable, "injected: offline");
    for (auto rule = rules_.begin(); rule != rules_.end(); ++rule) {
      if (!rule->operation.empty() && rule->operation != operation) continue;
      if (rule->skip > 0) {
        --rule->skip;
        break;
      }
      const RemoteFault fault = rule->fault;
      if (--rule->times <= 0) rules_.erase(rule);
      return fault;
    }
    hook = hook_;
  }
  // Not under the lock: a hook may look at this store.
  if (hook) {
    RemoteFault fault = hook(seen);
    if (fault.kind != RemoteFault::Kind::kPass || fault.gate != nullptr) return fault;
  }
  MutexLock lock(mutex_);
  return chance_locked(nature);
}

Result<RemoteFault> FaultyRemoteStore::begin(const CallContext& call, const char* operation,
                                             Nature nature, const std::string& what) {
  RemoteFault fault = decide(operation, nature, what);
  if (fault.gate != nullptr) TRY(fault.gate->pass(call));
  if (fault.kind != RemoteFault::Kind::kPass) {
    MutexLock lock(mutex_);
    ++faults_;
  }
  if (fault.kind == RemoteFault::Kind::kFail) {
    fault.error.context = fmt::format("{} {}: {}", operation, what, fault.error.context);
    return fail(fault.error);
  }
  return fault;
}

int FaultyRemoteStore::in_flight() const {
  MutexLock lock(mutex_);
  return running_;
}

// Counts a call from its arrival to its end.
class FaultyRemoteStore::Running {
 public:
  explicit Running(FaultyRemoteStore& store) : store_(store) {
    MutexLock lock(store_.mutex_);
    ++store_.running_;
  }
  ~Running() {
    MutexLock lock(store_.mutex_);
    --store_.running_;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  FaultyRemoteStore& store_;
};

template <class T, class Do>
Result<T> FaultyRemoteStore::through(const CallContext& call, const char* operation, Nature nature,
                                     const std::string& what, Do&& act) {
  const Running running(*this);
  TRY_ASSIGN(const RemoteFault fault, begin(call, operation, nature, what));
  Result<T> result = act();
  // A request that the server refused had no effect to lose: the refusal is lost.
  if (fault.kind == RemoteFault::Kind::kLose) return fail(fault.error);
  return result;
}

Result<RemoteAccount> FaultyRemoteStore::account(const CallContext& call) {
  return through<RemoteAccount>(call, "account", Nature::kQuery, "",
                                [&] { return wrapped_->account(call); });
}

Result<RemoteEntry> FaultyRemoteStore::root(const CallContext& call) {
  return through<RemoteEntry>(call, "root", Nature::kQuery, "",
                              [&] { return wrapped_->root(call); });
}

Result<std::vector<RemoteEntry>> FaultyRemoteStore::list(const CallContext& call,
                                                         const RemoteId& folder) {
  return through<std::vector<RemoteEntry>>(call, "list", Nature::kQuery, folder.value,
                                           [&] { return wrapped_->list(call, folder); });
}

Result<RemoteEntry> FaultyRemoteStore::stat(const CallContext& call, NodeKind kind,
                                            const RemoteId& id) {
  return through<RemoteEntry>(call, "stat", Nature::kQuery, id.value,
                              [&] { return wrapped_->stat(call, kind, id); });
}

Result<std::optional<RemoteEntry>> FaultyRemoteStore::find_child(const CallContext& call,
                                                                 const RemoteId& folder,
                                                                 const std::string& name) {
  return through<std::optional<RemoteEntry>>(call, "find_child", Nature::kQuery, name, [&] {
    return wrapped_->find_child(call, folder, name);
  });
}

Result<void> FaultyRemoteStore::read(const CallContext& call, const ReadRequest& request,
                                     const ByteSink& sink) {
  const Running running(*this);
  TRY_ASSIGN(const RemoteFault fault, begin(call, "read", Nature::kRead, request.file.value));
  switch (fault.kind) {
    case RemoteFault::Kind::kPass:
    case RemoteFault::Kind::kFail:
      return wrapped_->read(call, request, sink);
    case RemoteFault::Kind::kLose:
      TRY(wrapped_->read(call, request, sink));
      return fail(fault.error);
    case RemoteFault::Kind::kTruncate: {
      std::uint64_t left = std::min(fault.bytes, request.length == 0 ? 0 : request.length - 1);
      TRY(wrapped_->read(call, request, [&](Bytes piece) {
        const std::uint64_t taken = std::min<std::uint64_t>(left, piece.size());
        left -= taken;
        return taken == 0 || sink(piece.first(taken));
      }));
      return fail(fault.error);
    }
    case RemoteFault::Kind::kCorrupt: {
      const std::uint64_t at = request.length == 0 ? 0 : fault.bytes % request.length;
      std::uint64_t offset = 0;
      return wrapped_->read(call, request, [&](Bytes piece) {
        std::vector<std::byte> copy(piece.begin(), piece.end());
        if (at >= offset && at - offset < copy.size()) copy[at - offset] ^= std::byte{1};
        offset += copy.size();
        return sink(copy);
      });
    }
  }
  return fail(ErrorCode::kInternal, "read: a fault of no kind");
}

Result<void> FaultyRemoteStore::read_many(
    const CallContext& call, const std::vector<RemoteEntry>& files,
    const std::function<void(const RemoteId&, std::string content)>& on_file) {
  const Running running(*this);
  TRY_ASSIGN(const RemoteFault fault,
             begin(call, "read_many", Nature::kRead, fmt::format("{} files", files.size())));
  std::uint64_t left = fault.bytes;
  const bool truncate = fault.kind == RemoteFault::Kind::kTruncate;
  // Files come whole or not at all.
  TRY(wrapped_->read_many(call, files, [&](const RemoteId& id, std::string content) {
    if (truncate && content.size() >= left) {
      left = 0;
      return;
    }
    if (truncate) left -= content.size();
    if (fault.kind == RemoteFault::Kind::kCorrupt && !content.empty()) {
      char& c = content[fault.bytes % content.size()];
      c = static_cast<char>(c ^ 1);
    }
    on_file(id, std::move(content));
  }));
  if (truncate || fault.kind == RemoteFault::Kind::kLose) return fail(fault.error);
  return {};
}

Result<RemoteEntry> FaultyRemoteStore::create_folder(const CallContext& call,
                                                     const RemoteId& parent,
                                                     const std::string& name) {
  return through<RemoteEntry>(call, "create_folder", Nature::kChange, name,
                              [&] { return wrapped_->create_folder(call, parent, name); });
}

Result<RemoteEntry> FaultyRemoteStore::rename(const CallContext& call, NodeKind kind,
                                              const RemoteId& id, const std::string& name) {
  return through<RemoteEntry>(call, "rename", Nature::kChange, id.value,
                              [&] { return wrapped_->rename(call, kind, id, name); });
}

Result<RemoteEntry> FaultyRemoteStore::move(const CallContext& call, NodeKind kind,
                                            const RemoteId& id, const RemoteId& new_parent) {
  return through<RemoteEntry>(call, "move", Nature::kChange, id.value,
                              [&] { return wrapped_->move(call, kind, id, new_parent); });
}

Result<void> FaultyRemoteStore::remove(const CallContext& call, NodeKind kind, const RemoteId& id) {
  return through<void>(call, "remove", Nature::kChange, id.value,
                       [&] { return wrapped_->remove(call, kind, id); });
}

std::vector<Result<void>> FaultyRemoteStore::remove_files(const CallContext& call,
                                                          const std::vector<RemoteId>& ids) {
  const Running running(*this);
  const auto fault =
      begin(call, "remove_files", Nature::kChange, fmt::format("{} files", ids.size()));
  if (!fault) return {ids.size(), Result<void>(fail(fault.error()))};
  auto results = wrapped_->remove_files(call, ids);
  if (fault->kind != RemoteFault::Kind::kLose) return results;
  return {ids.size(), Result<void>(fail(fault->error))};
}

Result<RemoteEntry> FaultyRemoteStore::copy_file(const CallContext& call, const RemoteId& id,
                                                 const RemoteId& new_parent,
                                                 const std::string& name) {
  return through<RemoteEntry>(call, "copy_file", Nature::kChange, id.value,
                              [&] { return wrapped_->copy_file(call, id, new_parent, name); });
}

Result<RemoteEntry> FaultyRemoteStore::put(const CallContext& call, const UploadTarget& target,
                                           Bytes content) {
  return through<RemoteEntry>(call, "put", Nature::kChange,
                              target.file.empty() ? target.name : target.file.value,
                              [&] { return wrapped_->put(call, target, content); });
}

Result<RemoteEntry> FaultyRemoteStore::put_stream(const CallContext& call,
                                                  const UploadTarget& target,
                                                  const ContentSource& content) {
  return through<RemoteEntry>(call, "put_stream", Nature::kChange,
                              target.file.empty() ? target.name : target.file.value,
                              [&] { return wrapped_->put_stream(call, target, content); });
}

Result<RemoteEntry> FaultyRemoteStore::discard_lock(const CallContext& call, const RemoteId& file) {
  return through<RemoteEntry>(call, "discard_lock", Nature::kChange, file.value,
                              [&] { return wrapped_->discard_lock(call, file); });
}

Result<UploadSession> FaultyRemoteStore::upload_begin(const CallContext& call,
                                                      const UploadTarget& target,
                                                      std::uint64_t size) {
  return through<UploadSession>(call, "upload_begin", Nature::kChange,
                                target.file.empty() ? target.name : target.file.value,
                                [&] { return wrapped_->upload_begin(call, target, size); });
}

Result<std::optional<RemoteEntry>> FaultyRemoteStore::upload_chunk(const CallContext& call,
                                                                   UploadSession& session,
                                                                   Bytes chunk) {
  // The caller's session moves only when the caller hears of it.
  UploadSession copy = session;
  auto result = through<std::optional<RemoteEntry>>(
      call, "upload_chunk", Nature::kChange, session.id,
      [&] { return wrapped_->upload_chunk(call, copy, chunk); });
  if (result) session = std::move(copy);
  return result;
}

Result<UploadSession> FaultyRemoteStore::upload_resume(const CallContext& call,
                                                       const UploadSession& session) {
  return through<UploadSession>(call, "upload_resume", Nature::kQuery, session.id,
                                [&] { return wrapped_->upload_resume(call, session); });
}

Result<void> FaultyRemoteStore::upload_abort(const CallContext& call,
                                             const UploadSession& session) {
  return through<void>(call, "upload_abort", Nature::kChange, session.id,
                       [&] { return wrapped_->upload_abort(call, session); });
}

Result<std::vector<RemoteVersion>> FaultyRemoteStore::versions(const CallContext& call,
                                                               const RemoteId& file) {
  return through<std::vector<RemoteVersion>>(call, "versions", Nature::kQuery, file.value,
                                             [&] { return wrapped_->versions(call, file); });
}

Result<RemoteEntry> FaultyRemoteStore::promote(const CallContext& call, const RemoteId& file,
                                               const VersionId& version) {
  return through<RemoteEntry>(call, "promote", Nature::kChange, file.value,
                              [&] { return wrapped_->promote(call, file, version); });
}

Result<RemoteEntry> FaultyRemoteStore::lock(const CallContext& call, const RemoteId& file) {
  return through<RemoteEntry>(call, "lock", Nature::kChange, file.value,
                              [&] { return wrapped_->lock(call, file); });
}

Result<RemoteEntry> FaultyRemoteStore::unlock(const CallContext& call, const RemoteId& file,
                                              const std::string& comment) {
  return through<RemoteEntry>(call, "unlock", Nature::kChange, file.value,
                              [&] { return wrapped_->unlock(call, file, comment); });
}

Result<std::vector<RemotePermission>> FaultyRemoteStore::permissions(const CallContext& call,
                                                                     NodeKind kind,
                                                                     const RemoteId& id) {
  return through<std::vector<RemotePermission>>(call, "permissions", Nature::kQuery, id.value, [&] {
    return wrapped_->permissions(call, kind, id);
  });
}

Result<void> FaultyRemoteStore::share(const CallContext& call, NodeKind kind, const RemoteId& id,
                                      const std::string& who, AccessLevel level) {
  return through<void>(call, "share", Nature::kChange, id.value,
                       [&] { return wrapped_->share(call, kind, id, who, level); });
}

Result<void> FaultyRemoteStore::unshare(const CallContext& call, NodeKind kind, const RemoteId& id,
                                        const std::string& who) {
  return through<void>(call, "unshare", Nature::kChange, id.value,
                       [&] { return wrapped_->unshare(call, kind, id, who); });
}

Result<std::vector<RemoteEvent>> FaultyRemoteStore::history(const CallContext& call, NodeKind kind,
                                                            const RemoteId& id) {
  return through<std::vector<RemoteEvent>>(call, "history", Nature::kQuery, id.value,
                                           [&] { return wrapped_->history(call, kind, id); });
}

Result<void> FaultyRemoteStore::set_description(const CallContext& call, NodeKind kind,
                                                const RemoteId& id, const std::string& text) {
  return through<void>(call, "set_description", Nature::kChange, id.value,
                       [&] { return wrapped_->set_description(call, kind, id, text); });
}

Result<Quota> FaultyRemoteStore::quota(const CallContext& call) {
  return through<Quota>(call, "quota", Nature::kQuery, "", [&] { return wrapped_->quota(call); });
}

Result<ChangeSet> FaultyRemoteStore::changes(const CallContext& call, const std::string& cursor) {
  return through<ChangeSet>(call, "changes", Nature::kQuery, cursor,
                            [&] { return wrapped_->changes(call, cursor); });
}

Result<void> FaultyRemoteStore::send_mail(const CallContext& call, const Mail& mail) {
  return through<void>(call, "send_mail", Nature::kChange, mail.subject,
                       [&] { return wrapped_->send_mail(call, mail); });
}

}  // namespace cabinetfs
