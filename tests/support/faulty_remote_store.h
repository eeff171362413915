#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "backend/base/mutex.h"
#include "backend/remote_store.h"
#include "tests/support/gate.h"

namespace cabinetfs {

// One call as a hook sees it, before it goes to the wrapped store.
struct RemoteCall {
  std::string operation;      // the name of the RemoteStore function
  std::string what;           // id or name that it is about
  std::uint64_t number = 0;   // of this operation, 1 first
  std::uint64_t overall = 0;  // of all, 1 first
};

// What happens to it.
struct RemoteFault {
  enum class Kind {
    kPass,
    kFail,      // `error`, and nothing has happened
    kLose,      // it happened, and the caller hears kUnavailable
    kTruncate,  // reads: `bytes` arrive, then kCorrupt
    kCorrupt,   // reads: the bit at `bytes` (modulo the length) is flipped, and the read succeeds
  };
  Kind kind = Kind::kPass;
  Error error{ErrorCode::kUnavailable, "injected"};
  std::uint64_t bytes = 0;
  Gate* gate = nullptr;  // stands here first

  static RemoteFault pass() { return {}; }
  static RemoteFault failing(ErrorCode code, const std::string& context = "injected");
  static RemoteFault losing_answer();
  static RemoteFault truncating(std::uint64_t bytes);
  static RemoteFault corrupting(std::uint64_t offset);
  static RemoteFault holding(Gate& gate);
};

// Wraps a store and makes its calls fail as a hook, a script, a switch or chance decides; asked in
// this order: offline, script, hook, chance. Thread safe. The wrapped store must outlive it.
class FaultyRemoteStore final : public RemoteStore {
 public:
  using Hook = std::function<RemoteFault(const RemoteCall&)>;
  // Probabilities of each call. Losing applies to calls that change something; the last two to
  // reads.
  struct Chances {
    double fail = 0;
    double lose = 0;
    double truncate = 0;
    double corrupt = 0;
  };

  explicit FaultyRemoteStore(RemoteStore& wrapped) : wrapped_(&wrapped) {}

  // Another store from now on, as after a restart. While no call is running.
  void wrap(RemoteStore& other) { wrapped_ = &other; }

  void set_hook(Hook hook);
  // After `skip` calls of that operation ("" = any) have passed, the next `times` get the fault.
  // Rules of one operation are used up in the order in which they were added.
  void script(const std::string& operation, const RemoteFault& fault, int times = 1, int skip = 0);
  // Every call ends with kUnavailable.
  void set_offline(bool offline);
  void set_chances(std::uint64_t seed, const Chances& chances);
  // No more faults of any kind.
  void heal();

  std::uint64_t calls(const std::string& operation) const;
  std::uint64_t faults() const;  // calls that did not simply pass
  int in_flight() const;         // calls that are running now

