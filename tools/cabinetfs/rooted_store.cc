#include "tools/cabinetfs/rooted_store.h"

#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <vector>

#include "backend/base/mutex.h"

namespace cabinetfs {
namespace {

class RootedStore final : public RemoteStore {
 public:
  RootedStore(RemoteStore& inner, std::vector<std::string> folder)
      : inner_(inner), folder_(std::move(folder)) {}

  // What the inner store turns out not to have later is another object there.
  const Capabilities& capabilities() const override {
    const Capabilities& theirs = inner_.capabilities();
    const Adapted* now = now_.load(std::memory_order_acquire);
    if (now != nullptr && now->from == &theirs) return now->own;
    MutexLock lock(mutex_);
    all_.push_back(std::make_unique<const Adapted>(Adapted{&theirs, adapt(theirs)}));
    now_.store(all_.back().get(), std::memory_order_release);
    return all_.back()->own;
  }
  Result<RemoteAccount> account(const CallContext& call) override {
    auto out = inner_.account(call);
    // What it said before may have been filled in where it stood.
    if (out && !asked_.exchange(true)) now_.store(nullptr, std::memory_order_release);
    return out;
  }
  Result<RemoteEntry> root(const CallContext& call) override {
    TRY_ASSIGN(RemoteEntry at, inner_.root(call));
    std::string path;
    for (const std::string& name : folder_) {
      path += "/" + name;
      TRY_ASSIGN(auto child, inner_.find_child(call, at.id, name));
      if (!child)
        return fail(ErrorCode::kNotFound, fmt::format("the account has no folder {}", path));
      if (child->kind != NodeKind::kFolder)
        return fail(ErrorCode::kNotDirectory, fmt::format("{} is a file, not a folder", path));
      at = std::move(*child);
    }
    return at;
  }

