#pragma once

#include <memory>
#include <string>

#include "backend/base/mutex.h"
#include "backend/remote_store.h"

namespace cabinetfs {

// A RemoteStore in another process: PipedRemoteStore sends each call over a socket, serve_remote()
// answers them from a real store. What arrived is done even when the caller is dead by then, as it
// is with any server. One call at a time. Only what a volume needs to read and change files; ids
// that are paths are those of FakeRemoteStore.
class PipedRemoteStore final : public RemoteStore {
 public:
  PipedRemoteStore(int socket, Capabilities capabilities)
      : socket_(socket), capabilities_(std::move(capabilities)) {}

  const Capabilities& capabilities() const override { return capabilities_; }
  Result<RemoteAccount> account(const CallContext& call) override;
  Result<RemoteEntry> root(const CallContext& call) override;
  Result<std::vector<RemoteEntry>> list(const CallContext& call, const RemoteId& folder) override;
  Result<RemoteEntry> stat(const CallContext& call, NodeKind kind, const RemoteId& id) override;
  Result<std::optional<RemoteEntry>> find_child(const CallContext& call, const RemoteId& folder,
                                                const std::string& name) override;
  Result<void> read(const CallContext& call, const ReadRequest& request,
                    const ByteSink& sink) override;
  Result<RemoteEntry> create_folder(const CallContext& call, const RemoteId& parent,
                                    const std::string& name) override;
  Result<RemoteEntry> rename(const CallContext& call, NodeKind kind, const RemoteId& id,
                             const std::string& name) override;
  Result<RemoteEntry> move(const CallContext& call, NodeKind kind, const RemoteId& id,
                           const RemoteId& new_parent) override;
  Result<void> remove(const CallContext& call, NodeKind kind, const RemoteId& id) override;
  Result<RemoteEntry> put(const CallContext& call, const UploadTarget& target,
                          Bytes content) override;
  Result<RemoteEntry> put_stream(const CallContext& call, const UploadTarget& target,
                                 const ContentSource& content) override;
  Result<RemoteEntry> lock(const CallContext& call, const RemoteId& file) override;
  Result<RemoteEntry> unlock(const CallContext& call, const RemoteId& file,
                             const std::string& comment) override;
  Result<RemoteEntry> discard_lock(const CallContext& call, const RemoteId& file) override;
  RemoteId rebase(const RemoteId& id, const RemoteId& from, const RemoteId& to) const override;
  Result<UploadSession> upload_begin(const CallContext& call, const UploadTarget& target,
                                     std::uint64_t size) override;
  Result<std::optional<RemoteEntry>> upload_chunk(const CallContext& call, UploadSession& session,
                                                  Bytes chunk) override;
  Result<UploadSession> upload_resume(const CallContext& call,
                                      const UploadSession& session) override;
  Result<void> upload_abort(const CallContext& call, const UploadSession& session) override;

 private:
  Result<std::string> ask(const std::string& request) EXCLUDES(mutex_);

  const int socket_;
  const Capabilities capabilities_;
  Mutex mutex_;
};

// Answers until the other end is closed.
void serve_remote(int socket, RemoteStore& store);

}  // namespace cabinetfs
