#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>

#include "tools/sandbox/kiteworks/names.h"
#include "tools/sandbox/powerfolder/dav.h"
#include "tools/sandbox/powerfolder/ops.h"
#include "tools/sandbox/powerfolder/xml.h"

namespace cabinetfs::sandbox::powerfolder {
namespace {

constexpr std::array<const char*, 11> kProperties = {
    "resourcetype",  "getcontentlength",      "getcontenttype",  "getlastmodified",
    "creationdate",  "displayname",           "getetag",         "supportedlock",
    "lockdiscovery", "quota-available-bytes", "quota-used-bytes"};

std::string iso_date(Millis time) {
  const std::time_t seconds = static_cast<std::time_t>(time / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64] = {};
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// What a property is said about.
struct Subject {
  const Node* node = nullptr;      // null: the root
  const Folder* folder = nullptr;  // null: the root
};

class Answer {
 public:
  Answer(const Call& call, const PropfindBody& wanted)
      : call_(call), wanted_(wanted), tags_(call.settings.xml_prefix) {
    out_ = tags_.root("multistatus");
  }

  void add(const std::string& path, bool dir, const Subject& subject) {
    out_ += "\n" + tags_.open("response") + tags_.with("href", href_of(call_, path, dir));
    std::string found;
    std::string missing;
    if (wanted_.kind == PropfindBody::Kind::kNamed) {
      for (const PropName& name : wanted_.names) named(subject, name, found, missing);
    } else {
      for (const char* name : kProperties) {
        // Those of a quota are told only to who asks for them by name.
        if (std::string_view(name).rfind("quota", 0) == 0) continue;
        const auto value = value_of(subject, name);
        if (!value) continue;
        found += wanted_.kind == PropfindBody::Kind::kNames ? tags_.empty(name)
                                                            : tags_.with(name, *value);
      }
    }
    if (!found.empty() || missing.empty()) propstat(found, "HTTP/1.1 200 OK");
    if (!missing.empty()) propstat(missing, "HTTP/1.1 404 Not Found");
    out_ += tags_.close("response");
  }

  // A directory of the product itself.
  void add_system(const std::string& path) {
    out_ += "\n" + tags_.open("response") + tags_.with("href", href_of(call_, path, true));
    propstat(tags_.with("resourcetype", tags_.empty("collection")), "HTTP/1.1 200 OK");
    out_ += tags_.close("response");
  }

  std::string finish() {
    out_ += "\n" + tags_.close("multistatus") + "\n";
    return std::move(out_);
  }

 private:
  void propstat(const std::string& properties, const char* status) {
    out_ += tags_.with("propstat", tags_.with("prop", properties) + tags_.with("status", status));
  }

  void named(const Subject& subject, const PropName& name, std::string& found,
             std::string& missing) const {
    if (name.space != "DAV:") {
      missing +=
          fmt::format("<x:{} xmlns:x=\"{}\"/>", xml_escape(name.name), xml_escape(name.space));
      return;
    }
    const auto value = value_of(subject, name.name);
    if (value) {
      found += tags_.with(name.name, *value);
    } else {
      missing += tags_.empty(name.name);
    }
  }

  std::optional<std::string> value_of(const Subject& subject, std::string_view name) const {
    const Node* node = subject.node;
    const bool dir = node == nullptr || node->dir;
    const Settings& settings = call_.settings;
    if (name == "resourcetype") return dir ? tags_.empty("collection") : std::string();
    if (name == "displayname") {
      if (settings.odd_displayname) return "Shown as something else";
      return xml_escape(node == nullptr ? "webdav" : node->name);
    }
    if (name == "getlastmodified" && node != nullptr) return http_date(node->modified);
    if (name == "creationdate" && node != nullptr) return iso_date(node->created);
    if (name == "getcontentlength" && !dir && !settings.omit_length) {
      return std::to_string(node->size());
    }
    if (name == "getcontenttype" && !dir) return xml_escape(kiteworks::mime_of(node->name));
    if (name == "getetag" && !dir && settings.etag != "none") {
      return xml_escape(etag_of(settings, *node));
    }
    if (name == "supportedlock" && settings.locks) {
      return tags_.with("lockentry", tags_.with("lockscope", tags_.empty("exclusive")) +
                                         tags_.with("locktype", tags_.empty("write")));
    }
    if (name == "lockdiscovery" && settings.locks) return lock_discovery(call_, node);
    if (settings.quota_props && dir) return quota(subject, name);
    return std::nullopt;
  }

  std::optional<std::string> quota(const Subject& subject, std::string_view name) const {
    const User* owner =
        subject.folder == nullptr ? &call_.user : call_.state.find_user(subject.folder->owner());
    if (owner == nullptr) return std::nullopt;
    const std::int64_t used = used_by(call_.state, *owner);
    if (name == "quota-used-bytes") return std::to_string(used);
    if (name == "quota-available-bytes" && owner->quota > 0) {
      return std::to_string(std::max<std::int64_t>(owner->quota - used, 0));
    }
    return std::nullopt;
  }

  const Call& call_;
  const PropfindBody& wanted_;
  const Tags tags_;
  std::string out_;
};

bool lies_empty(Call& call, const std::string& path) {
  if (call.state.empty_served >= call.settings.empty_listings) return false;
  if (path.rfind(call.settings.empty_path, 0) != 0) return false;
  ++call.state.empty_served;
  return true;
}

void add_below(Answer& answer, const Folder& folder, const Node& dir, const std::string& path,
               bool deep) {
  for (const auto& [name, child] : dir.children) {
    const std::string child_path = path + "/" + name;
    answer.add(child_path, child->dir, {child.get(), &folder});
    if (deep && child->dir) add_below(answer, folder, *child, child_path, true);
  }
}

void add_top(const Call& call, Answer& answer, bool deep) {
  std::set<std::string> seen;
  for (const Folder* folder : visible_folders(call)) {
    if (!seen.insert(folder->name()).second && call.settings.twins == "first") continue;
    answer.add(folder->name(), true, {folder->root.get(), folder});
    if (deep) add_below(answer, *folder, *folder->root, folder->name(), true);
  }
  for (const Ghost& ghost : call.state.ghosts) {
    if (ghost.in_dav && ghost.until > now_ms() && ghost.users.count(call.user.id) > 0 &&
        seen.insert(ghost.name).second) {
      answer.add(ghost.name, true, {});
    }
  }
}

}  // namespace

Response dav_propfind(Call& call) {
  const Place place = resolve(call);
  if (!place.exists()) throw HttpError(404, "Not found");
  const std::string_view depth = call.request.header("depth");
  const bool infinite = depth.empty() || depth == "infinity";
  if (!infinite && depth != "0" && depth != "1") throw HttpError(400, "Depth is 0, 1 or infinity");
  if (infinite && call.settings.infinity == "refuse") {
    throw HttpError(403, "Not the whole tree", "propfind-finite-depth");
  }
  const PropfindBody wanted = parse_propfind(call.request.body);
  Answer answer(call, wanted);
  const bool dir = place.node == nullptr || place.node->dir;
  const std::string path = place.node == nullptr ? std::string() : path_of(*place.node);
  const std::string& self = depth == "0" ? "first" : call.settings.self_entry;
  if (self == "first") answer.add(path, dir, {place.node, place.folder});
  if (depth != "0" && dir && !lies_empty(call, path)) {
    if (place.node == nullptr) {
      add_top(call, answer, infinite);
    } else {
      if (call.settings.system_dirs && place.depth == 1) answer.add_system(path + "/.PowerFolder");
      add_below(answer, *place.folder, *place.node, path, infinite);
    }
  }
  if (self == "last") answer.add(path, dir, {place.node, place.folder});
  const bool odd = infinite && call.settings.infinity == "odd";
  return Response::text(odd ? 200 : static_cast<int>(call.settings.propfind_status),
                        "application/xml; charset=utf-8", answer.finish());
}

}  // namespace cabinetfs::sandbox::powerfolder
