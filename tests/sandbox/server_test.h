#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/sandbox/client.h"
#include "tools/sandbox/sandbox.h"

namespace cabinetfs::sandbox {

// A server with a small account: Projects/ (a.txt, b.txt, Sub/deep.txt), Other/, and note.txt in My
// Folder.
class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    std::string name = (std::filesystem::temp_directory_path() / "sandbox-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    dir_ = name;
    write("Projects/a.txt", "alpha");
    write("Projects/b.txt", "beta beta");
    write("Projects/Sub/deep.txt", "deep");
    write("Other/other.txt", "other");
    write("note.txt", "a note");
  }
  ~ServerTest() override {
    server_.reset();
    std::filesystem::remove_all(dir_);
  }

  void write(const std::string& path, const std::string& text) const {
    const auto file = dir_ / "root" / path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
  }

  Sandbox& start(const std::string& settings = {}) {
    Options options;
    options.root = dir_ / "root";
    options.settings = settings;
    server_ = Sandbox::start(options);
    return *server_;
  }

  void set(const nlohmann::json& settings) const {
    server_->admin("POST", "settings", settings.dump());
  }
  nlohmann::json admin(const char* method, const std::string& path,
                       const nlohmann::json& body = nullptr) const {
    return nlohmann::json::parse(server_->admin(method, path, body.is_null() ? "" : body.dump()));
  }

  std::filesystem::path dir_;
  std::unique_ptr<Sandbox> server_;
};

}  // namespace cabinetfs::sandbox
