#pragma once

// What is inside a FakeRemoteStore; for its own source files only.

#include <deque>
#include <memory>
#include <unordered_map>

#include "tests/support/fake_remote_store.h"

namespace cabinetfs {

struct FakeRemoteStore::Version {
  VersionId id;
  std::shared_ptr<const std::string> content;
  WallTime modified{};
  WallTime created{};
  std::string author;
  Validator validator;
  ContentHashes hashes;
};

struct FakeRemoteStore::Node {
  RemoteId id;
  RemoteId parent;
  NodeKind kind = NodeKind::kFile;
  std::string name;
  std::string path_when_deleted;
  WallTime created{};
  WallTime changed{};
  std::string creator;
  std::string modifier;
  std::string description;
  Rights rights = Rights::all();
  ScanState scan = ScanState::kAllowed;
  std::string lock_holder;
  bool lock_to_write = false;
  bool system = false;
  bool deleted = false;
  std::vector<Version> versions;                  // files: oldest first
  std::multimap<std::string, RemoteId> children;  // folders: by folded name, live ones only
  // Folders: so many listings more show what was there before others changed it.
  std::vector<RemoteEntry> old_listing;
  int old_listings = 0;
  std::map<std::string, AccessLevel> members;
  std::vector<RemoteEvent> events;  // oldest first
};

struct FakeRemoteStore::Session {
  UploadTarget target;
  std::uint64_t size = 0;
  std::uint64_t chunks_stored = 0;
  std::string content;
};

struct FakeRemoteStore::State {
  explicit State(std::uint64_t seed) : random(seed) {}

  std::mt19937_64 random;
  std::unordered_map<std::string, std::unique_ptr<Node>> nodes;
  std::map<std::string, Session> sessions;
  std::uint64_t next_id = 1;
  std::uint64_t next_session = 1;
  std::uint64_t next_validator = 1;
  std::optional<std::uint64_t> quota;
  std::uint64_t used = 0;
  std::chrono::nanoseconds latency{0};
  std::vector<RemoteChange> feed;
  bool feed_broken = false;
  std::vector<Mail> mails;

  std::map<std::string, Gate*> gates;
  std::map<std::string, std::uint64_t> calls;
  std::map<std::string, int> in_flight;
  std::map<std::string, int> max_in_flight;
  std::vector<std::string> log;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
};

// Counts a call from its arrival to its end.
class FakeRemoteStore::Running {
 public:
  Running(FakeRemoteStore& store, std::string operation, const std::string& what);
  ~Running();
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  // Waits for the gate and the latency.
  Result<void> arrive(const CallContext& call);

 private:
  FakeRemoteStore& store_;
  const std::string operation_;
  const std::string what_;
};

}  // namespace cabinetfs
