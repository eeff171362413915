// A volume that knows a million entries: how long until it can be used after a restart, and how
// much memory it holds.
//
//   bench-million DIR [FOLDERS [FILES-PER-FOLDER]]
//
// Prints {"entries","first_walk_s","ready_ms","resident_mib","walked"}. The server is made up in
// memory, costs nothing and answers at once: what is measured is the tree and its store.

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "backend/remote_store.h"
#include "cache/content.h"
#include "cache/meta_store.h"
#include "cache/sealer.h"
#include "cache/volume.h"

namespace cabinetfs {
namespace {

template <class T>
T must(Result<T> result, const char* what) {
  if (result) return *std::move(result);
  std::fprintf(stderr, "bench-million: %s: %s\n", what, to_string(result.error()).c_str());
  std::exit(1);
}

// "dN" has the files "dN/M".
class MadeUpStore final : public RemoteStore {
 public:
  MadeUpStore(std::size_t folders, std::size_t files) : folders_(folders), files_(files) {}

  const Capabilities& capabilities() const override { return capabilities_; }
  Result<RemoteAccount> account(const CallContext&) override { return RemoteAccount{}; }
  Result<RemoteEntry> root(const CallContext&) override {
    RemoteEntry root;
    root.id.value = "root";
    root.kind = NodeKind::kFolder;
    root.rights = Rights::all();
    return root;
  }
  Result<std::vector<RemoteEntry>> list(const CallContext&, const RemoteId& folder) override {
    const bool top = folder.value == "root";
    std::vector<RemoteEntry> entries(top ? folders_ : files_);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      RemoteEntry& entry = entries[i];
      entry.kind = top ? NodeKind::kFolder : NodeKind::kFile;
      entry.parent = folder;
      entry.id.value = top ? fmt::format("d{}", i) : fmt::format("{}/{:06}", folder.value, i);
      entry.name =
          top ? fmt::format("Department {:05}", i) : fmt::format("Drawing {:06} revision b.pdf", i);
      entry.size = top ? 0 : 10'000 + i;
      entry.modified = entry.changed = entry.created =
          WallTime(std::chrono::seconds(1'700'000'000 + i));
      if (!top) entry.validator.value = fmt::format("{}-1", i);
      entry.rights = Rights::all();
      entry.mime = top ? "" : "application/pdf";
      entry.creator = entry.modifier = "alice@example.com";
    }
    return entries;
  }
  Result<RemoteEntry> stat(const CallContext&, NodeKind, const RemoteId&) override {
    return no<RemoteEntry>();
  }
  Result<std::optional<RemoteEntry>> find_child(const CallContext&, const RemoteId&,
                                                const std::string&) override {
    return no<std::optional<RemoteEntry>>();
  }
  Result<void> read(const CallContext&, const ReadRequest&, const ByteSink&) override {
    return no<void>();
  }
  Result<RemoteEntry> create_folder(const CallContext&, const RemoteId&,
                                    const std::string&) override {
    return no<RemoteEntry>();
  }
  Result<RemoteEntry> rename(const CallContext&, NodeKind, const RemoteId&,
                             const std::string&) override {
    return no<RemoteEntry>();
  }
  Result<RemoteEntry> move(const CallContext&, NodeKind, const RemoteId&,
                           const RemoteId&) override {
    return no<RemoteEntry>();
  }
  Result<void> remove(const CallContext&, NodeKind, const RemoteId&) override { return no<void>(); }
  Result<RemoteEntry> put(const CallContext&, const UploadTarget&, Bytes) override {
    return no<RemoteEntry>();
  }

 private:
  template <class T>
  static Result<T> no() {
    return fail(ErrorCode::kNotSupported, "a made-up server");
  }
  const std::size_t folders_;
  const std::size_t files_;
  const Capabilities capabilities_;
};

std::size_t resident_mib() {
  std::ifstream statm("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  statm >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) >> 20;
}

double seconds_since(std::chrono::steady_clock::time_point from) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - from).count();
}

struct Stores {
  std::unique_ptr<Sealer> sealer;
  std::unique_ptr<MetaStore> meta;
  std::unique_ptr<ContentStore> contents;
  std::unique_ptr<Volume> volume;

  Stores(const std::string& dir, RemoteStore& remote) : sealer(Sealer::aes_gcm(Sealer::Key{})) {
    meta = must(MetaStore::open(dir + "/meta.db", *sealer), "the metadata store");
    ContentOptions content;
    content.cache_dir = dir + "/cache";
    content.staged_dir = dir + "/staged";
    contents = must(ContentStore::open(content, *sealer, remote), "the content store");
    VolumeOptions options;
    options.poll_interval = std::chrono::milliseconds(0);
    options.walk_ahead = false;
    volume = must(Volume::open(options, remote, *meta, *contents), "the volume");
    volume->start();
  }
  ~Stores() {
    volume->stop();
    volume.reset();
    contents->shutdown();
  }
};

CallContext soon() { return CallContext::within(std::chrono::seconds(60)); }

std::size_t walk(Volume& volume) {
  const DirListing top = must(volume.list(soon(), kRootInode), "list");
  std::size_t entries = top->size();
  for (const DirEntry& folder : *top)
    entries += must(volume.list(soon(), folder.attributes.ino), "list")->size();
  return entries;
}

int run(const std::string& dir, std::size_t folders, std::size_t files) {
  MadeUpStore remote(folders, files);
  const auto began = std::chrono::steady_clock::now();
  std::size_t entries = 0;
  std::size_t resident = 0;
  {
    const Stores stores(dir, remote);
    entries = walk(*stores.volume);
    resident = resident_mib();
  }
  const double first = seconds_since(began);
  const auto again = std::chrono::steady_clock::now();
  const Stores stores(dir, remote);
  (void)must(stores.volume->list(soon(), kRootInode), "list");
  const double ready = seconds_since(again);
  const std::size_t walked = walk(*stores.volume);
  fmt::print(
      "{{\"entries\": {}, \"first_walk_s\": {:.1f}, \"ready_ms\": {:.0f}, \"resident_mib\": {}, "
      "\"walked\": {}}}\n",
      entries, first, ready * 1000, std::max(resident, resident_mib()), walked);
  return 0;
}

}  // namespace
}  // namespace cabinetfs

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: bench-million DIR [FOLDERS [FILES-PER-FOLDER]]\n");
    return 2;
  }
  const std::size_t folders = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1000;
  const std::size_t files = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 1000;
  return cabinetfs::run(argv[1], folders, files);
}
