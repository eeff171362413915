#include <fmt/format.h>

#include <algorithm>

#include "tools/sandbox/powerfolder/dav.h"
#include "tools/sandbox/powerfolder/ops.h"
#include "tools/sandbox/powerfolder/xml.h"

// MKCOL, DELETE, MOVE, COPY.

namespace cabinetfs::sandbox::powerfolder {
namespace {

Response done(int status) {
  Response response;
  response.status = status;
  return response;
}

std::string plain_path(const Call& call) {
  std::string out;
  for (std::size_t i = 1; i < call.request.segments.size(); ++i) {
    out += (i == 1 ? "" : "/") + call.request.segments[i];
  }
  return out;
}

// Removes what is below `dir` and not locked by others; true if nothing is left.
bool remove_unlocked(Node& dir, const std::vector<const Node*>& locked) {
  std::vector<Node*> gone;
  for (const auto& entry : dir.children) {
    Node& child = *entry.second;
    const bool keep = std::find(locked.begin(), locked.end(), &child) != locked.end();
    if (!keep && (!child.dir || remove_unlocked(child, locked))) gone.push_back(&child);
  }
  for (Node* child : gone) remove_node(*child);
  return dir.children.empty();
}

Response partly_deleted(const Call& call, const std::vector<const Node*>& locked) {
  const Tags tags(call.settings.xml_prefix);
  std::string body = tags.root("multistatus");
  for (const Node* node : locked) {
    body +=
        "\n" + tags.with("response", tags.with("href", href_of(call, path_of(*node), node->dir)) +
                                         tags.with("status", "HTTP/1.1 423 Locked"));
  }
  return Response::text(207, "application/xml; charset=utf-8",
                        body + "\n" + tags.close("multistatus") + "\n");
}

Response delete_top(Call& call, Folder& folder) {
  if (call.settings.root_delete == "refuse") throw HttpError(403, "Not at the top");
  need(call, folder, Permission::kOwner);
  if (!locked_below(call, *folder.root).empty()) throw HttpError(423, "Locked");
  delete_folder(call.state, folder, call.settings.root_delete == "unlink", View::kDav);
  return done(static_cast<int>(call.settings.delete_status));
}

struct Url {
  std::string origin, path;  // origin is empty if there is only a path
};

Url parse_url(std::string_view text) {
  const auto colon = text.find("://");
  if (colon == std::string_view::npos) return {"", std::string(text)};
  const auto slash = text.find('/', colon + 3);
  if (slash == std::string_view::npos) return {std::string(text), "/"};
  return {std::string(text.substr(0, slash)), std::string(text.substr(slash))};
}

Place destination(const Call& call) {
  const std::string_view header = call.request.header("destination");
  if (header.empty()) throw HttpError(400, "Destination is missing");
  const Url url = parse_url(header);
  if (url.path.empty() || url.path[0] != '/') throw HttpError(400, "Destination is not a URL");
  if (!url.origin.empty() && url.origin != origin_of(call) &&
      call.settings.wrong_host_status != 0) {
    throw HttpError(static_cast<int>(call.settings.wrong_host_status), "Destination is elsewhere");
  }
  std::vector<std::string> segments = split_path(url.path);
  if (segments.empty() || segments.front() != "webdav") {
    throw HttpError(403, "Destination is not a file");
  }
  segments.erase(segments.begin());
  return resolve(call, segments, url.path.back() == '/');
}

struct Transfer {
  Call& call;
  Place from, to;
  bool move = false;
  bool replaced = false;

