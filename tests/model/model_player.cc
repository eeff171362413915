#include "tests/model/model_player.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "cache/name_codec.h"

namespace cabinetfs {
namespace {

using Kind = Step::Kind;

HarnessOptions options_of(std::uint64_t seed, bool others, bool path_ids) {
  HarnessOptions options;
  if (path_ids) {
    options.remote = FakeRemoteOptions::path_ids();
    // With others, only versions show that nothing of ours is lost.
    options.remote.capabilities.versions = others || seed % 2 == 0;
    options.remote.hashes = seed % 3 == 0;
  }
  options.remote.seed = seed;
  // Small, so that small files go through sessions of several chunks too.
  options.remote.capabilities.put_max = 64;
  options.remote.capabilities.chunk_size = 32;
  options.encrypt = seed % 4 == 0;
  options.volume.conflict =
      seed % 3 == 0 && others ? ConflictPolicy::kCopy : ConflictPolicy::kVersions;
  options.volume.fresh = others ? std::chrono::milliseconds(0) : std::chrono::milliseconds(10'000);
  if (seed % 5 == 0) options.volume.loaded_nodes = 4;
  return options;
}

bool is_network(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kTimeout;
}

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

ModelPlayer::ModelPlayer(std::uint64_t seed, bool others, bool path_ids)
    : others_(others),
      h_(std::make_unique<VolumeHarness>(FakeRemoteStore::Files{{"d0/f0", "start 0"}, {"d1/", ""}},
                                         options_of(seed, others, path_ids))),
      seed_(seed) {
  model_["d0"] = {};
  model_["d1"] = {};
  model_["d0/f0"] = {std::make_shared<File>(File{"start 0", "start 0"})};
  committed_.insert("start 0");
}

ModelPlayer::~ModelPlayer() { drop_handles(); }

std::string ModelPlayer::path_of(std::uint8_t number) {
  // Half of all paths are of depth two.
  static const std::vector<std::string> names{"f0", "d0", "f1", "d1", ".x"};
  const std::string a = names[number % 5u];
  const std::string b = names[(number / 5u) % 5u];
  if (number % 7u < 2) return a;
  if (number % 7u < 6) return b + "/" + a;
  return b + "/" + a + "/" + names[(number / 25u) % 5u];
}

std::string ModelPlayer::parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

bool ModelPlayer::is_folder(const std::string& path) const {
  if (path.empty()) return true;
  const auto found = model_.find(path);
  return found != model_.end() && found->second.file == nullptr;
}

bool ModelPlayer::is_file(const std::string& path) const {
  const auto found = model_.find(path);
  return found != model_.end() && found->second.file != nullptr;
}

bool ModelPlayer::has_children(const std::string& path) const {
  const auto next = model_.upper_bound(path + "/");
  return next != model_.end() && next->first.starts_with(path + "/");
}

bool ModelPlayer::writers_on(const std::shared_ptr<File>& file) const {
  return std::ranges::any_of(handles_, [&](const Handle& handle) { return handle.file == file; });
}

std::string ModelPlayer::fresh_text(std::uint16_t n) {
  // Unlike any other; up to a few chunks long.
  std::string text = fmt::format("<{}>", next_text_++);
  const std::size_t size = n % 8u == 0 ? 70 + n % 100u : n % 40u;
  while (text.size() < size) text += static_cast<char>('a' + text.size() % 26);
  return text;
}

void ModelPlayer::wrong(const std::string& what) {
  if (wrong_.empty()) wrong_ = what;
}

bool ModelPlayer::check(const std::string& what, const Result<void>& got,
                        std::optional<ErrorCode> expected) {
  if (others_) {
    if (!got && is_strange(got.error().code)) wrong(what + ": " + to_string(got.error()));
    return got.has_value();
  }
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

void ModelPlayer::commit(File& file) {
  file.committed = file.shown;
  committed_.insert(file.committed);
}

void ModelPlayer::after_content(const std::string& path, const std::string& text) {
  committed_.insert(text);
  if (const auto old = acked_.find(path); old != acked_.end()) dropped_.insert(old->second);
  acked_[path] = text;
}

void ModelPlayer::note_dropped(const std::string& path) {
  if (!others_) return;
  if (const Result<std::string> text = h_->read_file(path)) dropped_.insert(*text);
}

void ModelPlayer::write_whole(const std::string& path, const std::string& text) {
  std::optional<ErrorCode> expected;
  if (is_folder(path)) expected = ErrorCode::kIsDirectory;
  if (!others_ && !model_.contains(parent_of(path)) && !parent_of(path).empty())
    expected = ErrorCode::kNotFound;
  else if (is_file(parent_of(path)))
    expected = ErrorCode::kNotDirectory;
  note_dropped(path);
  const Result<void> done = h_->write_file(path, text);
  if (!check("save " + path, done, expected)) return;
  if (others_) return after_content(path, text);
  Node& node = model_[path];
  if (node.file == nullptr) node.file = std::make_shared<File>();
  node.file->shown = text;
  commit(*node.file);
}

void ModelPlayer::forget_tree(const std::string& path) {
  const auto below = [&](const std::string& at) {
    return at == path || at.starts_with(path + "/");
  };
  std::erase_if(model_, [&](const auto& entry) { return below(entry.first); });
  for (const auto& [at, text] : acked_)
    if (below(at)) dropped_.insert(text);
  std::erase_if(acked_, [&](const auto& entry) { return below(entry.first); });
}

void ModelPlayer::move_tree(const std::string& from, const std::string& to) {
  const auto move = [&](auto& map) {
    std::remove_reference_t<decltype(map)> moved;
    for (auto it = map.begin(); it != map.end();) {
      if (it->first == from || it->first.starts_with(from + "/")) {
        moved[to + it->first.substr(from.size())] = it->second;
        it = map.erase(it);
      } else {
        ++it;
      }
    }
    map.merge(moved);
  };
  move(model_);
  move(acked_);
}

void ModelPlayer::rename(const std::string& from, const std::string& to, bool exchange) {
  std::optional<ErrorCode> expected;
  if (!others_) {
    const std::string from_parent = parent_of(from), to_parent = parent_of(to);
    if (is_file(from_parent) || is_file(to_parent)) {
      expected = ErrorCode::kNotDirectory;
      if (!is_folder(from_parent) && !is_file(from_parent)) expected = ErrorCode::kNotFound;
      if (!is_folder(to_parent) && !is_file(to_parent) && is_folder(from_parent))
        expected = ErrorCode::kNotFound;
    } else if (!is_folder(from_parent) || !is_folder(to_parent) || !model_.contains(from)) {
      expected = ErrorCode::kNotFound;
    } else if (from == to) {
      expected = std::nullopt;
    } else if (to.starts_with(from + "/")) {
      expected = ErrorCode::kInvalid;
    } else if (exchange) {
      if (!model_.contains(to))
        expected = ErrorCode::kNotFound;
      else if (from.starts_with(to + "/"))
        expected = ErrorCode::kInvalid;
    } else if (is_folder(from) && is_file(to)) {
      expected = ErrorCode::kNotDirectory;
    } else if (is_file(from) && is_folder(to)) {
      expected = ErrorCode::kIsDirectory;
    } else if (is_folder(to) && has_children(to)) {
      expected = ErrorCode::kNotEmpty;
    }
  }
  if (!exchange && from != to) note_dropped(to);
  const Result<void> done =
      h_->rename(from, to, exchange ? Volume::RenameMode::kExchange : Volume::RenameMode::kReplace);
  if (others_ && !done && done.error().code == ErrorCode::kInvalid &&
      (to.starts_with(from) || from.starts_with(to)))
    return;
  if (!check(fmt::format("{} {} {}", exchange ? "exchange" : "rename", from, to), done, expected))
    return;
  if (from == to) return;
  if (exchange) {
    move_tree(to, "\x01");
    move_tree(from, to);
    move_tree("\x01", from);
  } else {
    forget_tree(to);
    move_tree(from, to);
  }
}

void ModelPlayer::local(const Step& step) {
  const std::string path = path_of(step.a);
  const std::string other = path_of(step.b);
  switch (step.kind) {
    case Kind::kSave:
      return write_whole(path, fresh_text(step.n));
    case Kind::kSaveByRename:
    case Kind::kSaveByBackup: {
      const bool backup = step.kind == Kind::kSaveByBackup;
      if (!others_ && !is_file(path)) return;
      const std::string side = parent_of(path).empty() ? "tmp~" : parent_of(path) + "/tmp~";
      const std::string text = fresh_text(step.n);
      if (backup) rename(path, side, false);
      write_whole(backup ? path : side, text);
      if (!backup) return rename(side, path, false);
      note_dropped(side);
      if (check("unlink " + side, h_->unlink(side), std::nullopt)) forget_tree(side);
      return;
    }
    case Kind::kWriteAt:
    case Kind::kAppend: {
      if (!others_ && !is_file(path)) return;
      const Result<Attributes> now = h_->stat(path);
      if (others_ && (!now || now->kind != NodeKind::kFile)) return;
      const std::string text = fresh_text(static_cast<std::uint16_t>(step.n | 1));
      const std::uint64_t size = now ? now->size : 0;
      const std::uint64_t at = step.kind == Kind::kAppend ? size : step.n % (size + 20);
      if (!others_) {
        if (!check("write " + path, h_->write_at(path, at, text), std::nullopt)) return;
        File& file = *model_.at(path).file;
        if (file.shown.size() < at + text.size()) file.shown.resize(at + text.size(), '\0');
        file.shown.replace(at, text.size(), text);
        return commit(file);
      }
      auto open = h_->open_rw(path);
      if (!open) return;
      const Result<void> written = h_->pwrite(**open, at, text);
      const Result<std::string> whole = h_->read_all(**open);
      const Result<void> closed = h_->close(*open);
      // Whole files only: what cannot be read now may not be readable for the upload either, when
      // others remove what it stands on.
      if (written && closed && whole) after_content(path, *whole);
      if (written && closed && !whole && acked_.contains(path)) acked_.erase(path);
      return;
    }
    case Kind::kTruncate: {
      if (others_ || !is_file(path)) return;
      File& file = *model_.at(path).file;
      std::uint64_t size = step.n % (file.shown.size() + 30);
      if (size == file.shown.size()) ++size;
      if (!check("truncate " + path, h_->truncate(path, size), std::nullopt)) return;
      file.shown.resize(size, '\0');
      if (!writers_on(model_.at(path).file)) commit(file);
      return;
    }
    case Kind::kRename:
      return rename(path, other, false);
    case Kind::kExchange:
      return rename(path, other, true);
    case Kind::kUnlink: {
      std::optional<ErrorCode> expected;
      if (is_folder(path)) expected = ErrorCode::kIsDirectory;
      if (!model_.contains(path))
        expected = is_file(parent_of(path)) ? ErrorCode::kNotDirectory : ErrorCode::kNotFound;
      note_dropped(path);
      if (check("unlink " + path, h_->unlink(path), expected)) forget_tree(path);
      return;
    }
    case Kind::kMkdir: {
      std::optional<ErrorCode> expected;
      if (model_.contains(path)) expected = ErrorCode::kExists;
      if (!is_folder(parent_of(path)))
        expected = is_file(parent_of(path)) ? ErrorCode::kNotDirectory : ErrorCode::kNotFound;
      if (check("mkdir " + path, h_->mkdir(path), expected) && !others_) model_[path] = {};
      return;
    }
    case Kind::kRmdir: {
      std::optional<ErrorCode> expected;
      if (is_file(path)) expected = ErrorCode::kNotDirectory;
      if (is_folder(path) && has_children(path)) expected = ErrorCode::kNotEmpty;
      if (!model_.contains(path))
        expected = is_file(parent_of(path)) ? ErrorCode::kNotDirectory : ErrorCode::kNotFound;
      if (check("rmdir " + path, h_->rmdir(path), expected)) forget_tree(path);
      return;
    }
    case Kind::kCopy: {
      if (others_ || !is_file(path) || model_.contains(other) || !is_folder(parent_of(other)))
        return;
      auto in = h_->open_read(path);
      auto out = h_->create(other);
      if (!in || !out) {
        if (faulty_ && !in && is_network(in.error().code)) return;
        return wrong("copy: open failed");
      }
      model_[other] = {std::make_shared<File>()};
      const Result<std::uint64_t> copied =
          h_->volume->copy_range(h_->call(), **in, 0, **out, 0, 1u << 20);
      if (copied && *copied == model_.at(path).file->shown.size()) {
        model_.at(other).file->shown = model_.at(path).file->shown;
      } else if (!copied && !(faulty_ && is_network(copied.error().code))) {
        wrong("copy " + path + ": " + to_string(copied.error()));
      } else if (copied) {
        wrong("copy " + path + ": short");
      }
      // Something of its own, so that the copy is unlike its source.
      const std::string text = fresh_text(0);
      if (!check("write copy", h_->pwrite(**out, model_.at(other).file->shown.size(), text), {}))
        return;
      model_.at(other).file->shown += text;
      if (check("close copy", h_->close(*out), {})) commit(*model_.at(other).file);
      (void)h_->close(*in);
      return;
    }
    case Kind::kAttributes: {
      const InodeNumber ino = h_->must(path);
      if (!ino) return;
      SetAttributes set;
      set.mode = 0600 + step.n % 64u;
      set.mtime = WallTime(std::chrono::seconds(1'000'000'000 + step.n));
      if (!is_folder(path))
        check(
            "chmod " + path,
            [&]() -> Result<void> {
              TRY(h_->volume->setattr(h_->call(), ino, set, nullptr));
              return {};
            }(),
            std::nullopt);
      return;
    }
    default:
      return;
  }
}

void ModelPlayer::handles(const Step& step) {
  if (step.kind == Kind::kOpen) {
    const std::string path = path_of(step.a);
    if (!is_file(path) || handles_.size() >= 3) return;
    auto open = h_->open_rw(path);
    if (!open) {
      if (!(faulty_ && is_network(open.error().code)))
        wrong("open " + path + ": " + to_string(open.error()));
      return;
    }
    const InodeNumber ino = (*open)->ino();
    handles_.push_back({std::move(*open), model_.at(path).file, ino});
    return;
  }
  if (handles_.empty()) return;
  const std::size_t which = step.a % handles_.size();
  Handle& handle = handles_[which];
  switch (step.kind) {
    case Kind::kHandleWrite: {
      const std::string text = fresh_text(static_cast<std::uint16_t>(step.n | 1));
      const std::uint64_t at = step.n % (handle.file->shown.size() + 10);
      if (!check("write to handle", h_->pwrite(*handle.open, at, text), {})) return;
      std::string& shown = handle.file->shown;
      if (shown.size() < at + text.size()) shown.resize(at + text.size(), '\0');
      shown.replace(at, text.size(), text);
      const Result<std::string> back = h_->pread(*handle.open, at, text.size());
      if (back && *back != text) wrong("a handle reads something else than it wrote");
      return;
    }
    case Kind::kHandleFsync:
      if (check("fsync", h_->volume->fsync(h_->call(), *handle.open), {})) commit(*handle.file);
      return;
    case Kind::kHandleFlush:
      if (check("flush", h_->volume->flush(h_->call(), *handle.open), {})) commit(*handle.file);
      return;
    case Kind::kHandleClose: {
      std::shared_ptr<OpenFile> open = std::move(handle.open);
      const std::shared_ptr<File> file = handle.file;
      handles_.erase(handles_.begin() + static_cast<std::ptrdiff_t>(which));
      if (check("close", h_->close(open), {})) commit(*file);
      return;
    }
    default:
      return;
  }
}

void ModelPlayer::drop_handles() {
  for (Handle& handle : handles_) {
    handle.file->shown = handle.file->committed;
    handle.open.reset();
  }
  handles_.clear();
}

void ModelPlayer::world(const Step& step) {
  switch (step.kind) {
    case Kind::kPass:
      return h_->clock.advance(std::chrono::minutes(1 + step.n % 90u));
    case Kind::kSettle:
      h_->pass_quiet_time();
      (void)h_->eventually([&] { return h_->unsent() == 0; }, std::chrono::seconds(0));
      std::this_thread::sleep_for(std::chrono::microseconds(step.n % 4000u));
      return;
    case Kind::kDrain: {
      h_->pass_quiet_time();
      CallContext call = h_->call();
      call.deadline = h_->clock.steady() + std::chrono::milliseconds(200);
      // flush_to_server commits what handles wrote.
      (void)h_->volume->flush_to_server(call, kRootInode, nullptr);
      for (const Handle& handle : handles_) commit(*handle.file);
      return;
    }
    case Kind::kRestart:
      drop_handles();
      return h_->restart();
    case Kind::kFaults:
      faulty_ = true;
      return h_->faulty.set_chances(seed_ + step.n,
                                    {0.05 + (step.a % 4) * 0.08, 0.05 + (step.b % 4) * 0.08, 0, 0});
    case Kind::kOffline:
      faulty_ = true;
      return h_->faulty.set_offline(true);
    case Kind::kHeal:
      faulty_ = false;
      h_->faulty.heal();
      return h_->faulty.set_offline(false);
    case Kind::kCompare:
      return compare(false);
    default:
      return;
  }
}

void ModelPlayer::they(const Step& step) {
  const std::string path = path_of(step.a);
  const std::string other = path_of(step.b);
  auto tree = h_->remote_tree();
  const auto kind = [&](const std::string& at) {
    if (at.empty()) return '/';
    const auto found = tree.find(at);
    return found == tree.end() ? '-' : found->second == "/" ? '/' : 'f';
  };
  const auto name = path.substr(path.rfind('/') + 1);
  if (path.find(".x") != std::string::npos || other.find(".x") != std::string::npos) return;
  switch (step.kind) {
    case Kind::kTheyWrite:
      if (kind(parent_of(path)) == '/' && kind(path) != '/')
        h_->remote.write_file_as_other(path, "theirs " + fresh_text(step.n));
      return;
    case Kind::kTheyMkdir:
      if (kind(parent_of(path)) == '/' && kind(path) == '-') h_->remote.mkdir_as_other(path);
      return;
    case Kind::kTheyRemove: {
      if (kind(path) == '-') return;
      std::set<std::string> before;
      for (const auto& [at, entry] : h_->remote.deleted()) before.insert(entry.id.value);
      h_->remote.remove_as_other(path);
      for (const auto& [at, entry] : h_->remote.deleted())
        if (!before.contains(entry.id.value)) removed_by_them_.insert(entry.id.value);
      return;
    }
    case Kind::kTheyRename: {
      const std::string to = other.substr(other.rfind('/') + 1);
      const std::string target = parent_of(path).empty() ? to : parent_of(path) + "/" + to;
      if (kind(path) != '-' && kind(target) == '-') h_->remote.rename_as_other(path, to);
      return;
    }
    case Kind::kTheyMove: {
      const std::string target = other.empty() ? name : other + "/" + name;
      if (kind(path) != '-' && kind(other) == '/' && kind(target) == '-' && other != path &&
          !other.starts_with(path + "/"))
        h_->remote.move_as_other(path, other);
      return;
    }
    default:
      return;
  }
}

void ModelPlayer::step(const Step& step) {
  trace_ += to_string(step) + " " + path_of(step.a) + " " + path_of(step.b) + "\n";
  if (step.kind >= Kind::kTheyWrite) return they(step);
  if (step.kind >= Kind::kPass) return world(step);
  if (step.kind >= Kind::kOpen) return handles(step);
  local(step);
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

void ModelPlayer::finish() {
  while (!handles_.empty()) {
    Step close;
    close.kind = Kind::kHandleClose;
    handles(close);
  }
  faulty_ = false;
  h_->faulty.heal();
  h_->faulty.set_offline(false);
  if (!others_) compare(false);
  const bool sent = h_->eventually(
      [&] {
        h_->clock.advance(std::chrono::minutes(10));
        (void)h_->volume->retry(kRootInode);
        return h_->unsent() == 0;
      },
      std::chrono::seconds(20));
  if (!sent) {
    std::string left;
    for (const UnsentItem& item : h_->volume->status().unsent)
      left += fmt::format("\n  {} {} {} {}", item.action, item.path, item.state, item.message);
    return wrong("not sent in the end:" + left);
  }
  h_->go_stale();
  compare(true);
  if (!wrong_.empty()) return;

  const NameCodec codec(h_->remote.capabilities().names, NamePolicy::kEncode);
  TreeDump server;
  for (const auto& [path, entry] : h_->remote.dump()) {
    std::string local;
    for (const std::string& part : split(path, '/'))
      local += (local.empty() ? "" : "/") + codec.to_local(part, RemoteId());
    server[local] = entry.kind == NodeKind::kFolder ? "/" : entry.content;
  }
  const Result<TreeDump> shown = h_->mount_tree();
  if (!shown) return wrong("the mount's tree: " + to_string(shown.error()));
  if (*shown != server) {
    std::string difference;
    for (const auto& [path, content] : server)
      if (!shown->contains(path) || shown->at(path) != content)
        difference += fmt::format("\n  server {}='{}'", path, content);
    for (const auto& [path, content] : *shown)
      if (!server.contains(path) || server.at(path) != content)
        difference += fmt::format("\n  mount {}='{}'", path, content);
    return wrong("mount and server differ:" + difference);
  }

  std::set<std::string> kept;
  const auto look_at = [&](const std::string& path, const FakeRemoteStore::TreeEntry& entry,
                           bool counts) {
    for (std::size_t i = 0; i < entry.versions.size(); ++i) {
      const std::string& text = entry.versions[i];
      // What others had written over by the time that we deleted it is not lost by us.
      if (counts || i + 1 < entry.versions.size()) kept.insert(text);
      if (i > 0 && text == entry.versions[i - 1])
        wrong(fmt::format("{}: '{}' is there twice in a row", path, text));
      if (!text.starts_with("theirs ") && !others_ && !committed_.contains(text))
        wrong(fmt::format("{}: '{}' was never a closed state", path, text));
    }
  };
  for (const auto& [path, entry] : h_->remote.dump()) look_at(path, entry, true);
  for (const auto& [path, entry] : h_->remote.deleted())
    look_at(path + " (deleted)", entry, removed_by_them_.contains(entry.id.value));
  for (const auto& [path, text] : acked_) {
    if (!kept.contains(text) && !dropped_.contains(text))
      wrong(fmt::format("lost: '{}' that was closed as {}", text, path));
  }
}

std::optional<std::string> ModelPlayer::play(const std::vector<Step>& steps) {
  if (const Result<TreeDump> first = h_->mount_tree(); !first)
    wrong("the first look: " + to_string(first.error()));
  for (const Step& each : steps) {
    if (!wrong_.empty()) break;
    step(each);
  }
  if (wrong_.empty()) finish();
  if (wrong_.empty()) return std::nullopt;
  return wrong_ + "\nafter:\n" + trace_;
}

}  // namespace cabinetfs
