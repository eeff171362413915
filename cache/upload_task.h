#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/reconciler.h"

namespace cabinetfs {

// Fills `out`, or fails.
Result<void> read_exactly(ReadableContent& content, const CallContext& call, std::uint64_t offset,
                          MutableBytes out);

// Of the bytes that the server has now; fetches them.
Result<std::string> remote_md5(VolumeCore& core, const CallContext& call, const RemoteEntry& entry);

// Sends one committed state of one file, as a new file or as a new version, and takes the answer
// into the tree. Used once, by the pool thread that has the node in flight.
class UploadTask {
 public:
  UploadTask(VolumeCore& core, Reconciler& reconciler, InodeNumber ino);
  Result<void> run();
  // Sends nothing: the committed state gets bytes of its own, so that the version that it stands on
  // may go.
  Result<void> detach();

 private:
  Result<void> run_one();
  Result<void> detach_one();
  // Once more on an older version, when `step` finds that what the content stands on is not the
  // server's current version any more.
  Result<void> on_base(Result<void> (UploadTask::*step)());
  // The committed state, unchanged whatever is written meanwhile. No snapshot: nothing to send now.
  Result<void> take_snapshot();
  // After a lost answer or a restart: has the server got what was being sent? Fills `session_` when
  // it can be gone on with.
  Result<std::optional<RemoteEntry>> look();
  Result<bool> is_ours(const RemoteEntry& entry);
  Result<bool> is_our_fragment(const RemoteEntry& entry);
  Result<std::optional<RemoteEntry>> copy_at_server(const UploadTarget& target);
  Result<void> send_new();
  Result<void> send_version();
  Result<RemoteEntry> send(const UploadTarget& target, const Validator& before,
                           std::uint32_t versions_before);
  Result<RemoteEntry> send_small(const UploadTarget& target, Intent intent);
  Result<void> check_readable(CallContext local);
  Result<RemoteEntry> send_stream(const UploadTarget& target, Intent intent);
  Result<RemoteEntry> send_session(const UploadTarget& target, Intent intent);
  Result<void> store_intent(const Intent& intent);
  Result<std::string> content_md5(bool may_block = true);
  // kStale: the base is not what the server has now, and a part of it is not here.
  Result<void> check_base(const std::optional<RemoteEntry>& told);
  Result<void> check_stored(const RemoteEntry& entry);
  Result<void> settle(const RemoteEntry& entry, std::uint64_t generation);
  void keep_sent(ReadableContent& snapshot, const ContentKey& key) EXCLUDES(file_->mutex);
  // A server that changes what it is sent is not sent to for ever. The object is ours all the same.
  Result<void> stored_otherwise(const RemoteEntry& entry);
  Result<bool> give_way_to(const RemoteEntry& there);
  // What is here was sent, and somebody has put another version on top of it since.
  Result<void> follow_newer_version();
  Result<void> make_room_for_theirs(const RemoteEntry& theirs);
  CallContext call() const;

  VolumeCore& core_;
  Reconciler& reconciler_;
  const InodeNumber ino_;
  std::shared_ptr<FileState> file_;
  NodeRecord node_;
  std::shared_ptr<ReadableContent> snapshot_;
  std::uint64_t generation_ = 0;
  std::uint64_t size_ = 0;
  bool is_whole_base_ = false;
  bool shows_base_ = true;
  std::optional<UploadSession> session_;
  std::string md5_;  // of the snapshot, once known
  std::string conflict_;
  Notices notices_;
};

}  // namespace cabinetfs
