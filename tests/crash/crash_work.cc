#include "tests/crash/crash_work.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include "backend/base/text.h"
#include "cache/sqlite_meta_store.h"

namespace cabinetfs {
namespace {

using Kind = CrashOp::Kind;

CallContext soon() { return CallContext::within(std::chrono::seconds(30)); }

std::pair<std::string, std::string> split_path(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

template <class T>
T must(Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "crash test: {}\n", to_string(result.error()));
  std::exit(4);
}

Result<void> save(Volume& volume, const std::string& path, const std::string& text, bool append,
                  bool fsync) {
  const auto [folder, name] = split_path(path);
  TRY_ASSIGN(const InodeNumber parent, volume.find_path(soon(), folder));
  TRY_ASSIGN(Volume::Created made,
             volume.create(soon(), parent, name, 0644, {true, true, !append}, false));
  TRY(volume.write(soon(), *made.file, append ? made.attributes.size : 0, as_bytes(text)));
  if (fsync) TRY(volume.fsync(soon(), *made.file));
  TRY(volume.flush(soon(), *made.file));
  volume.release(std::move(made.file));
  return {};
}

}  // namespace

std::string CrashOp::line() const {
  return fmt::format("{}\t{}\t{}\t{}", static_cast<int>(kind), path, other, text);
}

CrashOp CrashOp::parse(const std::string& line) {
  const std::vector<std::string> parts = split(line, '\t');
  return {static_cast<Kind>(std::stoi(parts.at(0))), parts.at(1), parts.at(2), parts.at(3)};
}

CrashOp next_op(std::mt19937& random, const CrashTree& tree, std::uint64_t number) {
  std::vector<std::string> folders, files, empty, free;
  for (const auto& [path, content] : tree) (content == "/" ? folders : files).push_back(path);
  for (const std::string& folder : folders) {
    const auto next = tree.upper_bound(folder + "/");
    if (next == tree.end() || !next->first.starts_with(folder + "/")) empty.push_back(folder);
  }
  for (const std::string& folder : folders) {
    for (const char* name : {"a", "b", "c"}) {
      if (!tree.contains(folder + "/" + name)) free.push_back(folder + "/" + name);
    }
  }
  const auto one_of = [&](const std::vector<std::string>& all) {
    return all[random() % all.size()];
  };
  std::string text = fmt::format("<{}>", number);
  const std::size_t size = random() % 3 == 0 ? 150 : random() % 60;
  while (text.size() < size) text += static_cast<char>('a' + text.size() % 26);

  for (int tries = 0; tries < 100; ++tries) {
    switch (static_cast<Kind>(random() % 8)) {
      case Kind::kSave:
        if (files.empty() || random() % 2 == 0) {
          if (!free.empty()) return {Kind::kSave, one_of(free), "", text};
        } else {
          return {Kind::kSave, one_of(files), "", text};
        }
        break;
      case Kind::kFsyncedSave:
        if (!files.empty()) return {Kind::kFsyncedSave, one_of(files), "", text};
        break;
      case Kind::kSaveByRename:
        if (!files.empty()) {
          const std::string path = one_of(files);
          return {Kind::kSaveByRename, path, split_path(path).first + "/tmp", text};
        }
        break;
      case Kind::kAppend:
        if (!files.empty()) return {Kind::kAppend, one_of(files), "", text};
        break;
      case Kind::kRename:
        if (!files.empty() && !free.empty())
          return {Kind::kRename, one_of(files), one_of(free), ""};
        break;
      case Kind::kUnlink:
        if (files.size() > 2) return {Kind::kUnlink, one_of(files), "", ""};
        break;
      case Kind::kMkdir:
        if (folders.size() < 6 && !free.empty()) return {Kind::kMkdir, one_of(free), "", ""};
        break;
      case Kind::kRmdir:
        if (folders.size() > 2 && !empty.empty()) return {Kind::kRmdir, one_of(empty), "", ""};
        break;
    }
  }
  return {Kind::kMkdir, fmt::format("d{}", number), "", ""};
}

void apply_op(const CrashOp& op, CrashTree& tree) {
  switch (op.kind) {
    case Kind::kSave:
    case Kind::kFsyncedSave:
    case Kind::kSaveByRename:
      tree[op.path] = op.text;
      return;
    case Kind::kAppend:
      tree[op.path] += op.text;
      return;
    case Kind::kRename: {
      tree[op.other] = tree.at(op.path);
      tree.erase(op.path);
      return;
    }
    case Kind::kUnlink:
    case Kind::kRmdir:
      tree.erase(op.path);
      return;
    case Kind::kMkdir:
      tree[op.path] = "/";
      return;
  }
}

CrashStores CrashStores::open(const std::string& dir, RemoteStore& remote,
                              const std::string& root_path) {
  CrashStores stores;
  Sealer::Key key{};
  key[5] = std::byte{1};
  stores.sealer = Sealer::aes_gcm(key);
  // So that the log is copied often.
  constexpr int kCheckpointFrames = 64;
  stores.meta = must(SqliteMetaStore::open(dir + "/meta.db", *stores.sealer,
                                           {.checkpoint_frames = kCheckpointFrames}));
  ContentOptions content;
  content.cache_dir = dir + "/cache";
  content.staged_dir = dir + "/staged";
  content.min_free_fraction = 0;
  stores.contents = must(ContentStore::open(content, *stores.sealer, remote));
  VolumeOptions options;
  options.upload_delay = std::chrono::milliseconds(2);
  options.fresh = std::chrono::hours(1);
  options.poll_interval = std::chrono::milliseconds(0);
  options.walk_ahead = false;
  options.host = "box";
  options.root_path = root_path;
  stores.volume = must(Volume::open(options, remote, *stores.meta, *stores.contents));
  stores.volume->start();
  return stores;
}

// What an edit stands on may be the version before one of ours that arrived without an answer:
// until that is found out, it cannot be fetched.
Result<std::string> CrashStores::text_of(InodeNumber ino) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (true) {
    TRY_ASSIGN(auto file, volume->open_file(soon(), ino, {true, false, false}));
    std::string text(4096, '\0');
    const Result<std::size_t> got =
        volume->read(soon(), *file, 0, std::as_writable_bytes(std::span(text)));
    volume->release(std::move(file));
    if (got) return text.substr(0, *got);
    if (std::chrono::steady_clock::now() > until) return fail(got.error());
    std::this_thread::yield();
  }
}

