#include "tests/unit/cache/tree/volume_harness.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "backend/base/log.h"

namespace cabinetfs {
namespace {

[[noreturn]] void broken(const std::string& what) {
  fmt::print(stderr, "VolumeHarness: {}\n", what);
  std::abort();
}

template <class T>
T must_have(Result<T> result, const char* what) {
  if (!result) broken(fmt::format("{}: {}", what, to_string(result.error())));
  return std::move(*result);
}

std::string make_dir() {
  std::string name = std::filesystem::temp_directory_path() / "cabinetfs-volume-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) broken("no temporary directory");
  return name;
}

void quiet_log() {
  LogOptions log;
  log.level = std::getenv("CABINETFS_TEST_LOG") != nullptr ? LogLevel::kDebug : LogLevel::kOff;
  configure_log(log);
}

}  // namespace

bool RecordingNotifier::told_of(InodeNumber ino, bool data) const {
  MutexLock lock(mutex_);
  return std::ranges::find(inodes_, std::pair(ino, data)) != inodes_.end();
}

bool RecordingNotifier::told_of_entry(InodeNumber parent, const std::string& name) const {
  MutexLock lock(mutex_);
  return std::ranges::find(entries_, std::pair(parent, name)) != entries_.end();
}

VolumeHarness::VolumeHarness(const FakeRemoteStore::Files& files, const HarnessOptions& with)
    : options(with), remote(files, with.remote), faulty(remote), dir_(make_dir()) {
  static const bool logging = (quiet_log(), true);
  (void)logging;
  Sealer::Key key{};
  key[0] = std::byte{7};
  sealer_ = options.encrypt ? Sealer::aes_gcm(key) : Sealer::plain();
  start_again();
}

VolumeHarness::~VolumeHarness() {
  shut_down();
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

void VolumeHarness::start_again() {
  if (options.connect) faulty.wrap(options.connect());
  meta_ = must_have(MetaStore::open(dir_ + "/meta.db", *sealer_), "the metadata store");
  ContentOptions content;
  content.cache_dir = dir_ + "/cache";
  content.staged_dir = dir_ + "/staged";
  content.min_free_fraction = 0;
  if (options.cache_max_bytes != 0) content.cache_max_bytes = options.cache_max_bytes;
  if (options.memory_bytes != 0) content.memory_bytes = options.memory_bytes;
  contents_ = must_have(ContentStore::open(content, *sealer_, faulty), "the content store");
  volume = must_have(Volume::open(options.volume, faulty, *meta_, *contents_, clock), "the volume");
  volume->set_notifier(&notifier);
  if (options.start) volume->start();
}

void VolumeHarness::shut_down() {
  volume.reset();
  contents_.reset();
  meta_.reset();
}

void VolumeHarness::restart() {
  shut_down();
  start_again();
}

std::set<std::string> VolumeHarness::staged_files() const {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir_ + "/staged"))
    names.insert(entry.path().filename());
  return names;
}

std::set<std::string> VolumeHarness::files_with(const std::string& text) const {
  std::set<std::string> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    if (bytes.find(text) != std::string::npos) found.insert(entry.path());
  }
  return found;
}

void VolumeHarness::damage_staged_files() const {
  for (const std::string& name : staged_files())
    std::filesystem::resize_file(dir_ + "/staged/" + name, 0);
}

CallContext VolumeHarness::call() const {
  CallContext call;
  call.deadline = clock.steady() + std::chrono::seconds(30);
  return call;
}

CallContext VolumeHarness::local_only() const {
  CallContext local = call();
  local.may_block = false;
  return local;
}

Result<void> VolumeHarness::drain(const std::string& path) {
  TRY_ASSIGN(const InodeNumber top, ino(path));
  return volume->flush_to_server(call(), top, nullptr);
}

void VolumeHarness::advance(std::chrono::nanoseconds span) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  const auto in_flight = [this] {
    return options.connect ? faulty.in_flight() : remote.in_flight();
  };
  while (in_flight() > 0 && std::chrono::steady_clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  clock.advance(span);
}

