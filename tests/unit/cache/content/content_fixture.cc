#include "tests/unit/cache/content/content_fixture.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <thread>
#include <utility>

namespace cabinetfs {

void ContentServer::put(const std::string& id, std::string content) {
  MutexLock lock(mutex_);
  contents_[id] = std::make_shared<const std::string>(std::move(content));
}

void ContentServer::remove(const std::string& id) {
  MutexLock lock(mutex_);
  contents_.erase(id);
}

void ContentServer::set_hook(Hook hook) {
  MutexLock lock(mutex_);
  hook_ = std::move(hook);
}

void ContentServer::set_damage(std::function<void(std::uint64_t, std::string&)> damage) {
  MutexLock lock(mutex_);
  damage_ = std::move(damage);
}

std::vector<ContentServer::Request> ContentServer::requests() const {
  MutexLock lock(mutex_);
  return requests_;
}

Result<void> ContentServer::read(const CallContext& call, const ReadRequest& request,
                                 const ByteSink& sink) {
  struct Running {
    explicit Running(std::atomic<std::size_t>& c) : count(c) {}
    ~Running() { --count; }
    std::atomic<std::size_t>& count;
  };
  const std::size_t now = ++running_;
  const Running running(running_);
  for (std::size_t most = most_running_; most < now;)
    if (most_running_.compare_exchange_weak(most, now)) break;
  std::shared_ptr<const std::string> content;
  Hook hook;
  std::function<void(std::uint64_t, std::string&)> damage;
  const Request seen{request.file.value, request.offset, request.length, call.priority};
  {
    MutexLock lock(mutex_);
    requests_.push_back(seen);
    hook = hook_;
    damage = damage_;
    if (const auto found = contents_.find(request.file.value); found != contents_.end())
      content = found->second;
  }
  if (!content) return fail(ErrorCode::kNotFound, "read: no such file");
  EXPECT_LE(request.offset + request.length, content->size());
  EXPECT_EQ(request.size, content->size());
  if (whole_only_) {
    if (request.length != request.size) seen_whole_ = true;
    if (request.part_only && request.offset > 0)
      return fail(ErrorCode::kNotSupported, "read: whole contents only");
    sent_ += request.offset;
  }
  for (std::uint64_t done = 0; done < request.length;) {
    const std::uint64_t at = request.offset + done;
    if (call.cancel.cancelled()) return fail(ErrorCode::kCancelled, "read: cancelled");
    if (hook) TRY(hook(call, seen, at));
    // Never in blocks.
    std::string piece = content->substr(at, std::min<std::uint64_t>(16000, request.length - done));
    sent_ += piece.size();
    if (damage) damage(at, piece);
    if (!sink(as_bytes(piece))) return fail(ErrorCode::kCancelled, "read: not wanted");
    done += piece.size();
  }
  return {};
}

std::string pattern(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t word = random();
    std::copy_n(reinterpret_cast<const char*>(&word), std::min<std::size_t>(8, size - i),
                text.data() + i);
  }
  return text;
}

std::string md5_hex(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_md5(), nullptr);
  return to_hex(std::as_bytes(std::span(digest, length)));
}

CallContext soon() { return CallContext::within(std::chrono::seconds(20)); }

CallContext local_only() {
  CallContext call = soon();
  call.may_block = false;
  return call;
}

std::string read_text(ReadableContent& content, const CallContext& call) {
  return read_text(content, 0, static_cast<std::size_t>(content.size()), call);
}

std::string read_text(ReadableContent& content, std::uint64_t offset, std::size_t length,
                      const CallContext& call) {
  std::string text(length, '?');
  const auto got =
      content.read(call, offset, std::as_writable_bytes(std::span(text.data(), text.size())));
  if (!got) return to_string(got.error());
  text.resize(*got);
  return text;
}

testing::AssertionResult same(const std::string& got, const std::string& expected) {
  if (got == expected) return testing::AssertionSuccess();
  const auto differ = std::mismatch(got.begin(), got.end(), expected.begin(), expected.end());
  return testing::AssertionFailure()
         << got.size() << " bytes instead of " << expected.size() << ", different from byte "
         << differ.first - got.begin() << " on: " << testing::PrintToString(got.substr(0, 100));
}

bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

void ContentTest::SetUp() {
  std::string name = (std::filesystem::temp_directory_path() / "cabinet-content-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  dir_ = name;
  Sealer::Key secret{};
  secret[0] = std::byte{7};
  sealer_ = Sealer::aes_gcm(secret);
  open();
}

void ContentTest::TearDown() {
  store_.reset();
  std::filesystem::remove_all(dir_);
}

ContentOptions ContentTest::options() const {
  ContentOptions result;
  result.cache_dir = dir_ + "/cache";
  result.staged_dir = dir_ + "/staged";
  // The machine that runs the tests may have a fuller disk than the default allows.
  result.min_free_fraction = 0;
  return result;
}

void ContentTest::open(std::optional<ContentOptions> with) {
  store_.reset();
  auto opened = ContentStore::open(with.value_or(options()), *sealer_, server_);
  ASSERT_TRUE(opened) << to_string(opened.error());
  store_ = *std::move(opened);
}

void ContentTest::reopen(std::optional<ContentOptions> with) { open(std::move(with)); }

ContentKey ContentTest::key(const std::string& id, const std::string& content, bool hashed) const {
  ContentKey result;
  result.file = RemoteId{id};
  result.version = VersionId{"1"};
  result.validator = Validator{"v-" + id};
  result.size = content.size();
  if (hashed) result.hashes.md5 = md5_hex(content);
  return result;
}

std::shared_ptr<CachedContent> ContentTest::serve(const std::string& id, const std::string& content,
                                                  bool hashed) {
  server_.put(id, content);
  return cached(key(id, content, hashed));
}

std::shared_ptr<CachedContent> ContentTest::cached(const ContentKey& key) {
  auto opened = store_->open_cached(key);
  EXPECT_TRUE(opened) << to_string(opened.error());
  return opened ? *opened : nullptr;
}

std::shared_ptr<StagedContent> ContentTest::staged(const std::optional<ContentKey>& base) {
  auto made = store_->create_staged(base);
  EXPECT_TRUE(made) << to_string(made.error());
  return made ? *made : nullptr;
}

std::string ContentTest::commit(StagedContent& content) {
  auto record = content.prepare();
  EXPECT_TRUE(record) << to_string(record.error());
  if (!record) return "";
  content.committed(*record);
  return *record;
}

std::uint64_t ContentTest::disk_bytes(const std::string& dir) const {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir_ + "/" + dir)) {
    if (entry.path().extension() != ".blocks") continue;
    std::error_code gone;  // removed since it was listed: it takes no room
    const auto size = entry.file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

}  // namespace cabinetfs
