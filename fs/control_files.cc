#include "fs/control_files.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "backend/base/log.h"
#include "fs/status_json.h"

namespace cabinetfs {
namespace {

class Metrics {
 public:
  void counter(const char* name, const char* help, std::uint64_t value) {
    add(name, "counter", help, value);
  }
  void gauge(const char* name, const char* help, std::uint64_t value) {
    add(name, "gauge", help, value);
  }
  std::string take() { return std::move(text_); }

 private:
  void add(const char* name, const char* type, const char* help, std::uint64_t value) {
    fmt::format_to(std::back_inserter(text_),
                   "# HELP cabinetfs_{0} {1}\n# TYPE cabinetfs_{0} {2}\ncabinetfs_{0} {3}\n", name,
                   help, type, value);
  }
  std::string text_;
};

}  // namespace

std::string metrics_text(const VolumeStatus& status, const RequestRunnerStats& requests) {
  Metrics out;
  out.gauge("online", "1 while the server can be reached", status.online ? 1 : 0);
  out.gauge("unsent_items", "changes that the server does not have yet", status.unsent.size());
  out.gauge("unsent_bytes", "bytes that the server does not have yet", status.unsent_bytes);
  out.counter("sent_bytes_total", "bytes uploaded", status.sent_bytes);
  out.counter("uploads_total", "finished uploads", status.uploads_done);
  out.counter("failures_total", "changes that failed", status.failures);
  out.counter("conflicts_total", "changes that met another writer", status.conflicts);
  out.gauge("nodes_known", "files and folders known", status.nodes_known);
  out.gauge("nodes_loaded", "files and folders in memory", status.nodes_loaded);
  out.counter("listings_total", "folders listed", status.listings);
  out.counter("listings_ahead_total", "folders listed ahead of a walk", status.listings_ahead);
  const ContentStats& content = status.content;
  out.gauge("cache_bytes", "content on this disk that the server has", content.cache_bytes);
  out.gauge("staged_bytes", "content on this disk that the server does not have",
            content.staged_bytes);
  out.gauge("cached_files", "contents in the cache", content.cached_files);
  out.gauge("memory_bytes", "content in memory", content.memory_bytes);
  out.counter("block_hits_total", "blocks served from disk or memory", content.hits);
  out.counter("block_misses_total", "blocks that had to be fetched", content.misses);
  out.counter("fetched_bytes_total", "bytes downloaded", content.fetched_bytes);
  out.counter("prefetched_bytes_total", "bytes downloaded ahead of a reader",
              content.prefetched_bytes);
  out.counter("prefetched_unused_bytes_total", "bytes downloaded ahead and never read",
              content.prefetched_unused_bytes);
  out.counter("evicted_bytes_total", "bytes dropped from the cache", content.evicted_bytes);
  out.counter("corrupt_blocks_total", "blocks that did not open", content.corrupt_blocks);
  out.counter("requests_at_once_total", "requests answered without waiting",
              requests.answered_at_once);
  out.counter("requests_waited_total", "requests that had to wait", requests.waited);
  out.gauge("requests_waiting", "requests that wait now", requests.waiting);
  out.counter("requests_interrupted_total", "requests given up by their program",
              requests.interrupted);
  out.counter("requests_timed_out_total", "requests that found no free thread in time",
              requests.timed_out);
  out.counter("requests_refused_total", "requests refused since too many waited", requests.refused);
  return out.take();
}

std::vector<ControlFile> make_control_files(const ControlFileParts& parts) {
  std::vector<ControlFile> files;
  files.push_back({"status.json", [parts] {
                     nlohmann::json out = status_to_json(parts.volume->status());
                     out["remote"] = parts.remote;
                     out["mount_point"] = parts.mount_point;
                     out["vendor"] = parts.volume->capabilities().vendor;
                     return to_line(out) + "\n";
                   }});
  files.push_back({"uploads.json", [parts] {
                     return to_line(unsent_to_json(parts.volume->status().unsent)) + "\n";
                   }});
  files.push_back({"metrics", [parts] {
                     std::string text = metrics_text(parts.volume->status(), parts.requests());
                     if (parts.extra_metrics) text += parts.extra_metrics();
                     return text;
                   }});
  files.push_back({"config.toml", [parts] { return parts.config_text; }});
  files.push_back({"log", [] {
                     std::string text;
                     for (const std::string& line : recent_log()) text.append(line).push_back('\n');
                     return text;
                   }});
  return files;
}

}  // namespace cabinetfs
