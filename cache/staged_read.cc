// Reading staged contents: what is in memory, in slots, in the base, or nowhere (zeros).
#include <algorithm>
#include <cstring>
#include <utility>

#include "cache/staged_content.h"

namespace cabinetfs {

namespace {

// What one plan covers. Bounds the memory and the time under the mutex.
constexpr std::size_t kSliceBytes = 4u << 20;
constexpr int kOptimisticReads = 3;

}  // namespace

// Holds a record's slots while it lives.
class StagedFile::Snapshot final : public ReadableContent {
 public:
  Snapshot(std::shared_ptr<StagedFile> file, std::shared_ptr<const State> state,
           std::shared_ptr<Base> base)
      : file_(std::move(file)), state_(std::move(state)), base_(std::move(base)) {}
  ~Snapshot() override { file_->forget_snapshot(state_->sequence); }
  std::uint64_t size() const override { return state_->size; }
  Result<std::size_t> read(const CallContext& call, std::uint64_t offset,
                           MutableBytes out) override {
    return file_->read_state(call, *state_, base_.get(), offset, out);
  }

 private:
  const std::shared_ptr<StagedFile> file_;
  const std::shared_ptr<const State> state_;
  const std::shared_ptr<Base> base_;  // may be nullptr
};

Result<std::shared_ptr<ReadableContent>> StagedFile::snapshot() {
  MutexLock lock(mutex_);
  if (!committed_) return fail(ErrorCode::kInternal, "snapshot of a content without a record");
  snapshots_.insert(committed_->sequence);
  return std::make_shared<Snapshot>(shared_from_this(), committed_, base_);
}

void StagedFile::forget_snapshot(std::uint64_t sequence) {
  MutexLock lock(mutex_);
  snapshots_.erase(snapshots_.find(sequence));
  reclaim_locked();
}

void StagedFile::plan_locked(const BlockMap& map, bool with_dirty, std::uint64_t offset,
                             MutableBytes out, std::vector<Piece>& pieces,
                             std::vector<Gap>& gaps) const {
  while (!out.empty()) {
    Piece piece;
    piece.block = offset / kBlockBytes;
    piece.begin = static_cast<std::uint32_t>(offset % kBlockBytes);
    const std::size_t length = std::min<std::size_t>(out.size(), kBlockBytes - piece.begin);
    piece.end = piece.begin + static_cast<std::uint32_t>(length);
    piece.out = out.first(length);
    const auto dirty = with_dirty ? dirty_.find(piece.block) : dirty_.end();
    if (dirty != dirty_.end()) {
      std::uint32_t at = piece.begin;
      for (const auto& range : dirty->second.valid.ranges()) {
        if (range.end <= piece.begin || range.begin >= piece.end) continue;
        const std::uint32_t begin = std::max(range.begin, piece.begin);
        const std::uint32_t end = std::min(range.end, piece.end);
        if (at < begin)
          gaps.push_back(
              {piece.block * kBlockBytes + at, piece.out.subspan(at - piece.begin, begin - at)});
        std::memcpy(piece.out.data() + (begin - piece.begin), dirty->second.data.get() + begin,
                    end - begin);
        at = end;
      }
      if (at < piece.end)
        gaps.push_back(
            {piece.block * kBlockBytes + at, piece.out.subspan(at - piece.begin, piece.end - at)});
    } else if (const BlockEntry entry = map.find(piece.block); entry.present()) {
      piece.slot = entry.slot;
      piece.stored = entry.stored;
      if (entry.has_slot()) piece.serial = slots_.serial(entry.slot);
      if (entry.valid) piece.valid = *entry.valid;
      pieces.push_back(std::move(piece));
    } else {
      gaps.push_back({offset, piece.out});
    }
    offset += length;
    out = out.subspan(length);
  }
}

Result<void> StagedFile::read_pieces(const std::vector<Piece>& pieces, std::vector<Gap>& gaps) {
  for (const Piece& piece : pieces) {
    const bool zeros = piece.slot == kZeroSlot;
    if (!zeros && !piece.valid && piece.begin == 0 && piece.end == kBlockBytes) {
      TRY(file_->read(piece.slot, piece.block, piece.out));
      continue;
    }
    BlockPtr block;
    if (!zeros) {
      block = host_.memory().get(memory_id_, piece.serial);
      if (!block) {
        auto fresh = std::make_shared<Block>(piece.stored);
        TRY(file_->read(piece.slot, piece.block, fresh->mutable_bytes()));
        block = std::move(fresh);
        host_.memory().put(memory_id_, piece.serial, block);
      }
    }
    const auto copy = [&](std::uint32_t begin, std::uint32_t end) {
      std::byte* const out = piece.out.data() + (begin - piece.begin);
      if (zeros)
        std::memset(out, 0, end - begin);
      else
        std::memcpy(out, block->data.get() + begin, end - begin);
    };
    if (!piece.valid) {
      copy(piece.begin, piece.end);
      continue;
    }
    std::uint32_t at = piece.begin;
    for (const auto& range : piece.valid->ranges()) {
      if (range.end <= piece.begin || range.begin >= piece.end) continue;
      const std::uint32_t begin = std::max(range.begin, piece.begin);
      const std::uint32_t end = std::min(range.end, piece.end);
      if (at < begin)
        gaps.push_back(
            {piece.block * kBlockBytes + at, piece.out.subspan(at - piece.begin, begin - at)});
      copy(begin, end);
      at = end;
    }
    if (at < piece.end)
      gaps.push_back(
          {piece.block * kBlockBytes + at, piece.out.subspan(at - piece.begin, piece.end - at)});
  }
  return {};
}

Result<std::shared_ptr<CachedContent>> StagedFile::open_base(Base* base) {
  if (!base) return fail(ErrorCode::kInternal, "a staged content shows a base that it has not");
  {
    MutexLock lock(base->mutex);
    if (base->content) return base->content;
  }
  TRY_ASSIGN(std::shared_ptr<CachedContent> opened, host_.open_base(base->key));
  MutexLock lock(base->mutex);
  if (!base->content) base->content = std::move(opened);
  return base->content;
}

Result<void> StagedFile::fill_gaps(const CallContext& call, Base* base, std::uint64_t base_limit,
                                   std::vector<Gap>& gaps) {
  std::sort(gaps.begin(), gaps.end(),
            [](const Gap& a, const Gap& b) { return a.offset < b.offset; });
  for (std::size_t i = 0; i < gaps.size();) {
    // Neighbours in the file are neighbours in the buffer.
    Gap gap = gaps[i++];
    while (i < gaps.size() && gaps[i].offset == gap.offset + gap.out.size()) {
      gap.out = MutableBytes(gap.out.data(), gap.out.size() + gaps[i].out.size());
      ++i;
    }
    std::size_t from_base = 0;
    if (gap.offset < base_limit) {
      from_base = static_cast<std::size_t>(
          std::min<std::uint64_t>(gap.out.size(), base_limit - gap.offset));
      TRY_ASSIGN(const std::shared_ptr<CachedContent> content, open_base(base));
      TRY_ASSIGN(const std::size_t got, content->read(call, gap.offset, gap.out.first(from_base)));
      if (got != from_base)
        return fail(ErrorCode::kCorrupt, "the base of a staged content is shorter than it was");
    }
    const auto zeros = gap.out.subspan(from_base);
    std::fill(zeros.begin(), zeros.end(), std::byte{0});
  }
  return {};
}

Result<StagedFile::Slice> StagedFile::read_slice(std::uint64_t offset, MutableBytes out) {
  Slice slice;
  std::vector<Piece> pieces;
  {
    MutexLock lock(mutex_);
    slice.changes = changes_;
    slice.base = base_;
    slice.base_limit = base_limit_;
    const std::uint64_t left = offset < size_ ? size_ - offset : 0;
    slice.out = out.first(
        static_cast<std::size_t>(std::min<std::uint64_t>({out.size(), kSliceBytes, left})));
    plan_locked(map_, true, offset, slice.out, pieces, slice.gaps);
  }
  auto result = read_pieces(pieces, slice.gaps);
  if (!result) slice.error = std::move(result).error();
  return slice;
}

Result<std::size_t> StagedFile::read(const CallContext& call, std::uint64_t offset,
                                     MutableBytes out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto rest = out.subspan(done);
    TRY_ASSIGN(Slice slice, read_slice(offset + done, rest));
    // A slot that no record holds may be written again while it is read; the seal tells, and we
    // look again. A writer who keeps doing it is kept out the last time.
    for (int attempt = 1; slice.error && slice.error->code == ErrorCode::kCorrupt; ++attempt) {
      bool unchanged = false;
      {
        MutexLock lock(mutex_);
        unchanged = slice.changes == changes_;
      }
      if (unchanged || attempt > kOptimisticReads) break;
      if (attempt < kOptimisticReads) {
        TRY_ASSIGN(slice, read_slice(offset + done, rest));
      } else {
        MutexLock writers(writers_);
        TRY_ASSIGN(slice, read_slice(offset + done, rest));
      }
    }
    if (slice.error) return fail(*std::move(slice.error));
    if (slice.out.empty()) break;
    TRY(fill_gaps(call, slice.base.get(), slice.base_limit, slice.gaps));
    done += slice.out.size();
  }
  return done;
}

