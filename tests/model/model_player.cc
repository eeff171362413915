#include "tests/model/model_player.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <thread>

namespace cabinetfs {

ModelPlayer::ModelPlayer(PlayOptions options)
    : options_(std::move(options)),
      others_(options_.others),
      server_(options_.server),
      seed_(options_.seed) {
  const std::string first = "d0/" + options_.names.front();
  h_ = std::make_unique<VolumeHarness>(FakeRemoteStore::Files{{first, "start 0"}, {"d1/", ""}},
                                       options_.harness);
  if (server_ == nullptr) server_ = make_fake_model_server(h_->remote);
  model_["d0"] = {};
  model_["d1"] = {};
  model_[first] = {std::make_shared<File>(File{"start 0", "start 0"})};
  committed_.insert("start 0");
}

ModelPlayer::~ModelPlayer() { drop_handles(); }

std::string ModelPlayer::path_of(std::uint8_t number) const {
  // Half of all paths are of depth two.
  const std::vector<std::string>& names = options_.names;
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

bool ModelPlayer::write_whole(const std::string& path, const std::string& text) {
  std::optional<ErrorCode> expected;
  if (is_folder(path)) expected = ErrorCode::kIsDirectory;
  if (!others_ && !model_.contains(parent_of(path)) && !parent_of(path).empty())
    expected = ErrorCode::kNotFound;
  else if (is_file(parent_of(path)))
    expected = ErrorCode::kNotDirectory;
  note_dropped(path);
  const Allowed allowed{!others_ && is_file(path) && needs_lock(path), false};
  const Result<void> done = h_->write_file(path, text);
  if (!check("save " + path, done, expected, allowed)) return false;
  if (others_) {
    after_content(path, text);
    return true;
  }
  Node& node = model_[path];
  if (node.file == nullptr) node = {std::make_shared<File>(), passed_};
  node.file->shown = text;
  commit(*node.file);
  return true;
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

bool ModelPlayer::rename(const std::string& from, const std::string& to, bool exchange) {
  std::optional<ErrorCode> expected;
  Allowed allowed{};
  bool only_here = false;
  if (!others_) {
    allowed.cross_device = cannot_go(from, to) || (exchange && cannot_go(to, from));
    allowed.network = !exchange && is_file(to) && needs_lock(to);
    only_here = is_only_here(from) && (!exchange || is_only_here(to));
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
    return false;
  const std::string what = fmt::format("{} {} {}", exchange ? "exchange" : "rename", from, to);
  cross_device_ = !done && done.error().code == ErrorCode::kCrossDevice && !expected;
  if (cross_device_ && only_here) wrong(what + ": refused, and the server does not know of it");
  if (!check(what, done, expected, allowed)) return false;
  if (from == to) return true;
  if (exchange) {
    move_tree(to, "\x01");
    move_tree(from, to);
    move_tree("\x01", from);
  } else {
    forget_tree(to);
    move_tree(from, to);
  }
  return true;
}

void ModelPlayer::copy_and_remove(const std::string& from, const std::string& to, std::uint16_t n) {
  if (!others_ && (!is_file(from) || is_folder(to))) return;
  const Result<Attributes> there = h_->stat(from);
  if (!there || there->kind != NodeKind::kFile) return;
  if (!write_whole(to, fresh_text(n))) return;
  note_dropped(from);
  if (check("unlink " + from, h_->unlink(from), std::nullopt)) forget_tree(from);
}

void ModelPlayer::local(const Step& step) {
  const std::string path = path_of(step.a);
  const std::string other = path_of(step.b);
  switch (step.kind) {
    case Kind::kSave:
      write_whole(path, fresh_text(step.n));
      return;
    case Kind::kSaveByRename:
    case Kind::kSaveByBackup: {
      const bool backup = step.kind == Kind::kSaveByBackup;
      if (!others_ && !is_file(path)) return;
      const std::string side = parent_of(path).empty() ? "tmp~" : parent_of(path) + "/tmp~";
      const std::string text = fresh_text(step.n);
      if (!backup) {
        if (write_whole(side, text)) rename(side, path, false);
        return;
      }
      // Where a rename is not possible, the backup is a copy.
      if (!rename(path, side, false) && cross_device_) write_whole(side, fresh_text(step.n));
      write_whole(path, text);
      if (!others_ && !is_file(side)) return;
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
        const Allowed allowed{needs_lock(path), false};
        if (!check("write " + path, h_->write_at(path, at, text), std::nullopt, allowed)) return;
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
      const Allowed allowed{needs_lock(path), false};
      if (!check("truncate " + path, h_->truncate(path, size), std::nullopt, allowed)) return;
      file.shown.resize(size, '\0');
      if (!writers_on(model_.at(path).file)) commit(file);
      return;
    }
    case Kind::kRename:
      if (!rename(path, other, false) && cross_device_) copy_and_remove(path, other, step.n);
      return;
    case Kind::kExchange:
      rename(path, other, true);
      return;
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
      if (check("mkdir " + path, h_->mkdir(path), expected) && !others_)
        model_[path] = {nullptr, passed_};
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
      model_[other] = {std::make_shared<File>(), passed_};
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
      const Allowed allowed{needs_lock(handle.ino), false};
      if (!check("write to handle", h_->pwrite(*handle.open, at, text), {}, allowed)) return;
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
  if (step.kind == Kind::kPass || step.kind == Kind::kSettle || step.kind == Kind::kDrain)
    ++passed_;
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
      if (step.n % 2 == 0) server_->trouble(step.n / 2u);
      return h_->faulty.set_chances(seed_ + step.n,
                                    {0.05 + (step.a % 4) * 0.08, 0.05 + (step.b % 4) * 0.08, 0, 0});
    case Kind::kOffline:
      faulty_ = true;
      return h_->faulty.set_offline(true);
    case Kind::kHeal:
      return heal();
    case Kind::kCompare:
      return compare(false);
    default:
      return;
  }
}

void ModelPlayer::they(const Step& step) {
  const std::string path = path_of(step.a);
  const std::string other = path_of(step.b);
  const auto tree = server_->dump(false);
  const auto kind = [&](const std::string& at) {
    if (at.empty()) return '/';
    const auto found = tree.find(at);
    if (found == tree.end()) return '-';
    return found->second.kind == NodeKind::kFolder ? '/' : 'f';
  };
  const auto name = path.substr(path.rfind('/') + 1);
  if (path.find(".x") != std::string::npos || other.find(".x") != std::string::npos) return;
  switch (step.kind) {
    case Kind::kTheyWrite:
      if (kind(parent_of(path)) == '/' && kind(path) != '/')
        server_->write(path, "theirs " + fresh_text(step.n));
      return;
    case Kind::kTheyMkdir:
      if (kind(parent_of(path)) == '/' && kind(path) == '-') server_->mkdir(path);
      return;
    case Kind::kTheyRemove:
      if (kind(path) != '-') server_->remove(path);
      return;
    case Kind::kTheyRename: {
      const std::string to = other.substr(other.rfind('/') + 1);
      const std::string target = parent_of(path).empty() ? to : parent_of(path) + "/" + to;
      if (kind(path) != '-' && kind(target) == '-') server_->rename(path, to);
      return;
    }
    case Kind::kTheyMove: {
      const std::string target = other.empty() ? name : other + "/" + name;
      if (kind(path) != '-' && kind(other) == '/' && kind(target) == '-' && other != path &&
          !other.starts_with(path + "/"))
        server_->move(path, other);
      return;
    }
    default:
      return;
  }
}

void ModelPlayer::step(const Step& step) {
  trace_ += to_string(step) + " " + path_of(step.a) + " " + path_of(step.b) + "\n";
  if (step.kind >= Kind::kTheyWrite) {
    try {
      they(step);
    } catch (const std::exception& cannot) {
      // Ours got there first, or the vendor has no such thing.
      trace_ += std::string("  not done: ") + cannot.what() + "\n";
    }
    return;
  }
  if (step.kind >= Kind::kPass) return world(step);
  if (step.kind >= Kind::kOpen) return handles(step);
  local(step);
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