bool VolumeHarness::eventually(const std::function<bool()>& condition,
                               std::chrono::seconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::pair<std::string, std::string> VolumeHarness::split_path(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

Result<InodeNumber> VolumeHarness::ino(const std::string& path) {
  return volume->find_path(call(), path);
}

InodeNumber VolumeHarness::must(const std::string& path) { return ino(path).value_or(kNoInode); }

Result<Attributes> VolumeHarness::stat(const std::string& path) {
  TRY_ASSIGN(const InodeNumber node, ino(path));
  return volume->getattr(call(), node);
}

Result<std::shared_ptr<OpenFile>> VolumeHarness::open(const std::string& path, OpenFlags flags) {
  TRY_ASSIGN(const InodeNumber node, ino(path));
  return volume->open_file(call(), node, flags);
}

Result<std::shared_ptr<OpenFile>> VolumeHarness::open_rw(const std::string& path) {
  return open(path, {true, true, false});
}

Result<std::shared_ptr<OpenFile>> VolumeHarness::open_read(const std::string& path) {
  return open(path, {true, false, false});
}

Result<std::shared_ptr<OpenFile>> VolumeHarness::create(const std::string& path, bool exclusive) {
  const auto [folder, name] = split_path(path);
  TRY_ASSIGN(const InodeNumber parent, ino(folder));
  TRY_ASSIGN(Volume::Created made,
             volume->create(call(), parent, name, 0644, {true, true, true}, exclusive));
  return std::move(made.file);
}

Result<void> VolumeHarness::close(std::shared_ptr<OpenFile>& file) {
  Result<void> flushed = volume->flush(call(), *file);
  volume->release(std::move(file));
  file.reset();
  return flushed;
}

Result<void> VolumeHarness::pwrite(OpenFile& file, std::uint64_t offset, const std::string& bytes) {
  return volume->write(call(), file, offset, as_bytes(bytes));
}

Result<std::string> VolumeHarness::pread(OpenFile& file, std::uint64_t offset, std::size_t length) {
  std::string out(length, '\0');
  TRY_ASSIGN(const std::size_t got,
             volume->read(call(), file, offset, std::as_writable_bytes(std::span(out))));
  out.resize(got);
  return out;
}

Result<std::string> VolumeHarness::read_all(OpenFile& file) {
  std::string all;
  while (true) {
    TRY_ASSIGN(const std::string part, pread(file, all.size(), 1u << 20));
    if (part.empty()) return all;
    all += part;
  }
}

Result<void> VolumeHarness::write_file(const std::string& path, const std::string& bytes) {
  TRY_ASSIGN(std::shared_ptr<OpenFile> file, create(path));
  const Result<void> written = bytes.empty() ? Result<void>() : pwrite(*file, 0, bytes);
  const Result<void> closed = close(file);
  return written ? closed : written;
}

Result<void> VolumeHarness::write_at(const std::string& path, std::uint64_t offset,
                                     const std::string& bytes) {
  TRY_ASSIGN(std::shared_ptr<OpenFile> file, open_rw(path));
  const Result<void> written = pwrite(*file, offset, bytes);
  const Result<void> closed = close(file);
  return written ? closed : written;
}

Result<std::string> VolumeHarness::read_file(const std::string& path) {
  TRY_ASSIGN(std::shared_ptr<OpenFile> file, open_read(path));
  Result<std::string> all = read_all(*file);
  TRY(close(file));
  return all;
}

std::string VolumeHarness::text(const std::string& path) {
  Result<std::string> all = read_file(path);
  return all ? *all : to_string(all.error());
}

Result<void> VolumeHarness::mkdir(const std::string& path) {
  const auto [folder, name] = split_path(path);
  TRY_ASSIGN(const InodeNumber parent, ino(folder));
  TRY(volume->mkdir(call(), parent, name, 0755));
  return {};
}

Result<void> VolumeHarness::mkdir_p(const std::string& path) {
  std::string at;
  for (const std::string& part : split(path, '/')) {
    at += (at.empty() ? "" : "/") + part;
    if (!exists(at)) TRY(mkdir(at));
  }
  return {};
}

Result<void> VolumeHarness::unlink(const std::string& path) {
  const auto [folder, name] = split_path(path);
  TRY_ASSIGN(const InodeNumber parent, ino(folder));
  return volume->unlink(call(), parent, name);
}

Result<void> VolumeHarness::rmdir(const std::string& path) {
  const auto [folder, name] = split_path(path);
  TRY_ASSIGN(const InodeNumber parent, ino(folder));
  return volume->rmdir(call(), parent, name);
}

Result<void> VolumeHarness::remove_tree(const std::string& path) {
  TRY_ASSIGN(const InodeNumber folder, ino(path));
  TRY_ASSIGN(const DirListing listing, volume->list(call(), folder));
  for (const DirEntry& entry : *listing) {
    const std::string below = path + "/" + entry.name;
    TRY(entry.attributes.kind == NodeKind::kFolder ? remove_tree(below) : unlink(below));
  }
  return rmdir(path);
}

Result<void> VolumeHarness::rename(const std::string& from, const std::string& to,
                                   Volume::RenameMode mode) {
  const auto [from_folder, from_name] = split_path(from);
  const auto [to_folder, to_name] = split_path(to);
  TRY_ASSIGN(const InodeNumber parent, ino(from_folder));
  TRY_ASSIGN(const InodeNumber new_parent, ino(to_folder));
  return volume->rename(call(), parent, from_name, new_parent, to_name, mode);
}

Result<void> VolumeHarness::truncate(const std::string& path, std::uint64_t size) {
  TRY_ASSIGN(const InodeNumber node, ino(path));
  SetAttributes set;
  set.size = size;
  TRY(volume->setattr(call(), node, set, nullptr));
  return {};
}

Result<std::vector<std::string>> VolumeHarness::names(const std::string& path) {
  TRY_ASSIGN(const InodeNumber folder, ino(path));
  TRY_ASSIGN(const DirListing listing, volume->list(call(), folder));
  std::vector<std::string> out;
  for (const DirEntry& entry : *listing) out.push_back(entry.name);
  return out;
}

std::string VolumeHarness::state(const std::string& path) {
  const Result<InodeNumber> node = ino(path);
  if (!node) return to_string(node.error());
  const Result<NodeInfo> info = volume->info(*node);
  return info ? info->state : to_string(info.error());
}

Result<TreeDump> VolumeHarness::mount_tree(bool contents) {
  TreeDump out;
  std::vector<std::pair<std::string, InodeNumber>> pending{{"", kRootInode}};
  while (!pending.empty()) {
    const auto [path, folder] = pending.back();
    pending.pop_back();
    TRY_ASSIGN(const DirListing listing, volume->list(call(), folder));
    for (const DirEntry& entry : *listing) {
      const std::string at = path.empty() ? entry.name : path + "/" + entry.name;
      if (entry.attributes.kind == NodeKind::kFolder) {
        out[at] = "/";
        pending.emplace_back(at, entry.attributes.ino);
      } else if (contents) {
        TRY_ASSIGN(std::shared_ptr<OpenFile> file,
                   volume->open_file(call(), entry.attributes.ino, {true, false, false}));
        Result<std::string> all = read_all(*file);
        TRY(close(file));
        if (!all) {
          all.error().context = at + ": " + all.error().context;
          return fail(all.error());
        }
        out[at] = *all;
      } else {
        out[at] = std::to_string(entry.attributes.size);
      }
    }
  }
  return out;
}

TreeDump VolumeHarness::remote_tree() const {
  TreeDump out;
  for (const auto& [path, entry] : remote.dump())
    out[path] = entry.kind == NodeKind::kFolder ? "/" : entry.content;
  return out;
}

std::vector<std::string> VolumeHarness::versions(const std::string& remote_path) const {
  const auto all = remote.dump();
  const auto found = all.find(remote_path);
  return found == all.end() ? std::vector<std::string>() : found->second.versions;
}

std::string pattern_text(std::size_t size, unsigned seed) {
  std::string out(size, '\0');
  std::uint32_t state = seed * 2654435761u + 12345u;
  for (char& c : out) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return out;
}

}  // namespace cabinetfs