Result<std::size_t> StagedFile::read_state(const CallContext& call, const State& state, Base* base,
                                           std::uint64_t offset, MutableBytes out) {
  if (offset >= state.size) return 0;
  out =
      out.first(static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), state.size - offset)));
  for (std::size_t done = 0; done < out.size();) {
    std::vector<Piece> pieces;
    std::vector<Gap> gaps;
    const auto slice = out.subspan(done, std::min(out.size() - done, kSliceBytes));
    {
      MutexLock lock(mutex_);
      plan_locked(state.map, false, offset + done, slice, pieces, gaps);
    }
    TRY(read_pieces(pieces, gaps));
    TRY(fill_gaps(call, base, state.base_limit, gaps));
    done += slice.size();
  }
  return out.size();
}

// --- holes ---

bool StagedFile::is_data_locked(std::uint64_t block) const {
  if (dirty_.contains(block)) return true;
  const BlockEntry entry = map_.find(block);
  if (!entry.present()) return block * kBlockBytes < base_limit_;
  return entry.slot != kZeroSlot || entry.valid != nullptr;
}

Result<std::uint64_t> StagedFile::seek_data(std::uint64_t offset) {
  MutexLock lock(mutex_);
  if (offset >= size_) return fail(ErrorCode::kRange, "seek beyond the end");
  std::uint64_t block = offset / kBlockBytes;
  while (block * kBlockBytes < size_) {
    if (is_data_locked(block)) return std::max(offset, block * kBlockBytes);
    if (++block * kBlockBytes < base_limit_) continue;
    // Beyond the base only blocks of our own can hold data.
    const auto mapped = map_.next(block);
    const auto dirty = dirty_.lower_bound(block);
    if (!mapped && dirty == dirty_.end()) break;
    block =
        std::min(mapped.value_or(UINT64_MAX), dirty == dirty_.end() ? UINT64_MAX : dirty->first);
  }
  return fail(ErrorCode::kRange, "no data behind this offset");
}

Result<std::uint64_t> StagedFile::seek_hole(std::uint64_t offset) {
  MutexLock lock(mutex_);
  if (offset >= size_) return fail(ErrorCode::kRange, "seek beyond the end");
  std::uint64_t block = offset / kBlockBytes;
  while (block * kBlockBytes < size_ && is_data_locked(block)) {
    // A long stretch of the base is passed at once.
    const auto mapped = map_.next(block);
    const auto dirty = dirty_.lower_bound(block);
    const std::uint64_t own =
        std::min(mapped.value_or(UINT64_MAX), dirty == dirty_.end() ? UINT64_MAX : dirty->first);
    const std::uint64_t base_end = (base_limit_ + kBlockBytes - 1) / kBlockBytes;
    block = std::max(block + 1, std::min(own, base_end));
  }
  return std::min(size_, std::max(offset, block * kBlockBytes));
}

}  // namespace cabinetfs
