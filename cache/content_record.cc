#include "cache/content_record.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <utility>

namespace cabinetfs {

namespace {

constexpr char kFormat = 1;
// Blocks of zeros need no slot, so the file does not bound them. Twice what StagedFile::punch()
// makes at most; adoption adds a little.
constexpr std::uint64_t kMaxZeroBlocks = 1u << 25;
constexpr std::uint64_t kMaxSize = 1ull << 62;

enum RunKind : std::uint64_t { kSlots = 0, kZeros = 1, kPartial = 2 };

void put(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t get() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) break;
      const auto byte = static_cast<std::uint8_t>(bytes_.front());
      bytes_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    failed_ = true;
    return 0;
  }
  void raw(void* out, std::size_t size) {
    if (bytes_.size() < size) {
      failed_ = true;
      return;
    }
    std::memcpy(out, bytes_.data(), size);
    bytes_.remove_prefix(size);
  }
  bool failed() const { return failed_; }
  bool done() const { return bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

void encode_map(std::string& out, const BlockMap& map) {
  struct Run {
    std::uint64_t first = 0, count = 0;
    BlockEntry entry;
  };
  Run run;
  std::uint64_t position = 0;  // one past the last block encoded
  std::uint64_t expected = 0;  // the slot that a sequential writer would have used
  const auto flush = [&] {
    if (run.count == 0) return;
    put(out, run.first - position);
    position = run.first + run.count;
    const bool zeros = run.entry.slot == kZeroSlot;
    const RunKind kind = run.entry.valid ? kPartial : zeros ? kZeros : kSlots;
    put(out, run.count << 2 | kind);
    if (kind == kPartial) {
      // 0 stands for zeros, so slots count from 1.
      put(out, zeros ? 0 : run.entry.slot + 1ull);
      put(out, run.entry.stored);
      put(out, run.entry.valid->ranges().size());
      std::uint32_t at = 0;
      for (const auto& range : run.entry.valid->ranges()) {
        put(out, range.begin - at);
        put(out, range.end - range.begin);
        at = range.end;
      }
    } else if (kind == kSlots) {
      const auto delta =
          static_cast<std::int64_t>(run.entry.slot) - static_cast<std::int64_t>(expected);
      put(out, (static_cast<std::uint64_t>(delta) << 1) ^ static_cast<std::uint64_t>(delta >> 63));
      expected = run.entry.slot + run.count;
    }
    run.count = 0;
  };
  map.for_each([&](std::uint64_t block, const BlockEntry& entry) {
    const bool joins = run.count > 0 && !run.entry.valid && !entry.valid &&
                       block == run.first + run.count &&
                       (run.entry.slot == kZeroSlot ? entry.slot == kZeroSlot
                                                    : entry.slot == run.entry.slot + run.count);
    if (!joins) {
      flush();
      run = {block, 0, entry};
    }
    ++run.count;
  });
  flush();
}

bool decode_map(Reader& in, std::uint64_t max_slots, std::uint64_t size, BlockMap& map) {
  const std::uint64_t blocks = size / kBlockBytes + (size % kBlockBytes != 0);
  std::uint64_t position = 0, expected = 0, zeros = 0, used = 0;
  std::unordered_set<Slot> seen;
  while (!in.failed() && !in.done()) {
    const std::uint64_t gap = in.get();
    const std::uint64_t head = in.get();
    const std::uint64_t kind = head & 3, count = head >> 2;
    if (in.failed() || count == 0 || gap > blocks - position || count > blocks - position - gap)
      return false;
    position += gap;
    if (kind == kZeros) {
      if ((zeros += count) > kMaxZeroBlocks) return false;
      for (std::uint64_t i = 0; i < count; ++i) map.set(position + i, kZeroSlot);
    } else if (kind == kSlots) {
      const std::uint64_t coded = in.get();
      const std::uint64_t slot = expected + ((coded >> 1) ^ (0 - (coded & 1)));
      if (in.failed() || slot >= max_slots || count > max_slots - slot) return false;
      if ((used += count) > max_slots) return false;
      for (std::uint64_t i = 0; i < count; ++i) {
        if (!seen.insert(static_cast<Slot>(slot + i)).second) return false;
        map.set(position + i, static_cast<Slot>(slot + i));
      }
      expected = slot + count;
    } else if (kind == kPartial) {
      const std::uint64_t slot = in.get(), stored = in.get(), ranges = in.get();
      if (in.failed() || count != 1 || stored == 0 || stored > kBlockBytes || ranges == 0 ||
          ranges > kBlockBytes / 2 || slot > max_slots)
        return false;
      if (slot == 0 ? ++zeros > kMaxZeroBlocks
                    : !seen.insert(static_cast<Slot>(slot - 1)).second || ++used > max_slots)
        return false;
      BlockRanges valid;
      std::uint64_t at = 0;
      for (std::uint64_t i = 0; i < ranges; ++i) {
        const std::uint64_t skip = in.get(), length = in.get();
        if (in.failed() || skip > stored - at || length == 0 || length > stored - at - skip ||
            (i > 0 && skip == 0))
          return false;
        valid.add(static_cast<std::uint32_t>(at + skip),
                  static_cast<std::uint32_t>(at + skip + length));
        at += skip + length;
      }
      map.set_partial(position, slot == 0 ? kZeroSlot : static_cast<Slot>(slot - 1),
                      static_cast<std::uint32_t>(stored), std::move(valid));
    } else {
      return false;
    }
    position += count;
  }
  return !in.failed();
}

tl::unexpected<Error> damaged() {
  return fail(ErrorCode::kCorrupt, "a stored block map is damaged");
}

}  // namespace

std::string encode_content_record(const ContentRecord& record) {
  std::string out(1, kFormat);
  out.append(as_text(Bytes(record.id)));
  put(out, record.sequence);
  put(out, record.size);
  put(out, record.base_limit);
  put(out, record.slots);
  put(out, record.verified ? 1 : 0);
  encode_map(out, record.map);
  return out;
}

Result<ContentRecordHead> decode_content_record_head(std::string_view bytes) {
  if (bytes.empty() || bytes.front() != kFormat) return damaged();
  Reader in(bytes.substr(1));
  ContentRecordHead head;
  in.raw(head.id.data(), head.id.size());
  head.sequence = in.get();
  if (in.failed()) return damaged();
  return head;
}

Result<ContentRecord> decode_content_record(std::string_view bytes, std::uint64_t max_slots) {
  if (bytes.empty() || bytes.front() != kFormat) return damaged();
  max_slots = std::min<std::uint64_t>(max_slots, kMaxSlots);
  Reader in(bytes.substr(1));
  ContentRecord record;
  in.raw(record.id.data(), record.id.size());
  record.sequence = in.get();
  record.size = in.get();
  record.base_limit = in.get();
  record.slots = in.get();
  const std::uint64_t flags = in.get();
  record.verified = (flags & 1) != 0;
  if (in.failed() || flags > 1 || record.size > kMaxSize || record.base_limit > record.size ||
      record.slots > kMaxSlots || !decode_map(in, max_slots, record.size, record.map))
    return damaged();
  return record;
}

}  // namespace cabinetfs
