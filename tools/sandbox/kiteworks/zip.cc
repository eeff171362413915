#include "tools/sandbox/kiteworks/zip.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <stdexcept>

#include "tools/sandbox/http/blob.h"
#include "tools/sandbox/http/message.h"

namespace cabinetfs::sandbox::kiteworks {
namespace {

// Fields of the format are little endian.
void put(std::string& out, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFFU);
}

std::uint32_t dos_time(std::int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm t{};
  gmtime_r(&seconds, &t);
  const int year = std::max(t.tm_year - 80, 0);
  return static_cast<std::uint32_t>(year << 25 | (t.tm_mon + 1) << 21 | t.tm_mday << 16 |
                                    t.tm_hour << 11 | t.tm_min << 5 | t.tm_sec / 2);
}

class ZipBody : public BodySource {
 public:
  explicit ZipBody(std::vector<ZipEntry> entries) : entries_(std::move(entries)) {}
  std::int64_t size() const override { return -1; }

  std::size_t read(std::int64_t, char* buffer, std::size_t count) override {
    while (true) {
      if (at_ < pending_.size()) {
        const std::size_t n = std::min(count, pending_.size() - at_);
        std::memcpy(buffer, pending_.data() + at_, n);
        at_ += n;
        return n;
      }
      if (reader_) {
        const std::size_t n = reader_->read(blob_offset_, buffer, count);
        blob_offset_ += static_cast<std::int64_t>(n);
        if (n > 0) return n;
        reader_.reset();
      }
      if (!next_piece()) return 0;
    }
  }

 private:
  // The next header, or the directory at the end; false when all is sent.
  bool next_piece() {
    pending_.clear();
    at_ = 0;
    if (next_ < entries_.size()) {
      start_entry(entries_[next_++]);
      return true;
    }
    if (finished_) return false;
    finished_ = true;
    pending_ = directory_;
    pending_ += "PK\5\6";
    put(pending_, 0, 4);
    put(pending_, static_cast<std::uint32_t>(entries_.size()), 2);
    put(pending_, static_cast<std::uint32_t>(entries_.size()), 2);
    put(pending_, static_cast<std::uint32_t>(directory_.size()), 4);
    put(pending_, static_cast<std::uint32_t>(offset_), 4);
    put(pending_, 0, 2);
    return true;
  }

  void start_entry(const ZipEntry& entry) {
    const std::int64_t size = entry.blob ? entry.blob->size() : 0;
    std::string fields;  // the part that local header and directory share
    put(fields, 20, 2);
    put(fields, 0x0800, 2);  // the name is UTF-8
    put(fields, 0, 2);       // stored
    put(fields, dos_time(entry.modified_ms), 4);
    // Known before the content, so that a reader can follow the archive as a stream.
    put(fields, entry.blob ? entry.blob->crc32() : 0, 4);
    put(fields, static_cast<std::uint32_t>(size), 4);
    put(fields, static_cast<std::uint32_t>(size), 4);
    put(fields, static_cast<std::uint32_t>(entry.name.size()), 2);
    put(fields, 0, 2);
    pending_ = "PK\3\4" + fields + entry.name;
    directory_ += "PK\1\2";
    put(directory_, 0x0314, 2);  // made on Unix
    directory_ += fields;
    put(directory_, 0, 2);
    put(directory_, 0, 2);
    put(directory_, 0, 2);
    put(directory_, entry.blob ? 0100644U << 16U : (040755U << 16U | 0x10U), 4);
    put(directory_, static_cast<std::uint32_t>(offset_), 4);
    directory_ += entry.name;
    offset_ += static_cast<std::int64_t>(pending_.size()) + size;
    if (size > UINT32_MAX || offset_ > UINT32_MAX || entries_.size() > UINT16_MAX) {
      throw std::runtime_error("the archive is too large");
    }
    if (entry.blob) {
      reader_.emplace(entry.blob);
      blob_offset_ = 0;
    }
  }

  const std::vector<ZipEntry> entries_;
  std::size_t next_ = 0, at_ = 0;
  std::string pending_, directory_;
  std::int64_t offset_ = 0, blob_offset_ = 0;
  std::optional<BlobReader> reader_;
  bool finished_ = false;
};

}  // namespace

std::shared_ptr<BodySource> make_zip(std::vector<ZipEntry> entries) {
  return std::make_shared<ZipBody>(std::move(entries));
}

}  // namespace cabinetfs::sandbox::kiteworks