  Result<std::vector<RemoteEntry>> list(const CallContext& call, const RemoteId& folder) override {
    return inner_.list(call, folder);
  }
  Result<RemoteEntry> stat(const CallContext& call, NodeKind kind, const RemoteId& id) override {
    return inner_.stat(call, kind, id);
  }
  Result<std::optional<RemoteEntry>> find_child(const CallContext& call, const RemoteId& folder,
                                                const std::string& name) override {
    return inner_.find_child(call, folder, name);
  }
  Result<void> read(const CallContext& call, const ReadRequest& request,
                    const ByteSink& sink) override {
    return inner_.read(call, request, sink);
  }
  Result<void> read_many(
      const CallContext& call, const std::vector<RemoteEntry>& files,
      const std::function<void(const RemoteId&, std::string content)>& on_file) override {
    return inner_.read_many(call, files, on_file);
  }
  Result<RemoteEntry> create_folder(const CallContext& call, const RemoteId& parent,
                                    const std::string& name) override {
    return inner_.create_folder(call, parent, name);
  }
  Result<RemoteEntry> rename(const CallContext& call, NodeKind kind, const RemoteId& id,
                             const std::string& name) override {
    return inner_.rename(call, kind, id, name);
  }
  Result<RemoteEntry> move(const CallContext& call, NodeKind kind, const RemoteId& id,
                           const RemoteId& new_parent) override {
    return inner_.move(call, kind, id, new_parent);
  }
  Result<void> remove(const CallContext& call, NodeKind kind, const RemoteId& id) override {
    return inner_.remove(call, kind, id);
  }
  std::vector<Result<void>> remove_files(const CallContext& call,
                                         const std::vector<RemoteId>& ids) override {
    return inner_.remove_files(call, ids);
  }
  Result<RemoteEntry> copy_file(const CallContext& call, const RemoteId& id,
                                const RemoteId& new_parent, const std::string& name) override {
    return inner_.copy_file(call, id, new_parent, name);
  }
  Result<RemoteEntry> put(const CallContext& call, const UploadTarget& target,
                          Bytes content) override {
    return inner_.put(call, target, content);
  }
  Result<RemoteEntry> put_stream(const CallContext& call, const UploadTarget& target,
                                 const ContentSource& content) override {
    return inner_.put_stream(call, target, content);
  }
  Result<UploadSession> upload_begin(const CallContext& call, const UploadTarget& target,
                                     std::uint64_t size) override {
    return inner_.upload_begin(call, target, size);
  }
  Result<std::optional<RemoteEntry>> upload_chunk(const CallContext& call, UploadSession& session,
                                                  Bytes chunk) override {
    return inner_.upload_chunk(call, session, chunk);
  }
  Result<UploadSession> upload_resume(const CallContext& call,
                                      const UploadSession& session) override {
    return inner_.upload_resume(call, session);
  }
  Result<void> upload_abort(const CallContext& call, const UploadSession& session) override {
    return inner_.upload_abort(call, session);
  }
  Result<std::vector<RemoteVersion>> versions(const CallContext& call,
                                              const RemoteId& file) override {
    return inner_.versions(call, file);
  }
  Result<RemoteEntry> promote(const CallContext& call, const RemoteId& file,
                              const VersionId& version) override {
    return inner_.promote(call, file, version);
  }
  Result<RemoteEntry> lock(const CallContext& call, const RemoteId& file) override {
    return inner_.lock(call, file);
  }
  Result<RemoteEntry> unlock(const CallContext& call, const RemoteId& file,
                             const std::string& comment) override {
    return inner_.unlock(call, file, comment);
  }
  Result<RemoteEntry> discard_lock(const CallContext& call, const RemoteId& file) override {
    return inner_.discard_lock(call, file);
  }
  std::vector<Result<RemoteEntry>> lock_files(const CallContext& call,
                                              const std::vector<RemoteId>& files) override {
    return inner_.lock_files(call, files);
  }
  std::vector<Result<RemoteEntry>> unlock_files(const CallContext& call,
                                                const std::vector<RemoteId>& files,
                                                const std::string& comment) override {
    return inner_.unlock_files(call, files, comment);
  }
  Result<RemotePermission> permission_of(const CallContext& call, NodeKind kind, const RemoteId& id,
                                         const std::string& who) override {
    return inner_.permission_of(call, kind, id, who);
  }
  std::vector<Result<void>> share_many(const CallContext& call,
                                       const std::vector<RemoteObject>& objects,
                                       const std::vector<std::string>& who,
                                       AccessLevel level) override {
    return inner_.share_many(call, objects, who, level);
  }
  Result<void> unshare_all(const CallContext& call, NodeKind kind, const RemoteId& id) override {
    return inner_.unshare_all(call, kind, id);
  }
  NumberSequences* sequences() override { return inner_.sequences(); }
  RemoteId rebase(const RemoteId& id, const RemoteId& from, const RemoteId& to) const override {
    return inner_.rebase(id, from, to);
  }
  Result<std::vector<RemotePermission>> permissions(const CallContext& call, NodeKind kind,
                                                    const RemoteId& id) override {
    return inner_.permissions(call, kind, id);
  }
  Result<void> share(const CallContext& call, NodeKind kind, const RemoteId& id,
                     const std::string& who, AccessLevel level) override {
    return inner_.share(call, kind, id, who, level);
  }
  Result<void> unshare(const CallContext& call, NodeKind kind, const RemoteId& id,
                       const std::string& who) override {
    return inner_.unshare(call, kind, id, who);
  }
  Result<std::vector<RemoteEvent>> history(const CallContext& call, NodeKind kind,
                                           const RemoteId& id) override {
    return inner_.history(call, kind, id);
  }
  Result<void> set_description(const CallContext& call, NodeKind kind, const RemoteId& id,
                               const std::string& text) override {
    return inner_.set_description(call, kind, id, text);
  }
  Result<Quota> quota(const CallContext& call) override { return inner_.quota(call); }
  Result<ChangeSet> changes(const CallContext& call, const std::string& cursor) override {
    return inner_.changes(call, cursor);
  }
  Result<void> send_mail(const CallContext& call, const Mail& mail) override {
    return inner_.send_mail(call, mail);
  }

 private:
  // Only the account's own root may be unable to hold files.
  static Capabilities adapt(Capabilities capabilities) {
    capabilities.root_takes_files = true;
    return capabilities;
  }

  RemoteStore& inner_;
  const std::vector<std::string> folder_;
  struct Adapted {
    const Capabilities* from;
    Capabilities own;
  };
  std::atomic<bool> asked_{false};
  mutable std::atomic<const Adapted*> now_{nullptr};
  mutable Mutex mutex_;
  // All that was ever returned: references to it stay good.
  mutable std::vector<std::unique_ptr<const Adapted>> all_ GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<RemoteStore> make_rooted_store(RemoteStore& inner, const std::string& folder) {
  std::vector<std::string> names;
  for (std::string& name : split(folder, '/'))
    if (!name.empty()) names.push_back(std::move(name));
  return std::make_unique<RootedStore>(inner, std::move(names));
}

}  // namespace cabinetfs
