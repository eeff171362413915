#include "backend/kiteworks/pages.h"

#include <algorithm>
#include <unordered_set>

namespace cabinetfs::kiteworks {
namespace {

constexpr int kPasses = 5;
// A server that goes on for ever is stopped here.
constexpr std::size_t kMaxEntries = 5'000'000;

enum class End { kComplete, kShifted, kCapLearned, kOtherTotal };

using Fetch = std::function<Result<Page>(std::uint64_t, std::uint64_t)>;

class Pass {
 public:
  Pass(PageMemory& memory, std::uint64_t limit, const Fetch& fetch)
      : memory_(memory), limit_(limit), fetch_(fetch) {}

  Result<End> run() {
    bool overlap = false;
    while (seen_.size() <= kMaxEntries) {
      const std::uint64_t offset = seen_.size() - (overlap ? 1 : 0);
      TRY_ASSIGN(const Page page, fetch_(offset, limit_));
      if (page.total && total_ && *page.total != *total_) return End::kShifted;
      if (page.total) total_ = page.total;
      const auto first = page.keys.begin() + (overlap && !page.keys.empty() ? 1 : 0);
      if (overlap && (page.keys.empty() || page.keys.front() != last_)) return End::kShifted;
      for (auto key = first; key != page.keys.end(); ++key) {
        if (!seen_.insert(*key).second) return End::kShifted;
      }
      const auto fresh = static_cast<std::uint64_t>(page.keys.end() - first);
      if (fresh > 0) last_ = page.keys.back();
      if (total_) {
        if (seen_.size() == *total_) return End::kComplete;
        if (seen_.size() > *total_) return End::kOtherTotal;
        if (fresh == 0 && !overlap) return End::kOtherTotal;
        // With pages of one entry, an overlapping page brings nothing new.
        overlap = fresh > 0 && page.keys.size() > 1;
        continue;
      }
      // No total: a full page is followed by another one.
      if (page.keys.size() >= limit_) {
        overlap = limit_ > 1;
        continue;
      }
      if (page.keys.empty() || overlap || seen_.size() > fresh ||
          page.keys.size() < memory_.proven.load()) {
        return End::kComplete;
      }
      // A short first page is the end, or the server's pages are shorter than what was asked for.
      TRY_ASSIGN(const Page more, fetch_(seen_.size(), limit_));
      if (!more.keys.empty()) {
        memory_.cap = page.keys.size();
        return End::kCapLearned;
      }
      std::uint64_t proven = memory_.proven.load();
      while (proven < page.keys.size() &&
             !memory_.proven.compare_exchange_weak(proven, page.keys.size())) {
      }
      return End::kComplete;
    }
    return fail(ErrorCode::kTooLarge, "a listing without end");
  }

  std::unordered_set<std::string> take_seen() { return std::move(seen_); }

 private:
  PageMemory& memory_;
  const std::uint64_t limit_;
  const Fetch& fetch_;
  std::unordered_set<std::string> seen_;
  std::string last_;
  std::optional<std::uint64_t> total_;
};

}  // namespace

Result<void> collect_pages(PageMemory& memory, std::uint64_t limit, const Fetch& fetch,
                           const std::function<void()>& restart) {
  std::unordered_set<std::string> before;
  for (int i = 0; i < kPasses; ++i) {
    const std::uint64_t cap = memory.cap.load();
    Pass pass(memory, std::max<std::uint64_t>(1, cap == 0 ? limit : std::min(cap, limit)), fetch);
    restart();
    TRY_ASSIGN(const End end, pass.run());
    if (end == End::kComplete) return {};
    if (end == End::kOtherTotal) {
      // Twice the same entries: the server counts something that it does not list.
      std::unordered_set<std::string> seen = pass.take_seen();
      if (i > 0 && seen == before) return {};
      before = std::move(seen);
    }
  }
  return fail(ErrorCode::kUnavailable, "the listing changed while it was read, again and again");
}

}  // namespace cabinetfs::kiteworks
