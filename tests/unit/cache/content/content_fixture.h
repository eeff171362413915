#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/base/mutex.h"
#include "backend/remote_store.h"
#include "cache/content.h"
#include "cache/sealer.h"

namespace cabinetfs {

// A server of contents only, with what these tests have to bend: pieces, delays, bandwidth, damage,
// errors, and a gate in front of each byte.
class ContentServer final : public RemoteStore {
 public:
  struct Request {
    std::string file;
    std::uint64_t offset = 0, length = 0;
    Priority priority = Priority::kForeground;
  };
  // Before byte `at` of the file is delivered: an error ends the request there.
  using Hook = std::function<Result<void>(const CallContext& call, const Request& request,
                                          std::uint64_t at)>;

  void put(const std::string& id, std::string content) EXCLUDES(mutex_);
  void remove(const std::string& id) EXCLUDES(mutex_);
  void set_hook(Hook hook) EXCLUDES(mutex_);
  // Changes what is delivered, not what is stored.
  void set_damage(std::function<void(std::uint64_t at, std::string& piece)> damage)
      EXCLUDES(mutex_);
  // Sends whole contents only, from the first byte to the last one that is wanted.
  void set_whole_only() { whole_only_ = true; }
  // With what stood before the wanted parts.
  std::uint64_t sent() const { return sent_; }
  std::vector<Request> requests() const EXCLUDES(mutex_);
  std::size_t running() const { return running_; }
  std::size_t most_running() const { return most_running_; }

  const Capabilities& capabilities() const override { return capabilities_.get(!seen_whole_); }
  Result<RemoteAccount> account(const CallContext&) override { return RemoteAccount(); }
  Result<RemoteEntry> root(const CallContext&) override { return no(); }
  Result<std::vector<RemoteEntry>> list(const CallContext&, const RemoteId&) override {
    return no();
  }
  Result<RemoteEntry> stat(const CallContext&, NodeKind, const RemoteId&) override { return no(); }
  Result<std::optional<RemoteEntry>> find_child(const CallContext&, const RemoteId&,
                                                const std::string&) override {
    return no();
  }
  Result<void> read(const CallContext& call, const ReadRequest& request,
                    const ByteSink& sink) override EXCLUDES(mutex_);
  Result<RemoteEntry> create_folder(const CallContext&, const RemoteId&,
                                    const std::string&) override {
    return no();
  }
  Result<RemoteEntry> rename(const CallContext&, NodeKind, const RemoteId&,
                             const std::string&) override {
    return no();
  }
  Result<RemoteEntry> move(const CallContext&, NodeKind, const RemoteId&,
                           const RemoteId&) override {
    return no();
  }
  Result<void> remove(const CallContext&, NodeKind, const RemoteId&) override { return no(); }
  Result<RemoteEntry> put(const CallContext&, const UploadTarget&, Bytes) override { return no(); }
  Result<UploadSession> upload_begin(const CallContext&, const UploadTarget&,
                                     std::uint64_t) override {
    return no();
  }
  Result<std::optional<RemoteEntry>> upload_chunk(const CallContext&, UploadSession&,
                                                  Bytes) override {
    return no();
  }
  Result<UploadSession> upload_resume(const CallContext&, const UploadSession&) override {
    return no();
  }
  Result<void> upload_abort(const CallContext&, const UploadSession&) override { return no(); }

 private:
  static tl::unexpected<Error> no() { return fail(ErrorCode::kNotSupported, "not in this test"); }
  const RangedCapabilities capabilities_{Capabilities()};
  std::atomic<bool> whole_only_{false}, seen_whole_{false};
  std::atomic<std::uint64_t> sent_{0};
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<const std::string>> contents_ GUARDED_BY(mutex_);
  std::vector<Request> requests_ GUARDED_BY(mutex_);
  Hook hook_ GUARDED_BY(mutex_);
  std::function<void(std::uint64_t, std::string&)> damage_ GUARDED_BY(mutex_);
  std::atomic<std::size_t> running_{0}, most_running_{0};
};

// Bytes that differ everywhere, by seed.
std::string pattern(std::size_t size, unsigned seed = 1);
std::string md5_hex(std::string_view bytes);
CallContext soon();        // a few seconds
CallContext local_only();  // may_block = false
// The whole, or the error's name and context.
std::string read_text(ReadableContent& content, const CallContext& call = soon());
std::string read_text(ReadableContent& content, std::uint64_t offset, std::size_t length,
                      const CallContext& call = soon());
// Says where two long texts differ.
testing::AssertionResult same(const std::string& got, const std::string& expected);
// Polls; false after some seconds.
bool eventually(const std::function<bool()>& condition);

// A directory of its own, a sealer, a server, and a store that can be opened again.
class ContentTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  ContentOptions options() const;
  void open(std::optional<ContentOptions> with = std::nullopt);
  // Writes the store's state out and opens it again, as a new mount would.
  void reopen(std::optional<ContentOptions> with = std::nullopt);
  ContentKey key(const std::string& id, const std::string& content, bool hashed = false) const;
  // Puts the content on the server and opens it.
  std::shared_ptr<CachedContent> serve(const std::string& id, const std::string& content,
                                       bool hashed = false);
  std::shared_ptr<CachedContent> cached(const ContentKey& key);
  std::shared_ptr<StagedContent> staged(const std::optional<ContentKey>& base = std::nullopt);
  // prepare() and committed(), as the tree does.
  static std::string commit(StagedContent& content);
  std::uint64_t requests() const { return server_.requests().size(); }
  std::uint64_t disk_bytes(const std::string& dir) const;

  std::string dir_;
  std::unique_ptr<Sealer> sealer_;
  ContentServer server_;
  std::unique_ptr<ContentStore> store_;
};

}  // namespace cabinetfs
