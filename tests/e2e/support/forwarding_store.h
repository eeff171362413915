#pragma once

#include <string>
#include <vector>

#include "backend/remote_store.h"

namespace cabinetfs {

// Passes every call on to a store that somebody else owns: a second mount of one account in memory.
class ForwardingStore final : public RemoteStore {
 public:
  explicit ForwardingStore(RemoteStore& store) : store_(store) {}

  const Capabilities& capabilities() const override { return store_.capabilities(); }
  Result<RemoteAccount> account(const CallContext& call) override { return store_.account(call); }
  Result<RemoteEntry> root(const CallContext& call) override { return store_.root(call); }
  Result<std::vector<RemoteEntry>> list(const CallContext& call, const RemoteId& folder) override {
    return store_.list(call, folder);
  }
  Result<RemoteEntry> stat(const CallContext& call, NodeKind kind, const RemoteId& id) override {
    return store_.stat(call, kind, id);
  }
  Result<std::optional<RemoteEntry>> find_child(const CallContext& call, const RemoteId& folder,
                                                const std::string& name) override {
    return store_.find_child(call, folder, name);
  }
  Result<void> read(const CallContext& call, const ReadRequest& request,
                    const ByteSink& sink) override {
    return store_.read(call, request, sink);
  }
  Result<void> read_many(
      const CallContext& call, const std::vector<RemoteEntry>& files,
      const std::function<void(const RemoteId&, std::string content)>& on_file) override {
    return store_.read_many(call, files, on_file);
  }
  Result<RemoteEntry> create_folder(const CallContext& call, const RemoteId& parent,
                                    const std::string& name) override {
    return store_.create_folder(call, parent, name);
  }
  Result<RemoteEntry> rename(const CallContext& call, NodeKind kind, const RemoteId& id,
                             const std::string& name) override {
    return store_.rename(call, kind, id, name);
  }
  Result<RemoteEntry> move(const CallContext& call, NodeKind kind, const RemoteId& id,
                           const RemoteId& new_parent) override {
    return store_.move(call, kind, id, new_parent);
  }
  Result<void> remove(const CallContext& call, NodeKind kind, const RemoteId& id) override {
    return store_.remove(call, kind, id);
  }
  std::vector<Result<void>> remove_files(const CallContext& call,
                                         const std::vector<RemoteId>& ids) override {
    return store_.remove_files(call, ids);
  }
  Result<RemoteEntry> copy_file(const CallContext& call, const RemoteId& id,
                                const RemoteId& new_parent, const std::string& name) override {
    return store_.copy_file(call, id, new_parent, name);
  }
  Result<RemoteEntry> put(const CallContext& call, const UploadTarget& target,
                          Bytes content) override {
    return store_.put(call, target, content);
  }
  Result<UploadSession> upload_begin(const CallContext& call, const UploadTarget& target,
                                     std::uint64_t size) override {
    return store_.upload_begin(call, target, size);
  }
  Result<std::optional<RemoteEntry>> upload_chunk(const CallContext& call, UploadSession& session,
                                                  Bytes chunk) override {
    return store_.upload_chunk(call, session, chunk);
  }
  Result<UploadSession> upload_resume(const CallContext& call,
                                      const UploadSession& session) override {
    return store_.upload_resume(call, session);
  }
  Result<void> upload_abort(const CallContext& call, const UploadSession& session) override {
    return store_.upload_abort(call, session);
  }
  Result<std::vector<RemoteVersion>> versions(const CallContext& call,
                                              const RemoteId& file) override {
    return store_.versions(call, file);
  }
  Result<RemoteEntry> promote(const CallContext& call, const RemoteId& file,
                              const VersionId& version) override {
    return store_.promote(call, file, version);
  }
  Result<RemoteEntry> lock(const CallContext& call, const RemoteId& file) override {
    return store_.lock(call, file);
  }
  Result<RemoteEntry> unlock(const CallContext& call, const RemoteId& file,
                             const std::string& comment) override {
    return store_.unlock(call, file, comment);
  }
  Result<std::vector<RemotePermission>> permissions(const CallContext& call, NodeKind kind,
                                                    const RemoteId& id) override {
    return store_.permissions(call, kind, id);
  }
  Result<void> share(const CallContext& call, NodeKind kind, const RemoteId& id,
                     const std::string& who, AccessLevel level) override {
    return store_.share(call, kind, id, who, level);
  }
  Result<void> unshare(const CallContext& call, NodeKind kind, const RemoteId& id,
                       const std::string& who) override {
    return store_.unshare(call, kind, id, who);
  }
  Result<std::vector<RemoteEvent>> history(const CallContext& call, NodeKind kind,
                                           const RemoteId& id) override {
    return store_.history(call, kind, id);
  }
  Result<void> set_description(const CallContext& call, NodeKind kind, const RemoteId& id,
                               const std::string& text) override {
    return store_.set_description(call, kind, id, text);
  }
  Result<Quota> quota(const CallContext& call) override { return store_.quota(call); }
  Result<ChangeSet> changes(const CallContext& call, const std::string& cursor) override {
    return store_.changes(call, cursor);
  }
  Result<void> send_mail(const CallContext& call, const Mail& mail) override {
    return store_.send_mail(call, mail);
  }

 private:
  RemoteStore& store_;
};

}  // namespace cabinetfs
