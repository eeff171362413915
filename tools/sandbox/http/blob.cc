#include "tools/sandbox/http/blob.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace cabinetfs::sandbox {
namespace {

[[noreturn]] void fail(const char* what, const std::filesystem::path& file) {
  throw std::runtime_error(fmt::format("{} {}: {}", what, file.string(), std::strerror(errno)));
}

void write_all(int fd, std::string_view bytes, std::int64_t offset,
               const std::filesystem::path& file) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), offset);
    if (n < 0) {
      if (errno == EINTR) continue;
      fail("write", file);
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
    offset += n;
  }
}

// Calls `take` with consecutive pieces of the content.
void each_piece(const Blob& blob, const std::function<void(std::string_view)>& take) {
  if (blob.in_memory()) {
    take(blob.bytes());
    return;
  }
  const int fd = ::open(blob.file().c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail("open", blob.file());
  std::int64_t left = blob.size();
  std::vector<char> buffer(static_cast<std::size_t>(std::clamp<std::int64_t>(left, 1, 1 << 18)));
  while (left > 0) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    const auto used = std::min<std::int64_t>(n, left);
    take({buffer.data(), static_cast<std::size_t>(used)});
    left -= used;
  }
  ::close(fd);
  if (left > 0) {
    throw std::runtime_error(fmt::format("{} changed while it was served", blob.file().string()));
  }
}

std::string hex(const unsigned char* bytes, unsigned int count) {
  std::string out;
  for (unsigned int i = 0; i < count; ++i) out += fmt::format("{:02x}", bytes[i]);
  return out;
}

std::string digest_end(EVP_MD_CTX* context) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned int length = 0;
  EVP_DigestFinal_ex(context, out.data(), &length);
  return hex(out.data(), length);
}

}  // namespace

Blob::Blob(std::string bytes)
    : bytes_(std::move(bytes)), size_(static_cast<std::int64_t>(bytes_.size())) {}

Blob::Blob(std::filesystem::path file, std::int64_t size, bool owned)
    : file_(std::move(file)), size_(size), owned_(owned) {}

Blob::~Blob() {
  if (owned_ && !file_.empty()) {
    std::error_code ignored;  // a temporary directory that went first is as good
    std::filesystem::remove(file_, ignored);
  }
}

std::string Blob::read_all() const {
  std::string out;
  out.reserve(static_cast<std::size_t>(size_));
  each_piece(*this, [&out](std::string_view piece) { out.append(piece); });
  return out;
}

std::optional<Hashes> Blob::hashes_if_ready() const {
  if (size_ <= kQuickHashLimit) return hashes();
  const std::lock_guard lock(mutex_);
  return hashes_;
}

Hashes Blob::hashes() const {
  {
    const std::lock_guard lock(mutex_);
    if (hashes_) return *hashes_;
  }
  Hashes computed = compute();
  const std::lock_guard lock(mutex_);
  hashes_ = computed;
  return computed;
}

Hashes Blob::compute() const {
  using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;
  const Context md5(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  const Context sha3(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (EVP_DigestInit_ex(md5.get(), EVP_md5(), nullptr) != 1 ||
      EVP_DigestInit_ex(sha3.get(), EVP_sha3_256(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL has no MD5 or SHA3-256");
  }
  each_piece(*this, [&](std::string_view piece) {
    EVP_DigestUpdate(md5.get(), piece.data(), piece.size());
    EVP_DigestUpdate(sha3.get(), piece.data(), piece.size());
  });
  Hashes out;
  out.md5 = digest_end(md5.get());
  out.sha3_256 = digest_end(sha3.get());
  return out;
}

std::uint32_t Blob::crc32() const {
  uLong crc = ::crc32(0L, Z_NULL, 0);
  each_piece(*this, [&crc](std::string_view piece) {
    crc =
        ::crc32(crc, reinterpret_cast<const Bytef*>(piece.data()), static_cast<uInt>(piece.size()));
  });
  return static_cast<std::uint32_t>(crc);
}

BlobReader::BlobReader(std::shared_ptr<const Blob> blob) : blob_(std::move(blob)) {
  if (blob_->in_memory()) return;
  fd_ = ::open(blob_->file().c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0) fail("open", blob_->file());
}

BlobReader::~BlobReader() {
  if (fd_ >= 0) ::close(fd_);
}

std::size_t BlobReader::read(std::int64_t offset, char* buffer, std::size_t count) const {
  if (offset >= blob_->size()) return 0;
  count = std::min(count, static_cast<std::size_t>(blob_->size() - offset));
  if (fd_ < 0) {
    std::memcpy(buffer, blob_->bytes().data() + offset, count);
    return count;
  }
  ssize_t n = 0;
  do {
    n = ::pread(fd_, buffer, count, offset);
  } while (n < 0 && errno == EINTR);
  if (n < 0) fail("read", blob_->file());
  if (n == 0 && count > 0) {
    throw std::runtime_error(fmt::format("{} changed while it was served", blob_->file().string()));
  }
  return static_cast<std::size_t>(n);
}

Spool::Spool(std::filesystem::path dir, std::size_t memory_limit)
    : dir_(std::move(dir)), memory_limit_(memory_limit) {}

Spool::~Spool() {
  if (fd_ >= 0) ::close(fd_);
  if (!file_.empty()) {
    std::error_code ignored;
    std::filesystem::remove(file_, ignored);
  }
}

void Spool::spill() {
  std::string name = (dir_ / "spool-XXXXXX").string();
  fd_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd_ < 0) fail("create", name);
  file_ = name;
  write_all(fd_, bytes_, 0, file_);
  bytes_.clear();
  bytes_.shrink_to_fit();
}

void Spool::append(std::string_view bytes) {
  if (fd_ < 0 && bytes_.size() + bytes.size() > memory_limit_) spill();
  if (fd_ < 0) {
    bytes_.append(bytes);
  } else {
    write_all(fd_, bytes, size_, file_);
  }
  size_ += static_cast<std::int64_t>(bytes.size());
}

void Spool::append(Spool& other) {
  if (other.fd_ < 0) {
    append(std::string_view(other.bytes_));
    return;
  }
  std::vector<char> buffer(1 << 20);
  for (std::int64_t at = 0; at < other.size_;) {
    const ssize_t n = ::pread(other.fd_, buffer.data(), buffer.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("read", other.file_);
    append({buffer.data(), static_cast<std::size_t>(n)});
    at += n;
  }
}

const std::string& Spool::text() const {
  if (fd_ >= 0) throw std::length_error("form value too long");
  return bytes_;
}

std::shared_ptr<Blob> Spool::finish() {
  std::shared_ptr<Blob> blob;
  if (fd_ < 0) {
    blob = std::make_shared<Blob>(std::move(bytes_));
  } else {
    ::close(fd_);
    fd_ = -1;
    blob = std::make_shared<Blob>(std::exchange(file_, {}), size_, true);
  }
  bytes_.clear();
  size_ = 0;
  return blob;
}

void Spool::truncate(std::int64_t size) {
  if (size > size_) throw std::logic_error("a spool is not truncated to more than it has");
  if (fd_ < 0) {
    bytes_.resize(static_cast<std::size_t>(size));
  } else if (::ftruncate(fd_, size) != 0) {
    fail("truncate", file_);
  }
  size_ = size;
}

}  // namespace cabinetfs::sandbox
