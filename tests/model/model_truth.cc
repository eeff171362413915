// What a play must have come to: after each call, and in the end.
#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <set>

#include "cache/name_codec.h"
#include "tests/model/model_player.h"

namespace cabinetfs {
namespace {

// A path with two things wrong: which one is told first is nobody's promise.
bool no_such_path(ErrorCode code) {
  return code == ErrorCode::kNotFound || code == ErrorCode::kNotDirectory;
}

// Which errors a local call may give while somebody else changes the tree.
bool is_strange(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInternal:
    case ErrorCode::kIo:
    case ErrorCode::kCorrupt:
    case ErrorCode::kWouldBlock:
    case ErrorCode::kCancelled:
    case ErrorCode::kInvalid:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool ModelPlayer::check(const std::string& what, const Result<void>& got,
                        std::optional<ErrorCode> expected, Allowed allowed) {
  if (others_) {
    if (!got && is_strange(got.error().code)) wrong(what + ": " + to_string(got.error()));
    return got.has_value();
  }
  if (!got && allowed.network && faulty_ && is_network(got.error().code)) return false;
  if (!got && allowed.cross_device && got.error().code == ErrorCode::kCrossDevice) return false;
  if (!got && !expected && is_network(got.error().code) && faulty_) {
    wrong(what + ": a local change needed the network: " + to_string(got.error()));
  } else if (!got && !expected) {
    wrong(what + ": " + to_string(got.error()));
  } else if (got && expected) {
    wrong(what + ": succeeded, expected " + std::string(to_string(*expected)));
  } else if (!got && got.error().code != *expected &&
             !(no_such_path(got.error().code) && no_such_path(*expected))) {
    wrong(what + ": " + to_string(got.error()) + ", expected " + std::string(to_string(*expected)));
  }
  return got.has_value() && !expected;
}

bool ModelPlayer::needs_lock(InodeNumber ino) const {
  const Result<NodeInfo> info = h_->volume->info(ino);
  return info && info->record.remote && info->record.remote->lock_to_write;
}

bool ModelPlayer::cannot_go(const std::string& from, const std::string& to) const {
  if (!able().move && parent_of(from) != parent_of(to)) return true;
  return !able().rename && from.substr(from.rfind('/') + 1) != to.substr(to.rfind('/') + 1);
}

bool ModelPlayer::is_only_here(const std::string& path) {
  const auto found = model_.find(path);
  if (found == model_.end() || found->second.born != passed_) return false;
  const Result<NodeInfo> info = h_->volume->info(h_->must(path));
  return info && !info->record.remote && info->record.intent.kind == Intent::Kind::kNone;
}

void ModelPlayer::compare(bool in_the_end) {
  const Result<TreeDump> shown = h_->mount_tree();
  if (!shown) {
    if (in_the_end || !(faulty_ && is_network(shown.error().code))) {
      // A handle's version may be gone while others write.
      if (!others_ || in_the_end) wrong("the mount's tree: " + to_string(shown.error()));
    }
    return;
  }
  if (others_) return;
  TreeDump expected;
  for (const auto& [path, node] : model_)
    expected[path] = node.file == nullptr ? "/" : node.file->shown;
  if (*shown == expected) return;
  for (const auto& [path, content] : expected) {
    const auto found = shown->find(path);
    if (found == shown->end()) return wrong("missing in the mount: " + path);
    if (found->second != content)
      return wrong(fmt::format("{}: the mount shows '{}', the model has '{}'", path, found->second,
                               content));
  }
  for (const auto& [path, content] : *shown)
    if (!expected.contains(path)) return wrong("shown by the mount, not in the model: " + path);
}

void ModelPlayer::heal() {
  faulty_ = false;
  h_->faulty.heal();
  server_->heal();
}

std::string ModelPlayer::what_is_left() const {
  std::string left;
  for (const UnsentItem& item : h_->volume->status().unsent)
    left += fmt::format("\n  {} {} {} {}", item.action, item.path, item.state, item.message);
  return left;
}

void ModelPlayer::finish() {
  while (!handles_.empty()) {
    Step close;
    close.kind = Kind::kHandleClose;
    handles(close);
  }
  heal();
  if (!others_) compare(false);
  const bool sent = h_->eventually(
      [&] {
        h_->clock.advance(std::chrono::minutes(10));
        (void)h_->volume->retry(kRootInode);
        return h_->unsent() == 0;
      },
      options_.patience);
  if (!sent) return wrong("not sent in the end:" + what_is_left());
  const bool unlocked = h_->eventually(
      [&] {
        h_->clock.advance(std::chrono::minutes(10));
        return server_->locked_by_us().empty();
      },
      options_.patience);
  if (!unlocked) wrong("locked in the end: " + server_->locked_by_us().front());
  h_->go_stale();
  compare(true);
  if (wrong_.empty()) compare_with_server();
  if (wrong_.empty()) look_at_versions();
}

namespace {

// Names without what tells twins apart.
std::multiset<std::pair<std::string, std::string>> without_marks(const TreeDump& tree,
                                                                 const std::regex& mark) {
  std::multiset<std::pair<std::string, std::string>> out;
  for (const auto& [path, content] : tree) out.emplace(std::regex_replace(path, mark, ""), content);
  return out;
}

}  // namespace

void ModelPlayer::compare_with_server() {
  const NameCodec codec(able().names, NamePolicy::kEncode);
  TreeDump server;
  for (const auto& [path, object] : server_->dump(true)) {
    std::string local;
    for (const std::string& part : split(path, '/'))
      local += (local.empty() ? "" : "/") + codec.to_local(part, RemoteId());
    server[local] = object.kind == NodeKind::kFolder ? "/" : object.versions.back();
  }
  const Result<TreeDump> shown = h_->mount_tree();
  if (!shown) return wrong("the mount's tree: " + to_string(shown.error()));
  if (*shown == server) return;
  // Where a server takes two objects of one name, both are shown; which of them has the plain name
  // is the mount's choice.
  const bool twins = std::ranges::any_of(
      server, [](const auto& entry) { return entry.first.find('#') != std::string::npos; });
  if (twins && without_marks(server, std::regex("#[^/]*")) ==
                   without_marks(*shown, std::regex("~[0-9a-f]{8}(?=/|$)")))
    return;
  std::string difference;
  for (const auto& [path, content] : server)
    if (!shown->contains(path) || shown->at(path) != content)
      difference += fmt::format("\n  server {}='{}'", path, content);
  for (const auto& [path, content] : *shown)
    if (!server.contains(path) || server.at(path) != content)
      difference += fmt::format("\n  mount {}='{}'", path, content);
  wrong("mount and server differ:" + difference);
}

void ModelPlayer::look_at_versions() {
  std::set<std::string> kept;
  const auto look_at = [&](const std::string& path, const ModelServer::Object& object,
                           bool counts) {
    for (std::size_t i = 0; i < object.versions.size(); ++i) {
      const std::string& text = object.versions[i];
      // What others had written over by the time that we deleted it is not lost by us.
      if (counts || i + 1 < object.versions.size()) kept.insert(text);
      if (i > 0 && text == object.versions[i - 1])
        wrong(fmt::format("{}: '{}' is there twice in a row", path, text));
      if (!text.starts_with("theirs ") && !others_ && !committed_.contains(text))
        wrong(fmt::format("{}: '{}' was never a closed state", path, text));
    }
  };
  for (const auto& [path, object] : server_->dump(true)) look_at(path, object, true);
  for (const auto& object : server_->deleted_by_us()) look_at("what we deleted", object, false);
  for (const auto& object : server_->deleted_by_them()) look_at("what they deleted", object, true);
  for (const auto& [path, text] : acked_) {
    if (!kept.contains(text) && !dropped_.contains(text))
      wrong(fmt::format("lost: '{}' that was closed as {}", text, path));
  }
}

}  // namespace cabinetfs
