#include "cache/fetcher.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cache/content.h"

namespace cabinetfs {

std::uint64_t Fetch::bytes() const {
  return std::min(end() * kBlockBytes, key.size) - first * kBlockBytes;
}

namespace {

// Of small files more are fetched at a time than ranges of one large file: each takes a round trip
// and hardly a byte. Three quarters of the 48 connections that a store has at most.
constexpr unsigned kSmallFiles = 36;
constexpr std::uint64_t kWholeFileAhead = 256u << 10;

}  // namespace

Fetcher::Fetcher(RemoteStore& remote, unsigned threads, std::chrono::nanoseconds timeout)
    : remote_(remote),
      timeout_(timeout),
      foreground_("cab-read", std::max(8u, threads)),
      background_("cab-prefetch", std::max(1u, threads)),
      small_("cab-small", kSmallFiles),
      streams_("cab-stream", std::max(8u, threads)) {}

Fetcher::~Fetcher() { shutdown(); }

void Fetcher::start(std::shared_ptr<Fetch> fetch) {
  const Priority priority = fetch->priority;
  const bool ahead = priority == Priority::kPrefetch || priority == Priority::kUpload;
  const bool whole_and_small =
      fetch->key.size <= kWholeFileAhead && fetch->bytes() == fetch->key.size;
  Executor& pool = fetch->stream     ? streams_
                   : !ahead          ? foreground_
                   : whole_and_small ? small_
                                     : background_;
  pool.submit([this, fetch = std::move(fetch)] { run(fetch); });
}

void Fetcher::promote(std::shared_ptr<Fetch> fetch) {
  // Two pools have it now; the first to come runs it.
  (fetch->stream ? streams_ : foreground_).submit([this, fetch = std::move(fetch)] { run(fetch); });
}

void Fetcher::shutdown() {
  streams_.shutdown();
  small_.shutdown();
  background_.shutdown();
  foreground_.shutdown();
}

void Fetcher::run(const std::shared_ptr<Fetch>& fetch) {
  if (fetch->claimed.exchange(true)) return;
  const ContentKey& key = fetch->key;
  // How long a whole content takes, nobody knows; the network engine gives up a transfer that
  // stands still.
  const SteadyTime deadline =
      fetch->stream ? SteadyTime::max() : Clock::system().steady() + timeout_;
  const CallContext call{deadline, fetch->cancel.token(), fetch->priority, true};
  const ReadRequest request{key.file, key.version, fetch->first * kBlockBytes, fetch->bytes(),
                            key.size,
                            // Of an old version it is known by its id which content is meant.
                            key.version.empty() ? key.validator : Validator{},
                            // All of it is asked for instead (CachedFile::start_whole_locked()).
                            true};
  std::uint64_t block = fetch->first;
  std::shared_ptr<Block> current;
  std::uint32_t filled = 0;
  const auto sink = [&](Bytes bytes) {
    while (!bytes.empty()) {
      if (block >= fetch->end()) return false;  // more than was asked for
      if (!current) {
        current = std::make_shared<Block>(
            static_cast<std::uint32_t>(std::min(kBlockBytes, key.size - block * kBlockBytes)));
        filled = 0;
      }
      const std::size_t taken = std::min<std::size_t>(bytes.size(), current->size - filled);
      std::memcpy(current->data.get() + filled, bytes.data(), taken);
      filled += static_cast<std::uint32_t>(taken);
      bytes = bytes.subspan(taken);
      if (filled < current->size) break;
      if (!fetch->target->publish(*fetch, block++, std::move(current))) return false;
      current = nullptr;
    }
    return true;
  };
  auto result = remote_.read(call, request, sink);
  if (result && block != fetch->end())
    result = fail(ErrorCode::kCorrupt, "read: fewer bytes came than were asked for");
  fetch->target->finished(fetch, std::move(result));
}

}  // namespace cabinetfs
