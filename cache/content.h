#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/base/call.h"
#include "backend/base/result.h"
#include "backend/base/text.h"
#include "cache/node_record.h"

namespace cabinetfs {

class RemoteStore;
class Sealer;

// Contents are kept in blocks of 64 KiB. Every content has one slot file: sealed blocks in the
// order in which they came, and a map from block to slot. A slot that a stored map points to is
// never written again, so a torn write cannot damage what was committed.
constexpr std::uint64_t kBlockBytes = 64u << 10;

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

// Anything that can be read by offset. Thread safe.
class ReadableContent {
 public:
  virtual ~ReadableContent() = default;
  virtual std::uint64_t size() const = 0;
  // Up to out.size() bytes; fewer only at the end. With call.may_block false and a range that is
  // not on this disk: kWouldBlock. kStale: the version is gone from the server; kCorrupt: what came
  // is not the version.
  virtual Result<std::size_t> read(const CallContext& call, std::uint64_t offset,
                                   MutableBytes out) = 0;
};

// One version of a file as the server has it, fetched block by block as it is read. Shared by all
// handles on that version; while somebody holds it, it is not evicted.
class CachedContent : public ReadableContent {
 public:
  virtual const ContentKey& key() const = 0;
  virtual std::uint64_t cached_bytes() const = 0;
  bool complete() const { return cached_bytes() >= size(); }
  // Starts fetching without waiting (background priority), as far as the budgets allow. Returns how
  // many bytes from `offset` on are here or on their way; the rest may be asked for again later.
  virtual std::uint64_t prefetch(std::uint64_t offset, std::uint64_t length) = 0;
  // Fetches all of it, waiting.
  virtual Result<void> fetch_all(const CallContext& call) = 0;
  // Puts a whole content that came by other means (bulk download). Ignored unless its size fits.
  virtual void fill(const std::string& content) = 0;
  // The file on the server was found to be still (or not any more) the version of key(): blocks
  // that came since the last time this was known are kept (or dropped, and readers get kStale).
  // `mark`: validation_mark() as it was before the server was asked; what came after that stays
  // unconfirmed. Without it, everything that came before this call is confirmed.
  virtual void validated(bool still_current, std::uint64_t mark = UINT64_MAX) = 0;
  virtual std::uint64_t validation_mark() const = 0;
  // True while blocks came since validated(true) was last called.
  virtual bool needs_validation() const = 0;
};

// A file that local programs are changing: the changed ranges on this disk, over a base version
// that stays at the server (and in the cache). Writes never touch the network, not even into the
// middle of a block that is not here: byte ranges inside blocks are tracked.
class StagedContent : public ReadableContent {
 public:
  virtual Result<void> write(std::uint64_t offset, Bytes bytes) = 0;
  virtual Result<void> truncate(std::uint64_t size) = 0;
  // Zeroes the range; does not grow the file.
  virtual Result<void> punch(std::uint64_t offset, std::uint64_t length) = 0;
  // Fails with kNoSpace when the disk could not take this much more.
  virtual Result<void> reserve(std::uint64_t bytes) = 0;

  // Two steps to make the writes so far survive kill -9: prepare() writes out what is in memory and
  // returns the record; the caller stores it (in the node's row, with the size) and then calls
  // committed(). load_staged() gives back exactly that state.
  virtual Result<std::string> prepare() = 0;
  virtual void committed(const std::string& record) = 0;
  // After a committed record: everything that it refers to is on stable storage. Returns a number
  // for row_synced(), which says that the caller's database has been synced since.
  virtual Result<std::uint64_t> sync() = 0;
  virtual void row_synced(std::uint64_t state) = 0;
  // So much is kept for states that a power loss may bring back that syncing is worth it.
  virtual bool wants_sync() const = 0;

  // The state of the last committed record; stays readable and unchanged while it is held, whatever
  // is written meanwhile.
  virtual Result<std::shared_ptr<ReadableContent>> snapshot() = 0;

  virtual std::uint64_t staged_bytes() const = 0;  // on this disk
  // All of it is the base version, unchanged: nothing was written, cut off or blanked out.
  virtual bool is_base() const = 0;
  // The last committed state shows bytes of the base version.
  virtual bool shows_base() const = 0;
  // The base version's bytes under the uncovered ranges are from now on read as `base` (the
  // server's newer version holds the same bytes there, because it was made from an earlier state of
  // this content).
  virtual void rebase(const ContentKey& base) = 0;

