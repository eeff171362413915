#include "tools/cabinetfs/status_view.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tools/cabinetfs/mount_call.h"
#include "tools/cabinetfs/output.h"
#include "tools/cabinetfs/progress.h"
#include "tools/cabinetfs/units.h"

namespace cabinetfs {

using nlohmann::json;

namespace {

const json& part(const json& object, const char* name) {
  static const json empty = json::object();
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? *found : empty;
}

std::string item_line(const json& item) {
  const std::string state = text_field(item, "state");
  const std::uint64_t size = number_field(item, "size");
  std::string head;
  if (state == "uploading")
    head = progress_bar(number_field(item, "sent"), size, 14);
  else
    head = fmt::format("{:<22}", state);
  std::string out = fmt::format("    {}  {:<13} {}", head, text_field(item, "action"),
                                printable(text_field(item, "path")));
  if (size > 0) out += fmt::format("  {}", format_size(size));
  const std::string message = text_field(item, "message");
  if (!message.empty()) out += fmt::format("\n        {}", printable(message));
  const std::string conflict = text_field(item, "conflict");
  if (!conflict.empty()) out += fmt::format("\n        conflict: {}", printable(conflict));
  return out + '\n';
}

}  // namespace

std::string render_status(const json& status, unsigned, std::size_t max_items) {
  std::string out = fmt::format("{}  on {}", printable(text_field(status, "remote")),
                                printable(text_field(status, "mount_point")));
  const std::string account = text_field(part(status, "account"), "email");
  if (!account.empty()) out += "  " + printable(account);
  const std::string url = text_field(status, "url");
  if (!url.empty()) out += "  " + printable(url);
  out += '\n';

  const UnsentSummary unsent = summarize_unsent(status);
  out += "  ";
  if (unsent.online)
    out += "online";
  else
    out += fmt::format("offline ({})",
                       printable(unsent.offline_reason.empty() ? "the server does not answer"
                                                               : unsent.offline_reason));
  out += unsent.items == 0 ? std::string("; everything is on the server")
                           : fmt::format("; unsent: {}", describe_unsent(unsent));
  if (unsent.refused > 0) out += fmt::format("; refused: {}", unsent.refused);
  const std::uint64_t conflicts = number_field(status, "conflicts");
  if (conflicts > 0) out += fmt::format("; conflicts: {}", conflicts);
  out += '\n';

  const json& cache = part(status, "cache");
  const std::uint64_t hits = number_field(cache, "hits"), misses = number_field(cache, "misses");
  out += fmt::format("  cache: {} in {} files", format_size(number_field(cache, "cache_bytes")),
                     number_field(cache, "cached_files"));
  if (hits + misses > 0)
    out += fmt::format(", {:.0f} % of reads from it",
                       100.0 * static_cast<double>(hits) / static_cast<double>(hits + misses));
  out += fmt::format("; fetched {}, sent {}\n", format_size(number_field(cache, "fetched_bytes")),
                     format_size(number_field(status, "sent_bytes")));
  const json& rates = part(status, "rates");
  if (!rates.empty())
    out += fmt::format("  up {}/s, down {}/s\n", format_size(number_field(rates, "up")),
                       format_size(number_field(rates, "down")));
  const json& http = part(status, "http");
  if (!http.empty())
    out += fmt::format("  requests: {}, in flight {}, waiting {}, retried {}, slowed down {}\n",
                       number_field(http, "requests"), number_field(http, "in_flight"),
                       number_field(http, "queued"), number_field(http, "retries"),
                       number_field(http, "throttled"));

  const auto items = status.find("unsent");
  if (items != status.end() && items->is_array() && !items->empty()) {
    std::size_t shown = 0;
    for (const json& item : *items) {
      if (shown++ == max_items) {
        out += fmt::format("    and {} more\n", items->size() - max_items);
        break;
      }
      out += item_line(item);
    }
  }
  const auto notices = status.find("notices");
  if (notices != status.end() && notices->is_array() && !notices->empty()) {
    out += "  notices:\n";
    const std::size_t skip = notices->size() > max_items ? notices->size() - max_items : 0;
    for (std::size_t i = skip; i < notices->size(); ++i) out += item_line((*notices)[i]);
  }
  if (unsent.refused > 0)
    out += "  refused changes are kept: `cabinetfs retry`, `export` or `discard` PATH\n";
  return out;
}

}  // namespace cabinetfs
