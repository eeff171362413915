#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "tools/sandbox/http/message.h"
#include "tools/sandbox/http/pacing.h"

struct MHD_Response;

namespace cabinetfs::sandbox {

struct FaultRule;
struct LineTuning;

// The body of one answer on its way out: paced, and cut, spoilt or slowed down as a fault rule
// wants it.
class ReplyStream {
 public:
  ReplyStream(Response response, std::shared_ptr<FaultRule> fault, const LineTuning& tuning,
              Pacer& all_connections, StopSignal& stop,
              std::shared_ptr<std::atomic<std::int64_t>> sent);

  // The answer for libmicrohttpd, which then owns the reply.
  static MHD_Response* to_mhd(std::unique_ptr<ReplyStream> reply);

 private:
  static ssize_t read_callback(void* self, std::uint64_t position, char* buffer, std::size_t count);
  ssize_t read(std::int64_t position, char* buffer, std::size_t count);
  std::int64_t size() const;

  Response response_;
  const std::shared_ptr<FaultRule> fault_;
  const std::int64_t bandwidth_, bandwidth_total_;
  Pacer own_line_;
  Pacer& all_connections_;
  StopSignal& stop_;
  const std::shared_ptr<std::atomic<std::int64_t>> sent_;
};

}  // namespace cabinetfs::sandbox
