#include "tools/sandbox/http/reply_stream.h"

#include <microhttpd.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

#include "tools/sandbox/http/faults.h"
#include "tools/sandbox/http/server.h"

namespace cabinetfs::sandbox {
namespace {

// One read of the source; large enough that a fast loopback is not held up by calls.
constexpr std::size_t kBlock = std::size_t{256} * 1024;

}  // namespace

ReplyStream::ReplyStream(Response response, std::shared_ptr<FaultRule> fault,
                         const LineTuning& tuning, Pacer& all_connections, StopSignal& stop,
                         std::shared_ptr<std::atomic<std::int64_t>> sent)
    : response_(std::move(response)),
      fault_(std::move(fault)),
      bandwidth_(tuning.bandwidth),
      bandwidth_total_(tuning.bandwidth_total),
      all_connections_(all_connections),
      stop_(stop),
      sent_(std::move(sent)) {}

std::int64_t ReplyStream::size() const {
  return response_.source ? response_.source->size()
                          : static_cast<std::int64_t>(response_.body.size());
}

MHD_Response* ReplyStream::to_mhd(std::unique_ptr<ReplyStream> reply) {
  const std::int64_t size = reply->size();
  const auto headers = reply->response_.headers;
  MHD_Response* out = MHD_create_response_from_callback(
      size < 0 ? MHD_SIZE_UNKNOWN : static_cast<std::uint64_t>(size),
      size < 0 ? kBlock : std::clamp<std::size_t>(static_cast<std::size_t>(size), 1, kBlock),
      &ReplyStream::read_callback, reply.get(),
      [](void* self) { delete static_cast<ReplyStream*>(self); });
  if (out == nullptr) return nullptr;
  // libmicrohttpd's own callback deletes it.
  static_cast<void>(reply.release());  // NOLINT(bugprone-unused-return-value)
  for (const auto& [name, value] : headers) {
    MHD_add_response_header(out, name.c_str(), value.c_str());
  }
  return out;
}

ssize_t ReplyStream::read_callback(void* self, std::uint64_t position, char* buffer,
                                   std::size_t count) {
  try {
    return static_cast<ReplyStream*>(self)->read(static_cast<std::int64_t>(position), buffer,
                                                 count);
  } catch (const std::exception&) {
    return MHD_CONTENT_READER_END_WITH_ERROR;  // the status line has gone: closing is all that is
                                               // left
  }
}

ssize_t ReplyStream::read(std::int64_t position, char* buffer, std::size_t count) {
  const FaultAction* action = fault_ ? &fault_->action : nullptr;
  if (action != nullptr && *action == FaultAction::kTruncate) {
    if (position >= fault_->bytes) return MHD_CONTENT_READER_END_WITH_ERROR;
    count = std::min(count, static_cast<std::size_t>(fault_->bytes - position));
  }
  const bool slow = action != nullptr && *action == FaultAction::kSlow;
  if (slow) {
    count = std::min(count, static_cast<std::size_t>(fault_->bytes_per_second / 10 + 1));
  }
  if (bandwidth_ > 0) {
    // Pieces of a hundredth of a second keep the line smooth without a wake-up per packet.
    count =
        std::min(count, static_cast<std::size_t>(std::max<std::int64_t>(bandwidth_ / 100, 4096)));
  }
  std::size_t n = 0;
  if (response_.source) {
    n = response_.source->read(position, buffer, count);
  } else if (position < static_cast<std::int64_t>(response_.body.size())) {
    n = std::min(count, response_.body.size() - static_cast<std::size_t>(position));
    std::memcpy(buffer, response_.body.data() + position, n);
  }
  if (n == 0) return MHD_CONTENT_READER_END_OF_STREAM;
  if (action != nullptr && *action == FaultAction::kCorrupt) {
    const std::int64_t at =
        fault_->offset >= 0 ? fault_->offset : std::max<std::int64_t>(size(), 0) / 2;
    if (at >= position && at < position + static_cast<std::int64_t>(n)) {
      buffer[at - position] = static_cast<char>(buffer[at - position] ^ 1);
    }
  }
  bool running = true;
  if (slow) running = stop_.sleep_until(own_line_.book(n, fault_->bytes_per_second));
  if (bandwidth_ > 0) running = stop_.sleep_until(own_line_.book(n, bandwidth_)) && running;
  if (bandwidth_total_ > 0) {
    running = stop_.sleep_until(all_connections_.book(n, bandwidth_total_)) && running;
  }
  if (!running) return MHD_CONTENT_READER_END_WITH_ERROR;
  *sent_ += static_cast<std::int64_t>(n);
  return static_cast<ssize_t>(n);
}

}  // namespace cabinetfs::sandbox