  // Start of the next data, or hole (the end of the file counts as one), at or after `offset`;
  // kRange beyond the end.
  virtual Result<std::uint64_t> seek_data(std::uint64_t offset) = 0;
  virtual Result<std::uint64_t> seek_hole(std::uint64_t offset) = 0;
};

struct ContentOptions {
  std::string cache_dir;   // may be deleted while not mounted; nothing is lost
  std::string staged_dir;  // unsent data; never evicted
  std::uint64_t cache_max_bytes = 10ull << 30;
  double min_free_fraction = 0.05;            // of the disk that holds cache_dir
  std::uint64_t memory_bytes = 128ull << 20;  // blocks in memory, fetches in flight, prefetch
  unsigned parallel_ranges = 16;
  std::uint64_t range_bytes = 4ull << 20;  // of one request, when much is wanted
  std::uint64_t max_window = 64ull << 20;  // read-ahead of one handle
  std::chrono::seconds fetch_timeout{60};  // of one range request
};

struct ContentStats {
  std::uint64_t cache_bytes = 0, staged_bytes = 0, cached_files = 0;
  std::uint64_t hits = 0, misses = 0;  // blocks
  std::uint64_t fetched_bytes = 0, prefetched_bytes = 0, prefetched_unused_bytes = 0;
  std::uint64_t evicted_bytes = 0, corrupt_blocks = 0;
  std::uint64_t memory_bytes = 0;
};

struct ContentRename {
  ContentKey from, to;
};

// All contents of one mount. Thread safe.
class ContentStore {
 public:
  static Result<std::unique_ptr<ContentStore>> open(ContentOptions options, const Sealer& sealer,
                                                    RemoteStore& remote);
  virtual ~ContentStore() = default;

  // Finds or makes the cache entry. Never goes to the network.
  virtual Result<std::shared_ptr<CachedContent>> open_cached(const ContentKey& key) = 0;
  // Bytes of it on this disk; 0 when not known. Does not create an entry.
  virtual std::uint64_t cached_bytes(const ContentKey& key) = 0;
  virtual void drop_cached(const ContentKey& key) = 0;
  // The same contents under other keys, because the objects' ids or validators have changed: what
  // is on this disk of them follows, with its pin. Best effort: what is being read, or is known
  // under the new key already, stays where it is, and is fetched again when it is wanted.
  virtual void rename_cached(const std::vector<ContentRename>& renames) = 0;
  // What is pinned is not evicted: these contents, and no others.
  virtual void set_pins(const std::vector<ContentKey>& keys) = 0;
  // An unsent change stands on this content, or does no more; counted. What is held is not evicted:
  // the server may not have it any longer. Not stored: told anew after each start. A leaf in the
  // order of locks.
  virtual void hold(const ContentKey& key, bool held) = 0;

  // A new staged content over `base` (nullopt: empty file).
  virtual Result<std::shared_ptr<StagedContent>> create_staged(
      const std::optional<ContentKey>& base) = 0;
  // From a committed record, after a restart.
  virtual Result<std::shared_ptr<StagedContent>> load_staged(
      const std::string& record, const std::optional<ContentKey>& base) = 0;
  // The server now has what `content`'s last committed record says, as version `key`: its blocks
  // become that version's cache. The staged object stays readable for handles that still hold it;
  // changing it fails with kStale. Never fails: at worst nothing is cached. Does nothing when
  // `content` has changes behind its last committed record; those stay writable (see rebase()).
  virtual void adopt(const std::shared_ptr<StagedContent>& content, const ContentKey& key) = 0;
  // Removes the staged data for good once the last holder lets go.
  virtual void discard_staged(const std::shared_ptr<StagedContent>& content) = 0;
  // `sync` makes all rows durable that were committed before it (MetaStore::sync). Until it has,
  // staged files that rows have named stay on the disk. Without one they go at once.
  virtual void set_row_sync(std::function<Result<void>()> sync) = 0;
  // Deletes staged files that none of these records refers to (left over by kill -9), and slot
  // files that the cache does not know. Called once, before the mount is ready.
  virtual void collect_staged(const std::vector<std::string>& live_records) = 0;

  virtual ContentStats stats() const = 0;
  // The disk is full: removes cached contents. False when nothing could go.
  virtual bool make_room(std::uint64_t bytes) = 0;
  virtual void clear_cache() = 0;      // all that is not held or pinned
  virtual void collect_garbage() = 0;  // down to the limits
  struct VerifyReport {
    std::uint64_t files = 0, blocks = 0, bad_blocks = 0;
  };
  // Reads every block; drops what does not open. Cancelled, it tells of what it has come to.
  virtual VerifyReport verify(const CancelToken& cancel) = 0;
  VerifyReport verify() { return verify(CancelToken{}); }
  // No new network requests; waits end with kCancelled.
  virtual void shutdown() = 0;
};

// Read-ahead of one open handle: sees each read, asks the content to prefetch. Not thread safe by
// itself (the handle's lock guards it).
class ReadAhead {
 public:
  explicit ReadAhead(std::uint64_t max_window) : max_window_(max_window) {}
  // Called before the read is served.
  void on_read(CachedContent& content, std::uint64_t offset, std::uint64_t length);

 private:
  const std::uint64_t max_window_;
  std::uint64_t next_offset_ = 0;
  std::uint64_t window_ = 0;
  std::uint64_t prefetched_to_ = 0;
};

}  // namespace cabinetfs
