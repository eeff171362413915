#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backend/remote_types.h"
#include "cache/volume.h"

namespace cabinetfs {

// The shapes that extended attributes, `.cabinet/` and the control socket share. Names in them are
// stable; times are RFC 3339 UTC; bytes are numbers.

// {"number", "id", "size", "modified", "author", "current"}; newest first.
nlohmann::json versions_to_json(const std::vector<RemoteVersion>& versions);
// {"who", "level", "vendor": the vendor's own word}
nlohmann::json permissions_to_json(const std::vector<RemotePermission>& permissions);
// {"time", "who", "event", "detail"}; newest first.
nlohmann::json history_to_json(const std::vector<RemoteEvent>& events);
// {"used", "total": number or null}
nlohmann::json quota_to_json(const Quota& quota);
nlohmann::json capabilities_to_json(const Capabilities& capabilities);
// {"id", "email", "name"}
nlohmann::json account_to_json(const RemoteAccount& account);
// {"path", "action", "state", "size", "sent", "message", "conflict", "ino"}
nlohmann::json unsent_to_json(const std::vector<UnsentItem>& items);
nlohmann::json content_stats_to_json(const ContentStats& stats);
// {"online", "offline_reason", "unsent": [...], "notices": [...], "unsent_bytes", "sent_bytes",
//  "uploads_done", "failures", "conflicts", "nodes_known", "nodes_loaded", "listings",
//  "listings_ahead", "cache": content_stats}
nlohmann::json status_to_json(const VolumeStatus& status);
// {"ino", "path", "kind", "state", "size", "modified", "id", "cached", "pin", "sync",
// "description"}
nlohmann::json node_to_json(const NodeInfo& info);

const char* to_word(PinState state);
const char* to_word(SyncMode mode);
std::optional<PinState> parse_pin_state(std::string_view word);
std::optional<SyncMode> parse_sync_mode(std::string_view word);

// One line; invalid UTF-8 from a server is replaced.
std::string to_line(const nlohmann::json& value);

}  // namespace cabinetfs