  Response finish() const { return done(replaced ? 204 : 201); }
};

Transfer prepare(Call& call, bool move) {
  Transfer t{call, resolve(call), destination(call), move};
  if (t.from.depth == 0) throw HttpError(403, "The root stays where it is");
  if (t.from.node == nullptr) throw HttpError(404, "Not found");
  if (t.to.depth == 0) throw HttpError(403, "The root is not replaced");
  // Another spelling of the same name, where case is ignored: nothing is replaced by it.
  if (t.to.node == t.from.node && move && t.to.name != t.from.node->name) t.to.node = nullptr;
  if (t.to.node == t.from.node) throw HttpError(403, "Source and destination are the same");
  if (t.to.depth > 1) {
    if (t.to.folder == nullptr || t.to.parent == nullptr || !t.to.parent->dir) {
      throw HttpError(409, "No such directory");
    }
    if (is_below(*t.to.parent, *t.from.node)) throw HttpError(403, "Into itself");
    need(call, *t.to.folder, Permission::kReadWrite);
  }
  need(call, *t.from.folder, move ? Permission::kReadWrite : Permission::kRead);
  if (move) {
    check_unlocked(call, t.from.node, t.from.node->parent);
    if (!locked_below(call, *t.from.node).empty()) throw HttpError(423, "Locked");
  }
  if (t.to.node == nullptr) check_name(call.settings, t.to.name, t.to.depth == 1);
  check_unlocked(call, t.to.node, t.to.parent);
  const bool elsewhere = t.to.folder != nullptr && t.to.folder != t.from.folder;
  if (move && elsewhere && t.from.depth > 1 && !call.settings.cross_move) {
    throw HttpError(502, "The folder is on another server");
  }
  if (t.to.folder != nullptr && (!move || elsewhere)) {
    check_quota(call.state, *t.to.folder, size_below(*t.from.node));
  }
  if (t.to.node != nullptr) {
    if (call.request.header("overwrite") == "F") throw HttpError(412, "The destination exists");
    if (!locked_below(call, *t.to.node).empty()) throw HttpError(423, "Locked");
    if (is_below(*t.from.node, *t.to.node)) throw HttpError(403, "Over a directory above it");
    t.replaced = true;
  }
  return t;
}

// A lock belongs to a place, so it does not travel. Those that are left here are the caller's own.
void drop_locks(Node& node) {
  node.lock.reset();
  for (const auto& child : node.children) drop_locks(*child.second);
}

void clear_target(Transfer& t) {
  if (t.to.node == nullptr) return;
  if (t.to.depth == 1) {
    need(t.call, *t.to.folder, Permission::kOwner);
    delete_folder(t.call.state, *t.to.folder, false, View::kDav);
    t.to.folder = nullptr;
  } else {
    remove_node(*t.to.node);
  }
  t.to.node = nullptr;
}

void move_top(Transfer& t) {
  if (!t.call.settings.root_move) throw HttpError(403, "Not at the top");
  if (t.to.depth > 1) {
    need(t.call, *t.from.folder, Permission::kOwner);
    clear_target(t);
    sink_from_top(t.call.state, *t.from.folder, *t.to.parent, t.to.name);
    return;
  }
  need(t.call, *t.from.folder, Permission::kAdmin);
  clear_target(t);
  rename_folder(t.call.state, *t.from.folder, t.to.name, View::kDav);
}

void to_top(Transfer& t) {
  if (!t.call.settings.root_move || !t.from.node->dir) throw HttpError(403, "Not at the top");
  clear_target(t);
  if (t.move) {
    lift_to_top(t.call.state, t.call.user, *t.from.node, t.to.name);
  } else {
    auto copy = copy_of(t.call.state, t.call.user, *t.from.node, t.to.name, true);
    Folder& folder = create_folder(t.call.state, t.call.user, t.to.name, {}, View::kDav);
    folder.root = std::move(copy);
  }
}

// The target's history goes on where the server works that way, else it ends.
bool became_version(const Transfer& t) {
  if (!t.call.settings.keep_chain || t.to.node == nullptr || t.to.node->dir || t.from.node->dir) {
    return false;
  }
  write_file(t.call.state, t.call.user, *t.to.parent, t.to.node->name, t.from.node->current().blob);
  if (t.move) remove_node(*t.from.node);
  return true;
}

}  // namespace

Response dav_mkcol(Call& call) {
  const Place place = resolve(call);
  if (!call.request.body.empty()) throw HttpError(415, "MKCOL has no body");
  const auto& phantoms = call.settings.phantom_names;
  if (place.exists() ||
      std::find(phantoms.begin(), phantoms.end(), plain_path(call)) != phantoms.end()) {
    throw HttpError(405, "It exists");
  }
  check_name(call.settings, place.name, place.depth == 1);
  if (place.depth == 1) {
    if (!call.settings.root_mkcol) throw HttpError(403, "Not at the top");
    create_folder(call.state, call.user, place.name, {}, View::kDav);
    return done(201);
  }
  if (place.parent == nullptr || !place.parent->dir) throw HttpError(409, "No such directory");
  need(call, *place.folder, Permission::kReadWrite);
  check_unlocked(call, nullptr, place.parent);
  add_dir(call.state, *place.parent, place.name);
  return done(201);
}

Response dav_delete(Call& call) {
  const Place place = resolve(call);
  if (place.depth == 0) throw HttpError(403, "The root stays");
  if (place.node == nullptr) throw HttpError(404, "Not found");
  if (place.depth == 1) return delete_top(call, *place.folder);
  need(call, *place.folder, Permission::kReadWrite);
  check_conditions(call, place.node);
  check_unlocked(call, place.node, place.node->parent);
  const auto locked = locked_below(call, *place.node);
  if (!locked.empty()) {
    remove_unlocked(*place.node, locked);
    return partly_deleted(call, locked);
  }
  remove_node(*place.node);
  return done(static_cast<int>(call.settings.delete_status));
}

Response dav_move(Call& call) {
  Transfer t = prepare(call, true);
  if (t.from.depth > 1 && t.to.depth > 1 && became_version(t)) return t.finish();
  if (t.from.depth == 1) {
    move_top(t);
  } else if (t.to.depth == 1) {
    to_top(t);
  } else {
    clear_target(t);
    move_node(*t.from.node, *t.to.parent, t.to.name);
  }
  drop_locks(*t.from.node);
  return t.finish();
}

Response dav_copy(Call& call) {
  Transfer t = prepare(call, false);
  if (t.to.depth == 1) {
    to_top(t);
    return t.finish();
  }
  if (became_version(t)) return t.finish();
  auto copy =
      copy_of(call.state, call.user, *t.from.node, t.to.name, call.request.header("depth") != "0");
  clear_target(t);
  attach(std::move(copy), *t.to.parent);
  return t.finish();
}

}  // namespace cabinetfs::sandbox::powerfolder
