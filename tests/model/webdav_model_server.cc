// A real WebDAV server for plays. The other user works on its disk.
#include <fcntl.h>
#include <stdio.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "tests/model/served_vendors.h"
#include "tests/support/dav_servers.h"

namespace cabinetfs {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUser = "alice";
constexpr const char* kPassword = "for this test only";

DavServerOptions served() {
  DavServerOptions options;
  options.etags = DavServerOptions::Etags::kInode;
  options.user = kUser;
  options.password = kPassword;
  return options;
}

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

void rename_with(const fs::path& from, const fs::path& to, unsigned flags) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags) != 0)
    throw std::system_error(errno, std::generic_category(), from.string());
}

class WebDavModelServer final : public ServedModelServer {
 public:
  WebDavModelServer() : server_(DavServer::Kind::kApache, served()) {
    fs::create_directory(server_.directory() / "Work");
    // Beside what the play sees, on the same disk: what others have removed or written over.
    fs::create_directory(server_.directory() / "Trash");
  }

  ServerAddress address() const override {
    ServerAddress out;
    out.vendor = "webdav";
    out.url = server_.url();
    out.user = kUser;
    out.password = kPassword;
    return out;
  }

  std::map<std::string, Object> dump(bool contents) override {
    std::map<std::string, Object> all;
    // Walked while the server is at work: what goes away meanwhile is not there.
    std::error_code gone;
    const fs::path top = disk("");
    for (auto it = fs::recursive_directory_iterator(top, gone);
         it != fs::recursive_directory_iterator(); it.increment(gone)) {
      if (gone) break;
      // The server's own notes, and uploads that are under way.
      const std::string name = it->path().filename();
      if (name == ".DAV" || name.starts_with(".davfs.")) {
        it.disable_recursion_pending();
        continue;
      }
      const bool folder = it->is_directory(gone);
      Object object;
      object.kind = folder ? NodeKind::kFolder : NodeKind::kFile;
      if (!folder && contents) object.versions = {content_of(it->path())};
      all[fs::relative(it->path(), top)] = object;
    }
    return all;
  }
  std::vector<Object> deleted_by_us() override { return {}; }
  std::vector<Object> deleted_by_them() override {
    std::vector<Object> all;
    for (const auto& entry : fs::recursive_directory_iterator(server_.directory() / "Trash")) {
      if (entry.is_regular_file()) all.push_back({NodeKind::kFile, {content_of(entry.path())}});
    }
    return all;
  }
  std::vector<std::string> locked_by_us() override { return {}; }

  void write(const std::string& path, const std::string& content) override {
    const fs::path next = trash();
    std::ofstream(next, std::ios::binary) << content;
    // What was there goes to the trash, whatever it was at that moment.
    if (fs::exists(disk(path))) return rename_with(next, disk(path), RENAME_EXCHANGE);
    rename_with(next, disk(path), RENAME_NOREPLACE);
  }
  void mkdir(const std::string& path) override { fs::create_directory(disk(path)); }
  void remove(const std::string& path) override { rename_with(disk(path), trash(), 0); }
  void rename(const std::string& path, const std::string& name) override {
    rename_with(disk(path), disk(path).parent_path() / name, RENAME_NOREPLACE);
  }
  void move(const std::string& path, const std::string& folder) override {
    rename_with(disk(path), disk(folder) / disk(path).filename(), RENAME_NOREPLACE);
  }

 protected:
  std::vector<std::uint16_t> ports() const override { return {server_.port()}; }

 private:
  fs::path disk(const std::string& path) const {
    return path.empty() ? server_.directory() / "Work" : server_.directory() / "Work" / path;
  }
  fs::path trash() { return server_.directory() / "Trash" / std::to_string(++removed_); }

  DavServer server_;
  int removed_ = 0;
};

}  // namespace

bool has_webdav_server() { return DavServer::missing(DavServer::Kind::kApache).empty(); }

std::unique_ptr<ServedModelServer> make_webdav_model_server() {
  return std::make_unique<WebDavModelServer>();
}

}  // namespace cabinetfs