CrashTree CrashStores::tree() {
  CrashTree out;
  std::vector<std::pair<std::string, InodeNumber>> pending{{"", kRootInode}};
  while (!pending.empty()) {
    const auto [path, folder] = pending.back();
    pending.pop_back();
    const DirListing listing = must(volume->list(soon(), folder));
    for (const DirEntry& entry : *listing) {
      const std::string at = path.empty() ? entry.name : path + "/" + entry.name;
      if (entry.attributes.kind == NodeKind::kFolder) {
        out[at] = "/";
        pending.emplace_back(at, entry.attributes.ino);
        continue;
      }
      const std::string text = must(text_of(entry.attributes.ino));
      out[at] = text;
    }
  }
  return out;
}

CrashStores::Done CrashStores::perform(const CrashOp& op) {
  const auto done = [&]() -> Result<void> {
    const auto [folder, name] = split_path(op.path);
    TRY_ASSIGN(const InodeNumber parent, volume->find_path(soon(), folder));
    switch (op.kind) {
      case Kind::kSave:
      case Kind::kFsyncedSave:
        return save(*volume, op.path, op.text, false, op.kind == Kind::kFsyncedSave);
      case Kind::kSaveByRename:
        TRY(save(*volume, op.other, op.text, false, true));
        {
          const Result<void> renamed =
              volume->rename(soon(), parent, "tmp", parent, name, Volume::RenameMode::kReplace);
          if (renamed || renamed.error().code != ErrorCode::kCrossDevice) return renamed;
        }
        // As programs do that were told so.
        TRY(save(*volume, op.path, op.text, false, true));
        return volume->unlink(soon(), parent, "tmp");
      case Kind::kAppend:
        return save(*volume, op.path, op.text, true, false);
      case Kind::kRename: {
        const auto [new_folder, new_name] = split_path(op.other);
        TRY_ASSIGN(const InodeNumber new_parent, volume->find_path(soon(), new_folder));
        return volume->rename(soon(), parent, name, new_parent, new_name,
                              Volume::RenameMode::kReplace);
      }
      case Kind::kUnlink:
        return volume->unlink(soon(), parent, name);
      case Kind::kMkdir:
        TRY(volume->mkdir(soon(), parent, name, 0755));
        return {};
      case Kind::kRmdir:
        return volume->rmdir(soon(), parent, name);
    }
    return {};
  }();
  if (done) return Done::kDone;
  if (op.kind == Kind::kRename && done.error().code == ErrorCode::kCrossDevice)
    return Done::kRefused;
  fmt::print(stderr, "crash child: {}: {}\n", op.line(), to_string(done.error()));
  return Done::kFailed;
}

}  // namespace cabinetfs
