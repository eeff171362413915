#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace cabinetfs::sandbox {

struct Hashes {
  std::string md5;
  std::string sha3_256;
};

// Immutable content of one file version, in memory or in a file. Any thread may read it. A file
// that the blob owns is removed with it; one out of the served directory is left alone.
class Blob {
 public:
  // Blobs up to this size are hashed on the spot; larger ones only where the caller may wait.
  static constexpr std::int64_t kQuickHashLimit = 1 << 20;

  explicit Blob(std::string bytes);
  Blob(std::filesystem::path file, std::int64_t size, bool owned);
  ~Blob();
  Blob(const Blob&) = delete;
  Blob& operator=(const Blob&) = delete;

  std::int64_t size() const { return size_; }
  bool in_memory() const { return file_.empty(); }
  const std::string& bytes() const { return bytes_; }
  const std::filesystem::path& file() const { return file_; }
  bool owned() const { return owned_; }
  // The file outlives the blob from here on (a state directory is being left for the next start).
  void keep_file() { owned_ = false; }

  // Reads everything; throws std::runtime_error if the file has gone or is shorter than it was.
  std::string read_all() const;

  // Without waiting: nothing if the content is large and has not been hashed yet.
  std::optional<Hashes> hashes_if_ready() const;
  Hashes hashes() const;
  // CRC-32 for zip; computed at every call.
  std::uint32_t crc32() const;

 private:
  Hashes compute() const;

  const std::string bytes_;
  const std::filesystem::path file_;
  const std::int64_t size_;
  bool owned_ = false;
  mutable std::mutex mutex_;  // guards hashes_
  mutable std::optional<Hashes> hashes_;
};

// Sequential reader over part of a blob. One thread at a time.
class BlobReader {
 public:
  explicit BlobReader(std::shared_ptr<const Blob> blob);
  ~BlobReader();
  BlobReader(const BlobReader&) = delete;
  BlobReader& operator=(const BlobReader&) = delete;

  // Bytes read, 0 at the end; throws std::runtime_error if the file cannot be read.
  std::size_t read(std::int64_t offset, char* buffer, std::size_t count) const;
  // -1 for a blob in memory.
  int fd() const { return fd_; }

 private:
  std::shared_ptr<const Blob> blob_;
  int fd_ = -1;
};

// Collects bytes that arrive, in memory up to a limit and in a file of `dir` beyond it. One thread
// at a time.
class Spool {
 public:
  Spool(std::filesystem::path dir, std::size_t memory_limit);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  void append(std::string_view bytes);
  void append(Spool& other);  // reads `other` from its start
  std::int64_t size() const { return size_; }
  // The text of a short value; throws std::length_error if it went to a file.
  const std::string& text() const;
  // Leaves the spool empty.
  std::shared_ptr<Blob> finish();
  void truncate(std::int64_t size);

 private:
  void spill();

  const std::filesystem::path dir_;
  const std::size_t memory_limit_;
  std::string bytes_;
  std::filesystem::path file_;
  int fd_ = -1;
  std::int64_t size_ = 0;
};

}  // namespace cabinetfs::sandbox