  const Capabilities& capabilities() const override { return wrapped_->capabilities(); }
  Result<RemoteAccount> account(const CallContext& call) override;
  Result<RemoteEntry> root(const CallContext& call) override;
  Result<std::vector<RemoteEntry>> list(const CallContext& call, const RemoteId& folder) override;
  Result<RemoteEntry> stat(const CallContext& call, NodeKind kind, const RemoteId& id) override;
  Result<std::optional<RemoteEntry>> find_child(const CallContext& call, const RemoteId& folder,
                                                const std::string& name) override;
  Result<void> read(const CallContext& call, const ReadRequest& request,
                    const ByteSink& sink) override;
  Result<void> read_many(
      const CallContext& call, const std::vector<RemoteEntry>& files,
      const std::function<void(const RemoteId&, std::string content)>& on_file) override;
  Result<RemoteEntry> create_folder(const CallContext& call, const RemoteId& parent,
                                    const std::string& name) override;
  Result<RemoteEntry> rename(const CallContext& call, NodeKind kind, const RemoteId& id,
                             const std::string& name) override;
  Result<RemoteEntry> move(const CallContext& call, NodeKind kind, const RemoteId& id,
                           const RemoteId& new_parent) override;
  Result<void> remove(const CallContext& call, NodeKind kind, const RemoteId& id) override;
  std::vector<Result<void>> remove_files(const CallContext& call,
                                         const std::vector<RemoteId>& ids) override;
  Result<RemoteEntry> copy_file(const CallContext& call, const RemoteId& id,
                                const RemoteId& new_parent, const std::string& name) override;
  Result<RemoteEntry> put(const CallContext& call, const UploadTarget& target,
                          Bytes content) override;
  Result<RemoteEntry> put_stream(const CallContext& call, const UploadTarget& target,
                                 const ContentSource& content) override;
  Result<UploadSession> upload_begin(const CallContext& call, const UploadTarget& target,
                                     std::uint64_t size) override;
  Result<std::optional<RemoteEntry>> upload_chunk(const CallContext& call, UploadSession& session,
                                                  Bytes chunk) override;
  Result<UploadSession> upload_resume(const CallContext& call,
                                      const UploadSession& session) override;
  Result<void> upload_abort(const CallContext& call, const UploadSession& session) override;
  Result<std::vector<RemoteVersion>> versions(const CallContext& call,
                                              const RemoteId& file) override;
  Result<RemoteEntry> promote(const CallContext& call, const RemoteId& file,
                              const VersionId& version) override;
  Result<RemoteEntry> lock(const CallContext& call, const RemoteId& file) override;
  Result<RemoteEntry> unlock(const CallContext& call, const RemoteId& file,
                             const std::string& comment) override;
  Result<RemoteEntry> discard_lock(const CallContext& call, const RemoteId& file) override;
  RemoteId rebase(const RemoteId& id, const RemoteId& from, const RemoteId& to) const override {
    return wrapped_->rebase(id, from, to);
  }
  Result<std::vector<RemotePermission>> permissions(const CallContext& call, NodeKind kind,
                                                    const RemoteId& id) override;
  Result<void> share(const CallContext& call, NodeKind kind, const RemoteId& id,
                     const std::string& who, AccessLevel level) override;
  Result<void> unshare(const CallContext& call, NodeKind kind, const RemoteId& id,
                       const std::string& who) override;
  Result<std::vector<RemoteEvent>> history(const CallContext& call, NodeKind kind,
                                           const RemoteId& id) override;
  Result<void> set_description(const CallContext& call, NodeKind kind, const RemoteId& id,
                               const std::string& text) override;
  Result<Quota> quota(const CallContext& call) override;
  Result<ChangeSet> changes(const CallContext& call, const std::string& cursor) override;
  Result<void> send_mail(const CallContext& call, const Mail& mail) override;

 private:
  struct Rule {
    std::string operation;
    RemoteFault fault;
    int times = 1;
    int skip = 0;
  };
  class Running;
  enum class Nature { kQuery, kRead, kChange };

  RemoteFault decide(const char* operation, Nature nature, const std::string& what)
      EXCLUDES(mutex_);
  RemoteFault chance_locked(Nature nature) REQUIRES(mutex_);
  // Decides, waits at the gate, and says whether the call may go to the wrapped store.
  Result<RemoteFault> begin(const CallContext& call, const char* operation, Nature nature,
                            const std::string& what) EXCLUDES(mutex_);
  template <class T, class Do>
  Result<T> through(const CallContext& call, const char* operation, Nature nature,
                    const std::string& what, Do&& act);

  RemoteStore* wrapped_;
  mutable Mutex mutex_;
  Hook hook_ GUARDED_BY(mutex_);
  std::vector<Rule> rules_ GUARDED_BY(mutex_);
  bool offline_ GUARDED_BY(mutex_) = false;
  Chances chances_ GUARDED_BY(mutex_);
  std::mt19937_64 random_ GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t> calls_ GUARDED_BY(mutex_);
  std::uint64_t overall_ GUARDED_BY(mutex_) = 0;
  std::uint64_t faults_ GUARDED_BY(mutex_) = 0;
  int running_ GUARDED_BY(mutex_) = 0;
};

}  // namespace cabinetfs
