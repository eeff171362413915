#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "tools/sandbox/kiteworks/oauth.h"
#include "tools/sandbox/powerfolder/dav.h"
#include "tools/sandbox/powerfolder/ops.h"
#include "tools/sandbox/powerfolder/xml.h"

// LOCK and UNLOCK, and what they mean for others.

namespace cabinetfs::sandbox::powerfolder {
namespace {

bool live(const Node& node) {
  return node.lock && (node.lock->expires == 0 || node.lock->expires > now_ms());
}

// Whether the request proves that the lock is its own.
bool holds(const Call& call, const Lock& lock) {
  return !lock.editor && lock.user_id == call.user.id &&
         call.request.header("if").find("<" + lock.token + ">") != std::string_view::npos;
}

void gather(const Call& call, const Node& dir, std::vector<const Node*>& out) {
  for (const auto& entry : dir.children) {
    const Node& child = *entry.second;
    if (live(child) && !holds(call, *child.lock)) out.push_back(&child);
    gather(call, child, out);
  }
}

std::int64_t seconds_of(const Call& call) {
  std::int64_t wanted = call.settings.lock_timeout;
  std::string_view header = call.request.header("timeout");
  header = header.substr(0, header.find(','));
  if (header.rfind("Second-", 0) == 0) {
    header.remove_prefix(7);
    std::from_chars(header.data(), header.data() + header.size(), wanted);
  }
  return std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(call.settings.lock_timeout, 1));
}

Response lock_answer(const Call& call, const Node& node, int status) {
  const Tags tags(call.settings.xml_prefix);
  Response response =
      Response::text(status, "application/xml; charset=utf-8",
                     tags.root("prop") + tags.with("lockdiscovery", lock_discovery(call, &node)) +
                         tags.close("prop") + "\n");
  return response;
}

}  // namespace

void check_unlocked(const Call& call, const Node* node, const Node* parent) {
  const auto refuse = [] { throw HttpError(423, "Locked", "lock-token-submitted"); };
  if (node != nullptr && live(*node) && !holds(call, *node->lock)) refuse();
  if (parent != nullptr && live(*parent) && !holds(call, *parent->lock)) refuse();
  const Node* at = node != nullptr ? node->parent : parent;
  for (; at != nullptr; at = at->parent) {
    if (live(*at) && at->lock->deep && !holds(call, *at->lock)) refuse();
  }
}

std::vector<const Node*> locked_below(const Call& call, const Node& dir) {
  std::vector<const Node*> out;
  gather(call, dir, out);
  return out;
}

std::string lock_discovery(const Call& call, const Node* node) {
  if (node == nullptr || !live(*node)) return {};
  const Tags tags(call.settings.xml_prefix);
  const Lock& lock = *node->lock;
  const std::int64_t left =
      lock.expires == 0 ? 0 : std::max<std::int64_t>((lock.expires - now_ms() + 999) / 1000, 0);
  return tags.with(
      "activelock",
      tags.with("locktype", tags.empty("write")) + tags.with("lockscope", tags.empty("exclusive")) +
          tags.with("depth", lock.deep ? "infinity" : "0") +
          tags.with("owner", xml_escape(lock.owner)) +
          tags.with("timeout", lock.expires == 0 ? "Infinite" : fmt::format("Second-{}", left)) +
          tags.with("locktoken", tags.with("href", xml_escape(lock.token))) +
          tags.with("lockroot", tags.with("href", href_of(call, path_of(*node), node->dir))));
}

Response dav_lock(Call& call) {
  if (!call.settings.locks) throw HttpError(405, "No locks here");
  const Place place = resolve(call);
  if (place.depth == 0) throw HttpError(403, "The root is not locked");
  if (place.node == nullptr && place.parent == nullptr) throw HttpError(409, "No such directory");
  need(call, *place.folder, Permission::kReadWrite);
  if (call.request.body.empty()) {  // a refresh
    if (place.node == nullptr || !live(*place.node) || !holds(call, *place.node->lock)) {
      throw HttpError(412, "No such lock", "lock-token-matches-request-uri");
    }
    place.node->lock->expires = now_ms() + seconds_of(call) * 1000;
    return lock_answer(call, *place.node, 200);
  }
  const LockBody wanted = parse_lock(call.request.body);
  if (wanted.shared) throw HttpError(403, "Locks are exclusive");
  check_unlocked(call, place.node, place.node == nullptr ? place.parent : nullptr);
  if (place.node != nullptr && (live(*place.node) || !locked_below(call, *place.node).empty())) {
    throw HttpError(423, "Locked", "no-conflicting-lock");
  }
  Node* node = place.node;
  if (node == nullptr) {
    check_name(call.settings, place.name, false);
    node = &write_file(call.state, call.user, *place.parent, place.name,
                       std::make_shared<Blob>(std::string()));
  }
  Lock lock;
  const std::string random = kiteworks::random_hex(16);
  lock.token =
      fmt::format("opaquelocktoken:{}-{}-{}-{}-{}", random.substr(0, 8), random.substr(8, 4),
                  random.substr(12, 4), random.substr(16, 4), random.substr(20));
  lock.user_id = call.user.id;
  lock.owner = wanted.owner;
  lock.expires = now_ms() + seconds_of(call) * 1000;
  lock.deep = call.request.header("depth") != "0";
  node->lock = lock;
  Response response = lock_answer(call, *node, place.node == nullptr ? 201 : 200);
  response.headers.emplace_back("Lock-Token", "<" + lock.token + ">");
  return response;
}

Response dav_unlock(Call& call) {
  if (!call.settings.locks) throw HttpError(405, "No locks here");
  const Place place = resolve(call);
  if (place.node == nullptr) throw HttpError(404, "Not found");
  const std::string_view token = call.request.header("lock-token");
  if (token.empty()) throw HttpError(400, "Lock-Token is missing");
  if (!live(*place.node) || token != "<" + place.node->lock->token + ">") {
    throw HttpError(409, "No such lock", "lock-token-matches-request-uri");
  }
  if (place.node->lock->user_id != call.user.id) throw HttpError(403, "Not your lock");
  place.node->lock.reset();
  Response response;
  response.status = 204;
  return response;
}

}  // namespace cabinetfs::sandbox::powerfolder
