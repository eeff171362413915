#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/plain_http.h"
#include "tools/sandbox/sandbox.h"

namespace cabinetfs::sandbox {

// One <response> of a multistatus, whatever its prefix.
struct DavEntry {
  std::string href, status;  // status: of the response, or of the propstat that found something
  bool dir = false;
  std::vector<std::pair<std::string, std::string>> found;  // name, text
  std::vector<std::string> missing;

  std::string text(std::string_view name) const;  // "-" if it was not found
  bool has(std::string_view name) const;
};
// Throws std::runtime_error for what is not a multistatus.
std::vector<DavEntry> multistatus(const PlainReply& reply);
std::vector<std::string> hrefs(const PlainReply& reply);

// A PowerFolder server with Work/ (a.txt, "b (1).txt", sub/deep.txt) and Team/ (t.txt) of alice;
// bob has nothing.
class PowerFolderTest : public testing::Test {
 protected:
  PowerFolderTest();
  ~PowerFolderTest() override;

  void write(const std::string& path, const std::string& text) const;
  // JSON texts.
  Sandbox& start(const std::string& settings = {}, const std::string& users = {});
  Sandbox& start_with_state(std::uint16_t port);
  // A client of that user, with the password; 0 is alice, 1 is bob.
  std::unique_ptr<PlainHttp> client(std::size_t user = 0) const;

  nlohmann::json admin(const char* method, const std::string& path) const;
  nlohmann::json admin(const char* method, const std::string& path,
                       const nlohmann::json& body) const;
  void set(const nlohmann::json& settings) const;
  void as(std::size_t user, nlohmann::json order) const;
  void share(const std::string& folder, const std::string& permission) const;  // with bob
  std::string content(const std::string& path) const;  // what the server holds; "-" if nothing
  bool exists(const std::string& path) const { return content(path) != "-"; }
  nlohmann::json node(const std::string& path) const;  // of /_admin/tree; null if there is none
  nlohmann::json folder(const std::string& name) const;
  std::string to(const std::string& path) const;  // a Destination header

  template <class Condition>
  static bool eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

  std::filesystem::path dir_;
  std::unique_ptr<Sandbox> server_;
};

}  // namespace cabinetfs::sandbox
