// The store in memory as a server of plays.
#include <set>

#include "tests/model/model_server.h"

namespace cabinetfs {
namespace {

class FakeModelServer final : public ModelServer {
 public:
  explicit FakeModelServer(FakeRemoteStore& remote) : remote_(remote) {}

  std::map<std::string, Object> dump(bool /*contents*/) override {
    std::map<std::string, Object> all;
    for (auto& [path, entry] : remote_.dump()) all[path] = {entry.kind, std::move(entry.versions)};
    return all;
  }
  std::vector<Object> deleted_by_us() override { return deleted(false); }
  std::vector<Object> deleted_by_them() override { return deleted(true); }
  std::vector<std::string> locked_by_us() override { return remote_.locked_by_us(); }

  void write(const std::string& path, const std::string& content) override {
    remote_.write_file_as_other(path, content);
  }
  void mkdir(const std::string& path) override { remote_.mkdir_as_other(path); }
  void remove(const std::string& path) override {
    std::set<std::string> before;
    for (const auto& [at, entry] : remote_.deleted()) before.insert(entry.id.value);
    remote_.remove_as_other(path);
    for (const auto& [at, entry] : remote_.deleted())
      if (!before.contains(entry.id.value)) removed_by_them_.insert(entry.id.value);
  }
  void rename(const std::string& path, const std::string& name) override {
    remote_.rename_as_other(path, name);
  }
  void move(const std::string& path, const std::string& folder) override {
    remote_.move_as_other(path, folder);
  }
  void heal() override { remote_.catch_up(); }

 private:
  std::vector<Object> deleted(bool by_them) {
    std::vector<Object> all;
    for (auto& [path, entry] : remote_.deleted())
      if (removed_by_them_.contains(entry.id.value) == by_them)
        all.push_back({entry.kind, std::move(entry.versions)});
    return all;
  }

  FakeRemoteStore& remote_;
  std::set<std::string> removed_by_them_;  // remote ids
};

}  // namespace

std::unique_ptr<ModelServer> make_fake_model_server(FakeRemoteStore& remote) {
  return std::make_unique<FakeModelServer>(remote);
}

}  // namespace cabinetfs
