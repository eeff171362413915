#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "backend/http/curl_client.h"

namespace cabinetfs {

// A directory that goes away with its owner.
class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(testing::TempDir() + "auth-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline HttpClientOptions quick_http() {
  HttpClientOptions options;
  options.remote = "test";
  options.backoff_first = std::chrono::milliseconds(5);
  options.backoff_max = std::chrono::milliseconds(10);
  return options;
}

inline CallContext soon() { return CallContext::within(std::chrono::seconds(30)); }

}  // namespace cabinetfs
